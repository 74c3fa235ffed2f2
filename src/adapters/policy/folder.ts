import { createHash } from "node:crypto";
import { type Stats, watch } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { loadPolicy } from "#policy/load/load.ts";
import type { SiteConfig } from "#policy/site.ts";
import { keepPolicy, type PolicyChange, type PolicyWatch, unusable } from "./keeper.ts";

/** One byte more than the loader takes: a larger file is refused by it, and never read whole. */
const READ_AT_MOST = 256 * 1024 + 1;
/** An editor or a checkout writes several times for one change. */
const SETTLE_MS = 100;
/** Some file systems tell nobody about a change: what `stat` says is looked at instead, and nothing is read for that. */
const STAT_MS = 1_000;
/** Once in a while all is read: a clock may stand still, and a tool may put a file's times back. */
const POLL_MS = 30_000;

async function head(file: string): Promise<string> {
  const handle = await open(file, "r");
  try {
    const buffer = Buffer.alloc(READ_AT_MOST);
    let length = 0;
    while (length < READ_AT_MOST) {
      const { bytesRead } = await handle.read(buffer, length, READ_AT_MOST - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.toString("utf8", 0, length);
  } finally {
    await handle.close();
  }
}

/**
 * The YAML files of a folder: name relative to it, with "/", → text. Hidden entries are left out, links are followed (a
 * mounted folder is often made of both). Throws what the file system throws.
 */
export async function readPolicyFolder(dir: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  await eachFile(dir, async (name) => {
    files.set(name, await head(path.join(dir, name)));
  });
  return files;
}

async function eachFile(dir: string, take: (name: string, entry: Stats) => void | Promise<void>): Promise<void> {
  const walk = async (folder: string, depth: number): Promise<void> => {
    const names = (await readdir(path.join(dir, folder))).sort();
    for (const name of names) {
      if (name.startsWith(".")) continue;
      const relative = folder === "" ? name : `${folder}/${name}`;
      const entry = await stat(path.join(dir, relative));
      if (entry.isDirectory() && depth < 3) await walk(relative, depth + 1);
      else if (entry.isFile() && /\.ya?ml$/.test(name)) await take(relative, entry);
    }
  };
  await walk("", 0);
}

/** Changes when a file comes, goes or is written, as `stat` tells; also when the folder cannot be read any more. */
async function stamp(dir: string): Promise<string> {
  const stamps: string[] = [];
  try {
    await eachFile(dir, (name, { ino, size, mtimeMs, ctimeMs }) => {
      stamps.push(JSON.stringify([name, ino, size, mtimeMs, ctimeMs]));
    });
  } catch (error) {
    return String(error);
  }
  return stamps.join("\n");
}

/** Names these exact files, where no commit does: "files-" and 12 hex digits. */
export function filesCommit(files: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256");
  for (const [name, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(JSON.stringify([name, text]));
  return `files-${hash.digest("hex").slice(0, 12)}`;
}

/** Loads a folder and follows its changes. `onChange` hears everything after the first load. */
export async function watchPolicyFolder(
  dir: string,
  options: {
    readonly site?: SiteConfig;
    readonly onChange?: (change: PolicyChange) => void;
    /** Tells of a change at once, where the file system does; ends when it is called. What it misses is polled. */
    readonly hear?: (dir: string, changed: () => void) => () => void;
  } = {},
): Promise<PolicyWatch> {
  const site = options.site === undefined ? {} : { site: options.site };
  const kept = keepPolicy(async () => {
    try {
      const files = await readPolicyFolder(dir);
      const commit = filesCommit(files);
      return { commit, loaded: loadPolicy(files, { commit, ...site }), files };
    } catch (error) {
      // Unreadable is a state of the policy like broken is: last good, and said.
      const message = `the folder cannot be read: ${error instanceof Error ? error.message : String(error)}`;
      return unusable(message, message);
    }
  }, options.onChange);

  let timer: NodeJS.Timeout | undefined;
  const soon = () => {
    clearTimeout(timer);
    if (!kept.ended()) timer = setTimeout(kept.reload, SETTLE_MS);
  };
  const poll = setInterval(kept.reload, POLL_MS);
  poll.unref();
  const stopHearing = (options.hear ?? hearFromSystem)(dir, soon);
  // Before the first look: what changes during it is seen as a change.
  let seen = await stamp(dir);
  await kept.reload();
  let looking = false;
  const glance = async () => {
    if (looking) return;
    looking = true;
    const now = await stamp(dir);
    looking = false;
    if (now === seen) return;
    seen = now;
    soon();
  };
  const glances = setInterval(() => void glance(), STAT_MS);
  glances.unref();
  return {
    ...kept,
    close: () => {
      kept.end();
      clearTimeout(timer);
      clearInterval(poll);
      clearInterval(glances);
      stopHearing();
    },
  };
}

function hearFromSystem(dir: string, changed: () => void): () => void {
  try {
    const watcher = watch(dir, { recursive: true, persistent: false }, changed);
    watcher.on("error", changed);
    return () => watcher.close();
  } catch (error) {
    // A folder that cannot be watched is still polled.
    if (!(error instanceof Error && "code" in error)) throw error;
    return () => undefined;
  }
}
