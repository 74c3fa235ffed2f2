import { execFile, spawnSync } from "node:child_process";
import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import net from "node:net";
import type { Readable } from "node:stream";

/** One pipe: the end to give to a child, and ours. */
export interface Pipe {
  /** Close it once the child has it, or nobody will ever see the end. */
  readonly write: number;
  readonly read: Readable;
}

const BATCH = 8;

/**
 * Real pipes for the output of children. Node's own are sockets, and a socket cannot be opened again: every script that
 * says `> /dev/stderr` would fail here and nowhere else. Node cannot make a pipe, so named ones are made below `folder`
 * by the system's tool, some ahead of need, and lose their names as soon as they are open.
 */
export function pipeMaker(folder: string): () => Pipe {
  const names: string[] = [];
  let made = 0;
  let refilling = false;
  const fresh = (count: number) => Array.from({ length: count }, () => `${folder}/.pipe-${process.pid}-${made++}`);
  const refill = () => {
    if (refilling) return;
    refilling = true;
    const next = fresh(BATCH);
    execFile("mkfifo", ["-m", "600", ...next], (error) => {
      refilling = false;
      if (error === null) names.push(...next);
    });
  };
  const makeNow = (): string => {
    const [name = ""] = fresh(1);
    const { status, stderr, error } = spawnSync("mkfifo", ["-m", "600", name], { encoding: "utf8" });
    if (status !== 0) throw new Error(`no pipe could be made: ${error?.message ?? stderr.trim()}`);
    return name;
  };
  refill();
  return () => {
    const name = names.pop() ?? makeNow();
    if (names.length < 2) refill();
    const read = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
    const write = openSync(name, constants.O_WRONLY);
    unlinkSync(name);
    return { write, read: new net.Socket({ fd: read, readable: true, writable: false }) };
  };
}

export function closeWriteEnds(pipes: readonly Pipe[]): void {
  for (const pipe of pipes) closeSync(pipe.write);
}
