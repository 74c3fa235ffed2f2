import { readFileSync } from "node:fs";
import { count, object, text } from "#runner/shape.ts";

/** One process for ever: a pid alone is used again. */
export interface Identity {
  readonly pid: number;
  /** Clock ticks since boot, as the kernel writes it. */
  readonly start: string;
  readonly boot: string;
}

export const identityShape = object({ pid: count, start: text, boot: text });

/** `null` when there is no such process, or only its remains waiting for a parent. */
export function identityOf(pid: number): Identity | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH") return null;
    throw error;
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return null;
  return { pid, start: fields[19] ?? "", boot: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() };
}

export function isAlive(one: Identity): boolean {
  const now = identityOf(one.pid);
  return now !== null && now.start === one.start && now.boot === one.boot;
}

/** Sends SIGKILL to this process and no other; waits until it is gone, or throws after `ms`. */
export async function end(one: Identity, ms: number): Promise<void> {
  if (isAlive(one)) {
    try {
      process.kill(one.pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  if (!(await hasEnded(one, ms))) throw new Error(`process ${one.pid} does not end`);
}

/** `false` when it is still there after `ms`. The kernel tells only a parent, so others have to look. */
export async function hasEnded(one: Identity, ms: number): Promise<boolean> {
  for (const deadline = performance.now() + ms; isAlive(one); ) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  return true;
}
