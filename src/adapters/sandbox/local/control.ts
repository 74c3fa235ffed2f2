import { closeSync, openSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { SandboxError, type SandboxErrorCode } from "#ports/sandbox.ts";
import { onLines } from "#runner/lines.ts";
import { CALLS, LINE_BYTES, type Op, type Reply, type Request } from "#runner/protocol.ts";
import { count, flag, list, nothing, nullable, object, oneOf, type Shape, type Shaped, text } from "#runner/shape.ts";
import { FILES } from "./box.ts";

const exit = object({ code: nullable(count), signal: nullable(text), oom: flag });
const processInfo = object({ procId: text, state: oneOf("running", "exited"), exit: nullable(exit), startedAt: count });
export type HostProcess = Shaped<typeof processInfo>;

/** What a supervisor answers: the runner's calls, with what only the host can know added, and its own end. */
const CONTROL = {
  ...CALLS,
  start: { request: CALLS.start.request, reply: processInfo },
  processes: { request: CALLS.processes.request, reply: list(processInfo) },
  destroy: { request: object({}), reply: nothing },
} as const satisfies Record<string, { request: Shape<unknown>; reply: Shape<unknown> }>;

export type ControlOp = keyof typeof CONTROL;
export type ControlRequest<O extends ControlOp> = O extends Op ? Request<O> : Shaped<(typeof CONTROL)[O]["request"]>;
export type ControlReply<O extends ControlOp> = O extends "start" | "processes" | "destroy"
  ? Shaped<(typeof CONTROL)[O]["reply"]>
  : O extends Op
    ? Reply<O>
    : never;

const CODES: readonly SandboxErrorCode[] = [
  ...["not_found", "gone", "conflict", "unavailable", "timeout", "unsupported"],
  ...["denied_path", "too_large", "policy_unenforceable", "invalid", "unknown_outcome"],
] as SandboxErrorCode[];

const envelope = object({ op: text, request: (value: unknown) => value });
const answered = object({ ok: (value: unknown) => value });
const refused = object({ error: object({ code: oneOf(...CODES), message: text }) });

/** A unix socket's path holds 107 bytes; a longer one is reached through an open descriptor of its folder. */
function shortened(dir: string, use: (socket: string) => void): () => void {
  const plain = path.join(dir, FILES.control);
  if (Buffer.byteLength(plain) < 108) {
    use(plain);
    return () => undefined;
  }
  const fd = openSync(dir, "r");
  use(`/proc/self/fd/${fd}/${FILES.control}`);
  return () => closeSync(fd);
}

/** One connection, one call: a line with the question, a line with the answer. Hanging up ends the call. */
export function listen(
  dir: string,
  handle: (op: ControlOp, request: unknown, signal: AbortSignal) => Promise<unknown>,
): Promise<net.Server> {
  const server = net.createServer((socket) => {
    const hungUp = new AbortController();
    socket.on("error", () => socket.destroy());
    socket.once("close", () => hungUp.abort());
    const answer = async (line: string) => {
      const { op, request } = envelope(JSON.parse(line), "call");
      if (!Object.hasOwn(CONTROL, op)) throw new SandboxError("invalid", `no call ${op}`);
      const known = op as ControlOp;
      return handle(known, CONTROL[known].request(request, op), hungUp.signal);
    };
    onLines(socket, LINE_BYTES, (line) => {
      answer(line).then(
        (ok) => socket.end(`${JSON.stringify({ ok })}\n`),
        (error: unknown) => {
          const code = error instanceof SandboxError ? error.code : "unavailable";
          const message = error instanceof Error ? error.message : String(error);
          socket.end(`${JSON.stringify({ error: { code, message } })}\n`);
        },
      );
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const release = shortened(dir, (socket) => {
      server.listen(socket, () => {
        release();
        resolve(server);
      });
    });
  });
}

/** The connection broke or never stood: what that means, only the caller can find out. */
export class HungUp extends Error {
  override readonly name = "HungUp";
}

/**
 * Asks the supervisor of the sandbox at `dir`. Throws what it answers, `HungUp` when it does not, "timeout" after
 * `withinMs`, and the signal's reason.
 */
export function ask<O extends ControlOp>(
  dir: string,
  op: O,
  request: ControlRequest<O>,
  o: { withinMs: number; signal?: AbortSignal | undefined },
): Promise<ControlReply<O>> {
  return new Promise((resolve, reject) => {
    if (o.signal?.aborted) return reject(o.signal.reason);
    const socket = new net.Socket();
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      o.signal?.removeEventListener("abort", abort);
      socket.destroy();
      release();
      settle();
    };
    const abort = () => finish(() => reject(o.signal?.reason));
    const timer = setTimeout(
      () => finish(() => reject(new SandboxError("timeout", `${op}: no answer within ${o.withinMs} ms`))),
      o.withinMs,
    );
    o.signal?.addEventListener("abort", abort, { once: true });
    socket.once("error", (cause) => finish(() => reject(new HungUp(cause.message, { cause }))));
    socket.once("close", () => finish(() => reject(new HungUp("no answer"))));
    onLines(socket, LINE_BYTES, (line) => finish(() => settle(line)));
    const settle = (line: string) => {
      try {
        const value: unknown = JSON.parse(line);
        if (typeof value === "object" && value !== null && "error" in value) {
          const { code, message } = refused(value, op).error;
          reject(new SandboxError(code, message));
        } else resolve(CONTROL[op].reply(answered(value, op).ok, op) as ControlReply<O>);
      } catch (error) {
        reject(error);
      }
    };
    let released = false;
    const undo = shortened(dir, (path) => socket.connect(path));
    const release = () => {
      if (!released) undo();
      released = true;
    };
    socket.write(`${JSON.stringify({ op, request })}\n`);
  });
}
