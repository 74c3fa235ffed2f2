import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { GatewayError, type Grant } from "#ports/gateway.ts";
import { Secret } from "#ports/secret.ts";
import type { Control } from "./control.ts";
import { drained } from "./drained.ts";
import { GrantSchema } from "./grants.ts";

const Run = z.strictObject({ run: z.string() });
const Mirror = z.strictObject({
  name: z.string(),
  cloneUrl: z.string(),
  credential: z.string().nullable(),
  ref: z.string().regex(/^[^-\s][^\s]{0,200}$/),
});
const Open = z.strictObject({ run: z.string(), repo: z.string(), branch: z.string(), at: z.string() });
const File = z.strictObject({
  repo: z.string(),
  oid: z.string(),
  path: z.string(),
  maxBytes: z.number().int().positive(),
});
const Diff = z.strictObject({
  run: z.string(),
  base: z.string(),
  head: z.string(),
  maxBytes: z.number().int().positive(),
});
const Taken = z.strictObject({ to: z.number().int().nonnegative() });
const BODY_BYTES = 4_000_000;

/** One verb: what it accepts and what it does with it. The answer is sent as JSON. */
type Verb = (body: unknown) => Promise<unknown>;

/**
 * The control plane's side: JSON over HTTP on a unix socket that only our own user can open. Every verb may be repeated.
 */
export function adminServer(control: Control): Server {
  const verbs: Readonly<Record<string, Verb>> = {
    "/lease": async () => control.lease(),
    "/grant": async (body) => control.grant(GrantSchema.parse(body) as Grant),
    "/revoke": async (body) => control.revoke(z.strictObject({ sandbox: z.string() }).parse(body).sandbox),
    "/mirror": async (body) => {
      const { name, cloneUrl, credential, ref } = Mirror.parse(body);
      return control.mirror(
        { name, cloneUrl, credential: credential === null ? null : new Secret("forge", credential) },
        ref,
      );
    },
    "/file": async (body) => {
      const { repo, oid, path, maxBytes } = File.parse(body);
      return { text: await control.file(repo, oid, path, maxBytes) };
    },
    "/open-repository": async (body) => {
      const { run, repo, branch, at } = Open.parse(body);
      return control.openRepository(run, repo, branch, at);
    },
    "/close-push": async (body) => control.closePush(Run.parse(body).run),
    "/changes": async (body) => {
      const { run, base, head, maxBytes } = Diff.parse(body);
      return control.changes(run, base, head, maxBytes);
    },
    "/forget": async (body) => control.forget(Run.parse(body).run),
    "/usage": async (body) => control.usage(Run.parse(body).run),
    "/audited": async () => ({ end: await control.audited() }),
    "/acknowledge": async (body) => control.acknowledge(Taken.parse(body).to),
    "/certificate": async () => ({ pem: await control.certificate() }),
  };

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? "/", "http://gateway");
    if (req.method === "GET" && url.pathname === "/audit")
      return await streamAudit(control, Number(url.searchParams.get("from")), res);
    const verb = verbs[url.pathname];
    if (!verb || req.method !== "POST")
      return send(res, 404, { code: "invalid", message: `no ${req.method} ${url.pathname}` });
    try {
      if (Number(req.headers["content-length"] ?? 0) > BODY_BYTES)
        throw new GatewayError("invalid", "the request is too large");
      const body = await text(req);
      send(res, 200, (await verb(body === "" ? {} : JSON.parse(body))) ?? {});
    } catch (error) {
      const { code, message } = nameError(error);
      send(res, code === "unavailable" ? 503 : 409, { code, message });
    }
  }

  return createServer((req, res) => {
    answer(req, res).catch(() => res.destroy());
  });
}

function nameError(error: unknown): { code: string; message: string } {
  if (error instanceof GatewayError) return { code: error.code, message: error.message };
  if (error instanceof z.ZodError) return { code: "invalid", message: z.prettifyError(error) };
  if (error instanceof SyntaxError) return { code: "invalid", message: "the body is not JSON" };
  return { code: "unavailable", message: error instanceof Error ? error.message : String(error) };
}

function send(res: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  res.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
}

/** Lines as they come, one JSON object each, until the reader leaves. An empty line is a sign of life. */
async function streamAudit(control: Control, from: number, res: ServerResponse): Promise<void> {
  const left = new AbortController();
  res.once("close", () => left.abort());
  res.writeHead(200, { "content-type": "application/x-ndjson" });
  res.flushHeaders();
  const alive = setInterval(() => res.write("\n"), 15_000).unref();
  try {
    for await (const entry of control.audit(Number.isSafeInteger(from) && from >= 0 ? from : 0, left.signal)) {
      if (!res.write(`${JSON.stringify(entry)}\n`)) await drained(res);
    }
    // The gateway is closing: the reader must see a broken stream, never a clean end.
    res.destroy();
  } finally {
    clearInterval(alive);
  }
}
