import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { type AuditLine, type Changes, type Gateway, GatewayError, type Usage } from "#ports/gateway.ts";

const Failure = z.object({ code: z.enum(["not_found", "unavailable", "stale", "invalid"]), message: z.string() });

/** After how many lines the gateway is told that they were taken. */
const TELL_LINES = 100;
/** What a lease may take: it waits for nothing. One that is stuck keeps the connection and never answers. */
const LEASE_MS = 5_000;
/** How soon a gateway that does not answer is asked again. */
const AGAIN_MS = 100;

/**
 * The gateway over its admin socket. `GatewayError("unavailable")` when nobody answers there within `patienceMs`: a
 * gateway that was killed is back in a second or two, and every call may be made again. 0 unless told. `leaseMs`: what a
 * lease may take; default 5 s.
 */
export function gatewayClient(o: {
  adminSocket: string;
  dataSocket: string;
  patienceMs?: number;
  leaseMs?: number;
}): Gateway {
  async function call<T>(path: string, body: unknown, patienceMs = o.patienceMs ?? 0): Promise<T> {
    for (const until = performance.now() + patienceMs; ; await pause(AGAIN_MS)) {
      try {
        return await once<T>(path, body);
      } catch (error) {
        const away = error instanceof GatewayError && error.code === "unavailable";
        if (!away || performance.now() > until) throw error;
      }
    }
  }

  async function once<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    const incoming = await send(o.adminSocket, "POST", path, JSON.stringify(body), signal);
    const answer: unknown = JSON.parse(await whole(incoming));
    if (incoming.statusCode === 200) return answer as T;
    const failure = Failure.safeParse(answer);
    if (!failure.success) throw new GatewayError("unavailable", `the gateway answered ${incoming.statusCode}`);
    throw new GatewayError(failure.data.code, failure.data.message);
  }

  async function* audit(from: number, signal: AbortSignal): AsyncGenerator<{ next: number; line: AuditLine }> {
    if (signal.aborted) return;
    let held = "";
    let untold = 0;
    try {
      const incoming = await send(o.adminSocket, "GET", `/audit?from=${from}`, "", signal);
      const decoder = new TextDecoder();
      for await (const chunk of incoming as AsyncIterable<Buffer>) {
        const lines = (held + decoder.decode(chunk, { stream: true })).split("\n");
        held = lines.pop() ?? "";
        for (const line of lines) {
          if (line === "") continue;
          const entry = JSON.parse(line) as { next: number; line: AuditLine };
          yield entry;
          if (signal.aborted) return;
          // We are asked for more: this one is done with.
          untold += 1;
          if (untold < TELL_LINES) continue;
          await call("/acknowledge", { to: entry.next }, 0);
          untold = 0;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof GatewayError
        ? error
        : new GatewayError("unavailable", "the audit stream broke", { cause: error });
    }
    if (!signal.aborted) throw new GatewayError("unavailable", "the gateway went away");
  }

  return {
    address: `unix:${o.dataSocket}`,
    // Whoever renews the lease is who starts the gateway again.
    lease: async () => void (await once("/lease", {}, AbortSignal.timeout(o.leaseMs ?? LEASE_MS))),
    grant: async (grant) => void (await call("/grant", grant)),
    revoke: async (sandbox) => void (await call("/revoke", { sandbox })),
    mirror: ({ name, cloneUrl, credential }, ref) =>
      call<{ oid: string }>("/mirror", { name, cloneUrl, credential: credential?.reveal() ?? null, ref }),
    file: async (repo, oid, path, maxBytes) =>
      (await call<{ text: string | null }>("/file", { repo, oid, path, maxBytes })).text,
    openRepository: async (run, repo, branch, at) => void (await call("/open-repository", { run, repo, branch, at })),
    closePush: (run) => call<{ oid: string | null; gitDir: string }>("/close-push", { run }),
    changes: (run, base, head, maxBytes) => call<Changes>("/changes", { run, base, head, maxBytes }),
    forget: async (run) => void (await call("/forget", { run })),
    usage: (run) => call<Usage>("/usage", { run }),
    audit,
    audited: async () => (await call<{ end: number }>("/audited", {})).end,
    certificate: async () => (await call<{ pem: string }>("/certificate", {})).pem,
  };
}

async function whole(incoming: IncomingMessage): Promise<string> {
  try {
    return await text(incoming);
  } catch (cause) {
    throw new GatewayError("unavailable", "the gateway went away before it had answered", { cause });
  }
}

function send(
  socketPath: string,
  method: string,
  path: string,
  body: string,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const outgoing = request({ socketPath, method, path, headers, ...(signal ? { signal } : {}) }, resolve);
    outgoing.once("error", (error) =>
      reject(new GatewayError("unavailable", "the gateway does not answer", { cause: error })),
    );
    outgoing.end(body);
  });
}
