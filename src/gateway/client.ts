import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { type AuditLine, type Changes, type Gateway, GatewayError, type Usage } from "#ports/gateway.ts";

/** The port, plus what only whoever prepares sandboxes needs. */
export interface GatewayClient extends Gateway {
  /** PEM of the installation's CA. */
  certificate(): Promise<string>;
}

const Failure = z.object({ code: z.enum(["not_found", "unavailable", "stale", "invalid"]), message: z.string() });

/** The gateway over its admin socket. `GatewayError("unavailable")` when nobody answers there. */
export function gatewayClient(o: { adminSocket: string; dataSocket: string }): GatewayClient {
  async function call<T>(path: string, body: unknown): Promise<T> {
    const incoming = await send(o.adminSocket, "POST", path, JSON.stringify(body));
    const answer: unknown = JSON.parse(await text(incoming));
    if (incoming.statusCode === 200) return answer as T;
    const failure = Failure.safeParse(answer);
    if (!failure.success) throw new GatewayError("unavailable", `the gateway answered ${incoming.statusCode}`);
    throw new GatewayError(failure.data.code, failure.data.message);
  }

  async function* audit(from: number, signal: AbortSignal): AsyncGenerator<{ next: number; line: AuditLine }> {
    if (signal.aborted) return;
    let held = "";
    try {
      const incoming = await send(o.adminSocket, "GET", `/audit?from=${from}`, "", signal);
      const decoder = new TextDecoder();
      for await (const chunk of incoming as AsyncIterable<Buffer>) {
        const lines = (held + decoder.decode(chunk, { stream: true })).split("\n");
        held = lines.pop() ?? "";
        for (const line of lines) {
          if (line !== "") yield JSON.parse(line) as { next: number; line: AuditLine };
          if (signal.aborted) return;
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
    lease: async () => void (await call("/lease", {})),
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
    certificate: async () => (await call<{ pem: string }>("/certificate", {})).pem,
  };
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
