import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { FILE_BYTES, RunnerError } from "./protocol.ts";

const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_DIRECTORY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** The folder of `roots` that `path` lies in, and the rest of the path. Throws "denied_path". */
function below(path: string, roots: readonly string[]): { root: string; segments: string[] } {
  const root = roots.find((candidate) => path.startsWith(`${candidate}/`));
  const segments = root === undefined ? [] : path.slice(root.length + 1).split("/");
  const bad = path.includes("\0") || segments.some((segment) => segment === "" || segment === "." || segment === "..");
  if (root === undefined || bad)
    throw new RunnerError("denied_path", `${JSON.stringify(path)} is not a file below ${roots.join(", ")}`);
  return { root, segments };
}

/** Where an open descriptor really is. Asked after the open, so nobody can swap the path in between. */
function isWithin(fd: number, root: string): boolean {
  const real = readlinkSync(`/proc/self/fd/${fd}`);
  return real === root || real.startsWith(`${root}/`);
}

/**
 * A whole regular file. Links may lead about inside its own root folder and nowhere else; devices, FIFOs, sockets and
 * files with a second name throw "denied_path"; more than `maxBytes` throws "too_large".
 */
export function readSafely(path: string, maxBytes: number, roots: readonly string[]): Buffer {
  const { root } = below(path, roots);
  const fd = opened(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const about = fstatSync(fd);
    if (!isWithin(fd, root)) throw new RunnerError("denied_path", `${path} leads out of ${root}`);
    if (!about.isFile()) throw new RunnerError("denied_path", `${path} is not a regular file`);
    if (about.nlink > 1) throw new RunnerError("denied_path", `${path} has ${about.nlink} names`);
    const limit = Math.min(maxBytes, FILE_BYTES);
    if (about.size > limit) throw new RunnerError("too_large", `${path} is larger than ${limit} bytes`);
    const content = Buffer.alloc(about.size);
    let size = 0;
    for (let got = -1; got !== 0 && size < content.length; size += got) {
      got = readSync(fd, content, size, content.length - size, size);
    }
    return content.subarray(0, size);
  } finally {
    closeSync(fd);
  }
}

/**
 * Replaces or makes a file in one step; missing parents are made. Every parent is opened through the descriptor of the
 * one above, as openat would, so that no link leads the way out even for a moment.
 */
export function writeSafely(path: string, data: Uint8Array, mode: number, roots: readonly string[]): void {
  const { root, segments } = below(path, roots);
  const name = segments.pop() ?? "";
  let parent = opened(root, O_RDONLY | O_DIRECTORY);
  try {
    for (const segment of segments) {
      const child = enter(parent, segment, path);
      closeSync(parent);
      parent = child;
      if (!isWithin(parent, root)) throw new RunnerError("denied_path", `${path} leads out of ${root}`);
    }
    const folder = `/proc/self/fd/${parent}`;
    const temporary = `${folder}/.write-${process.pid}-${process.hrtime.bigint()}`;
    const fd = opened(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    try {
      fchmodSync(fd, mode & 0o777);
      for (let done = 0; done < data.length; ) done += writeSync(fd, data, done);
    } finally {
      closeSync(fd);
    }
    try {
      renameSync(temporary, `${folder}/${name}`);
    } catch (error) {
      unlinkSync(temporary);
      throw refused(error, path);
    }
  } finally {
    closeSync(parent);
  }
}

function enter(parent: number, segment: string, path: string): number {
  const at = `/proc/self/fd/${parent}/${segment}`;
  try {
    mkdirSync(at, 0o755);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw refused(error, path);
  }
  return opened(at, O_RDONLY | O_DIRECTORY);
}

function opened(path: string, flags: number, mode?: number): number {
  try {
    return openSync(path, flags, mode);
  } catch (error) {
    throw refused(error, path);
  }
}

function refused(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOENT") return new RunnerError("not_found", `no file ${path}`);
  const refusals = [
    "ELOOP",
    "ENOTDIR",
    "EISDIR",
    "EACCES",
    "EPERM",
    "ENXIO",
    "ENODEV",
    "EROFS",
    "ENOTEMPTY",
    "ENAMETOOLONG",
  ];
  if (refusals.includes(code)) return new RunnerError("denied_path", `${path}: ${code}`);
  if (code === "ENOSPC" || code === "EFBIG" || code === "EDQUOT")
    return new RunnerError("too_large", `${path}: ${code}`);
  return error;
}
