import { checkLimit, checkProcId } from "#adapters/sandbox/spec.ts";
import type { Clock } from "#ports/clock.ts";
import { type ProcessInfo, type Sandbox, SandboxError, type SandboxInfo } from "#ports/sandbox.ts";
import { FILE_BYTES, type Reply } from "#runner/protocol.ts";
import { calmly } from "./patience.ts";
import { INSIDE } from "./places.ts";
import { type Asking, questions } from "./questions.ts";

/** How long one question for more output waits inside before it is asked again. */
const FOLLOW_MS = 20_000;
/** Two questions for output are at least so far apart: an agent that writes word by word is not asked word by word. */
const BREATH_MS = 150;
/** While somebody follows, the platform is told so often that this sandbox is in use. */
const KEEP_ALIVE_MS = 5 * 60_000;

export interface Handle extends Asking {
  readonly clock: Clock;
  readonly gatewayUrl: string;
  /** Throws "gone". */
  readonly info: (id: string) => Promise<SandboxInfo>;
}

/** The kernel's reason for a death is not told to us: no container says which of its limits it was. */
const asInfo = (one: Reply<"start">): ProcessInfo => ({
  ...one,
  exit: one.exit === null ? null : { ...one.exit, oom: false },
  startedAt: new Date(one.startedAt),
});

/** A handle on a hosted sandbox. Holds no connection: any number of them may be thrown away. */
export function openSandbox(o: Handle, id: string, key: string): Sandbox {
  const ask = questions(o, id);
  let toldAt = o.clock.now().getTime();

  async function keepAlive(): Promise<void> {
    const now = o.clock.now().getTime();
    if (now - toldAt < KEEP_ALIVE_MS) return;
    toldAt = now;
    try {
      await calmly(o.patience, () => o.vendor.keepAlive(id));
    } catch (error) {
      throw error instanceof SandboxError ? error : await o.explain(id, error);
    }
  }

  return {
    id,
    key,
    workdir: INSIDE.workdir,
    home: INSIDE.home,
    imageDir: INSIDE.image,
    gatewayUrl: o.gatewayUrl,
    info: () => o.info(id),
    async exec(command, { timeoutMs, signal }) {
      checkLimit(timeoutMs);
      signal?.throwIfAborted();
      const request = {
        argv: command.argv,
        cwd: command.cwd ?? null,
        env: command.env ?? {},
        timeoutMs: Math.ceil(timeoutMs),
      };
      return await ask("exec", request, { withinMs: timeoutMs, signal });
    },
    async start(procId, command) {
      checkProcId(procId);
      const request = { procId, argv: command.argv, cwd: command.cwd ?? null, env: command.env ?? {} };
      return asInfo(await ask("start", request));
    },
    processes: async () => (await ask("processes", {})).map(asInfo),
    async *output(procId, stream, from, { follow, signal }) {
      for (let at = from; ; ) {
        signal.throwIfAborted();
        const askedAt = performance.now();
        const waitMs = follow ? FOLLOW_MS : 0;
        const { data, ended } = await ask("output", { procId, stream, from: at, waitMs }, { withinMs: waitMs, signal });
        const chunk = Buffer.from(data, "base64");
        at += chunk.length;
        if (chunk.length > 0) yield chunk;
        if (ended || (!follow && chunk.length === 0)) return;
        await keepAlive();
        const rest = BREATH_MS - (performance.now() - askedAt);
        if (follow && rest > 0) await o.patience.pause(rest, signal);
      }
    },
    async input(procId, at, data) {
      await ask("input", { procId, at, data: Buffer.from(data).toString("base64") });
    },
    async kill(procId, signal) {
      await ask("kill", { procId, signal });
    },
    async killAll() {
      await ask("killAll", {});
    },
    async read(path, { maxBytes }) {
      return Buffer.from((await ask("read", { path, maxBytes })).data, "base64");
    },
    async write(path, data, options) {
      const bytes = Buffer.from(data);
      if (bytes.length > FILE_BYTES) throw new SandboxError("too_large", `more than ${FILE_BYTES} bytes in one write`);
      await ask("write", { path, data: bytes.toString("base64"), mode: options?.mode ?? 0o644 });
    },
  };
}
