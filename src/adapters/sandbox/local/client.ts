import { existsSync } from "node:fs";
import { checkLimit, checkProcId } from "#adapters/sandbox/spec.ts";
import { type ProcessInfo, type Sandbox, SandboxError, type SandboxInfo } from "#ports/sandbox.ts";
import { FILE_BYTES } from "#runner/protocol.ts";
import { type Box, INSIDE, isReady, readBox, readSupervisor } from "./box.ts";
import { ask, type ControlOp, type ControlReply, type ControlRequest, type HostProcess, HungUp } from "./control.ts";
import { hasEnded, isAlive } from "./identity.ts";

/** A call that only passes data. */
const CALL_MS = 30_000;
/** How long one question for more output waits before it is asked again. */
const FOLLOW_MS = 20_000;
const DYING_MS = 500;

/** What is known from outside, without asking anybody inside. */
export function stateOf(dir: string): "none" | "dead" | "starting" | "running" {
  const box = readBox(dir);
  if (box === null) return "none";
  const supervisor = readSupervisor(dir);
  if (supervisor === null) return isAlive(box.creator) ? "starting" : "dead";
  if (!isAlive(supervisor)) return "dead";
  return isReady(dir) ? "running" : "starting";
}

/**
 * What a caller should know when the supervisor at `dir` did not answer. A dying process closes its connections a
 * moment before it is seen to be dead, so it gets that moment.
 */
async function explain(dir: string, id: string, cause: unknown): Promise<SandboxError> {
  const supervisor = readSupervisor(dir);
  if (supervisor !== null) await hasEnded(supervisor, DYING_MS);
  const state = stateOf(dir);
  if (state === "none") return new SandboxError("gone", `sandbox ${id} was destroyed`, { cause });
  if (state === "dead") return new SandboxError("gone", `the supervisor of sandbox ${id} has ended`, { cause });
  return new SandboxError("unavailable", `sandbox ${id} does not answer`, { cause });
}

export function infoOf(box: Box, state: "running" | "stopped"): SandboxInfo {
  return {
    id: box.id,
    key: box.spec.key,
    labels: box.spec.labels,
    state,
    createdAt: new Date(box.createdAt),
    expiresAt: new Date(box.createdAt + box.spec.ttlMs),
  };
}

const asInfo = (one: HostProcess): ProcessInfo => ({ ...one, startedAt: new Date(one.startedAt) });

/** A handle on the sandbox whose state directory is `dir`. Holds no connection: any number of them may be thrown away. */
export function openSandbox(dir: string, box: Box): Sandbox {
  const { id } = box;
  async function call<O extends ControlOp>(
    op: O,
    request: ControlRequest<O>,
    o: { withinMs?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<ControlReply<O>> {
    try {
      return await ask(dir, op, request, { withinMs: o.withinMs ?? CALL_MS, signal: o.signal });
    } catch (error) {
      const lost =
        error instanceof HungUp ||
        (error instanceof SandboxError && error.code === "unavailable" && stateOf(dir) !== "running");
      throw lost ? await explain(dir, id, error) : error;
    }
  }

  return {
    id,
    key: box.spec.key,
    workdir: INSIDE.workdir,
    home: INSIDE.home,
    imageDir: INSIDE.image,
    gatewayUrl: `http://127.0.0.1:${INSIDE.proxyPort}`,
    async info() {
      const state = stateOf(dir);
      if (state === "none") throw new SandboxError("gone", `sandbox ${id} was destroyed`);
      return infoOf(box, state === "dead" ? "stopped" : "running");
    },
    async exec(command, { timeoutMs, signal }) {
      checkLimit(timeoutMs);
      const request = {
        argv: command.argv,
        cwd: command.cwd ?? null,
        env: command.env ?? {},
        timeoutMs: Math.ceil(timeoutMs),
      };
      return call("exec", request, { withinMs: timeoutMs + CALL_MS, signal });
    },
    async start(procId, command) {
      checkProcId(procId);
      return asInfo(
        await call("start", { procId, argv: command.argv, cwd: command.cwd ?? null, env: command.env ?? {} }),
      );
    },
    async processes() {
      return (await call("processes", {})).map(asInfo);
    },
    async *output(procId, stream, from, { follow, signal }) {
      for (let at = from; ; ) {
        const waitMs = follow ? FOLLOW_MS : 0;
        const { data, ended } = await call(
          "output",
          { procId, stream, from: at, waitMs },
          { withinMs: waitMs + CALL_MS, signal },
        );
        const chunk = Buffer.from(data, "base64");
        at += chunk.length;
        if (chunk.length > 0) yield chunk;
        if (ended || (!follow && chunk.length === 0)) return;
      }
    },
    async input(procId, at, data) {
      await call("input", { procId, at, data: Buffer.from(data).toString("base64") });
    },
    async kill(procId, signal) {
      await call("kill", { procId, signal });
    },
    async killAll() {
      await call("killAll", {});
    },
    async read(path, { maxBytes }) {
      return Buffer.from((await call("read", { path, maxBytes })).data, "base64");
    },
    async write(path, data, options) {
      const bytes = Buffer.from(data);
      if (bytes.length > FILE_BYTES) throw new SandboxError("too_large", `more than ${FILE_BYTES} bytes in one write`);
      await call("write", { path, data: bytes.toString("base64"), mode: options?.mode ?? 0o644 });
    },
  };
}

/** After a crash of ours. Starts nothing. */
export function attachAt(dir: string, id: string): Sandbox {
  const state = existsSync(dir) ? stateOf(dir) : "none";
  const box = readBox(dir);
  if (state === "none" || box === null) throw new SandboxError("not_found", `no sandbox ${id}`);
  if (state === "dead") throw new SandboxError("gone", `the supervisor of sandbox ${id} has ended`);
  if (state === "starting") throw new SandboxError("unavailable", `sandbox ${id} is still being made`);
  return openSandbox(dir, box);
}
