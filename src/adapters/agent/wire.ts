import type { Sandbox } from "#ports/sandbox.ts";
import { SandboxError } from "#ports/sandbox.ts";
import { encode, type Line, lineCutter } from "./jsonrpc.ts";

/** A journal that cannot be read within this is a lost sandbox. */
const CATCH_UP_MS = 30_000;

/** The two journals of one process: where we write, and what it wrote. */
export interface Wire {
  /** Lines of "in" we have not been given yet; more than ours when another of us wrote. */
  catchUp(): Promise<Line[]>;
  /**
   * Writes at the end of what we know. "behind": someone wrote there first, so catch up and think again. "ended": nobody
   * reads any more.
   */
  write(message: object): Promise<"written" | "behind" | "ended">;
  /**
   * Lines of "out" after the last that was given. Without `follow`, what is there now; with it, ends when the process has
   * exited and all is read.
   */
  lines(o: { follow: boolean; signal: AbortSignal }): AsyncIterable<Line>;
  /** Bytes of "in" known so far. */
  written(): number;
  /** Bytes of "out" read so far. */
  read(): number;
}

export function wire(sandbox: Sandbox, procId: string): Wire {
  const ours = lineCutter();
  const out = lineCutter();

  async function put(bytes: Uint8Array): Promise<Line[] | "behind" | "ended"> {
    try {
      await sandbox.input(procId, ours.at(), bytes);
    } catch (error) {
      if (error instanceof SandboxError && error.code === "conflict") return "behind";
      if (error instanceof SandboxError && error.code === "invalid") return "ended";
      throw error;
    }
    return ours.feed(bytes);
  }

  async function catchUp(): Promise<Line[]> {
    const lines: Line[] = [];
    const signal = AbortSignal.timeout(CATCH_UP_MS);
    for await (const chunk of sandbox.output(procId, "in", ours.at(), { follow: false, signal }))
      lines.push(...ours.feed(chunk));
    // A line that a crash cut short is closed, and then counts as written: the agent reads the same bytes as we do.
    if (ours.rest() > 0) {
      const closed = await put(Buffer.from("\n"));
      if (typeof closed !== "string") lines.push(...closed);
    }
    return lines;
  }

  return {
    catchUp,
    async write(message) {
      const lines = await put(encode(message));
      return typeof lines === "string" ? lines : "written";
    },
    written: () => ours.at(),
    async *lines(how) {
      for await (const chunk of sandbox.output(procId, "out", out.at(), how)) yield* out.feed(chunk);
    },
    read: () => out.at(),
  };
}
