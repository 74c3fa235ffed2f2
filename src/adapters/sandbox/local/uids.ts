import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { object, text } from "#runner/shape.ts";
import { type Identity, identityShape, isAlive } from "./identity.ts";

const FIRST = 20_001;
const LAST = 29_999;

const lock = object({ dir: text, creator: identityShape });

/**
 * Takes a uid that no other sandbox of this machine has, under a lock file in `folder` (root's alone). `dir` is the
 * state directory that will use it: a lock whose directory is not there, and whose maker has died, is free again.
 */
export function takeUid(folder: string, dir: string, creator: Identity): { uid: number; lock: string } {
  const accounts = new Set(readFileSync("/etc/passwd", "utf8").match(/(?<=^[^:\n]*:[^:\n]*:)\d+/gm) ?? []);
  const taken = new Set(readdirSync(folder));
  for (let uid = FIRST; uid <= LAST; uid++) {
    const name = String(uid);
    const file = path.join(folder, name);
    if (accounts.has(name) || (taken.has(name) && !isStale(file))) continue;
    if (taken.has(name)) rmSync(file, { force: true });
    try {
      const fd = openSync(file, "wx", 0o600);
      writeSync(fd, JSON.stringify({ dir, creator }));
      closeSync(fd);
      return { uid, lock: file };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  throw new Error(`all uids from ${FIRST} to ${LAST} are taken: see ${folder}`);
}

/** A lock that cannot be read yet is being written right now. */
function isStale(file: string): boolean {
  try {
    const content = readFileSync(file, "utf8");
    if (content === "") return false;
    const held = lock(JSON.parse(content), file);
    return !existsSync(held.dir) && !isAlive(held.creator);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

export function releaseUid(file: string): void {
  rmSync(file, { force: true });
}
