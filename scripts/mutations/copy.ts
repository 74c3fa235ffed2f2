import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Mutation } from "./mutation.ts";

/** The checkout's last commit in a folder of its own, so that nothing is ever flipped where people work. */
export interface Copy {
  readonly folder: string;
  /** Where the tests put what is temporary; a test that fails half-way leaves it there. */
  readonly temporary: string;
  readonly commit: string;
  /** Flips one line; the returned function puts it back. Throws when the text is not there exactly once. */
  apply(mutation: Mutation): () => void;
  remove(): void;
}

export function makeCopy(root: string): Copy {
  // A short name: sockets lie below it, and their paths may have 107 bytes.
  const folder = mkdtempSync(path.join(tmpdir(), "csm-"));
  const temporary = path.join(folder, "tmp");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    // Sandboxes run as nobody and read programs from here.
    chmodSync(folder, 0o755);
    mkdirSync(temporary);
    const commit = run("git", ["rev-parse", "HEAD"], root).toString("utf8").trim();
    run("tar", ["-x", "-C", folder], root, run("git", ["archive", commit], root));
    symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    return { folder, temporary, commit, remove, apply: (mutation) => flip(path.join(folder, mutation.file), mutation) };
  } catch (error) {
    remove();
    throw error;
  }
}

function flip(file: string, { name, find, replace }: Mutation): () => void {
  const text = readFileSync(file, "utf8");
  const places = text.split(find).length - 1;
  if (places !== 1) throw new Error(`"${name}": the text to flip is ${places} times in ${file}, not once`);
  writeFileSync(
    file,
    text.replace(find, () => replace),
  );
  return () => writeFileSync(file, text);
}

function run(command: string, args: readonly string[], cwd: string, input?: Buffer): Buffer {
  const ran = spawnSync(command, args, { cwd, maxBuffer: 1024 ** 3, ...(input === undefined ? {} : { input }) });
  if (ran.error) throw ran.error;
  if (ran.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${ran.stderr.toString("utf8").trim()}`);
  return ran.stdout;
}
