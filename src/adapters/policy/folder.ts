import { createHash } from "node:crypto";
import { watch } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { type Loaded, loadPolicy } from "#policy/load.ts";
import type { Policy, PolicyProblem } from "#policy/policy.ts";
import type { SiteConfig } from "#policy/site.ts";

/** One byte more than the loader takes: a larger file is refused by it, and never read whole. */
const READ_AT_MOST = 256 * 1024 + 1;
/** An editor or a checkout writes several times for one change. */
const SETTLE_MS = 100;
/** Some file systems tell nobody about a change. */
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
  const walk = async (folder: string, depth: number): Promise<void> => {
    const names = (await readdir(path.join(dir, folder))).sort();
    for (const name of names) {
      if (name.startsWith(".")) continue;
      const relative = folder === "" ? name : `${folder}/${name}`;
      const entry = await stat(path.join(dir, relative));
      if (entry.isDirectory() && depth < 3) await walk(relative, depth + 1);
      else if (entry.isFile() && /\.ya?ml$/.test(name)) files.set(relative, await head(path.join(dir, relative)));
    }
  };
  await walk("", 0);
  return files;
}

/** Names these exact files, where no commit does: "files-" and 12 hex digits. */
export function filesCommit(files: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256");
  for (const [name, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(JSON.stringify([name, text]));
  return `files-${hash.digest("hex").slice(0, 12)}`;
}

export interface PolicyWatch {
  /** The policy in force: the newest that loaded. Not ok only while none ever did. */
  current(): Loaded;
  /** What is wrong with the files as they are now; empty when they are in force. */
  problems(): readonly PolicyProblem[];
  /** Looks at the folder now. Resolves when what it found is in force or reported. */
  reload(): Promise<void>;
  close(): void;
}

export type PolicyChange =
  | { readonly ok: true; readonly policy: Policy; readonly warnings: readonly PolicyProblem[] }
  | {
      readonly ok: false;
      readonly problems: readonly PolicyProblem[];
      /** What stays in force; `null` when there is nothing. */
      readonly kept: Policy | null;
    };

/**
 * Loads a folder and follows its changes. A new policy replaces the old one whole, between two decisions; a broken one is
 * reported once and the last good one stays. `onChange` hears everything after the first load.
 */
export async function watchPolicyFolder(
  dir: string,
  options: { readonly site?: SiteConfig; readonly onChange?: (change: PolicyChange) => void } = {},
): Promise<PolicyWatch> {
  const site = options.site === undefined ? {} : { site: options.site };
  let seen = "";
  let problems: readonly PolicyProblem[] = [];
  let current: Loaded | null = null;
  let closed = false;

  const read = async (): Promise<{ commit: string; loaded: Loaded }> => {
    try {
      const files = await readPolicyFolder(dir);
      const commit = filesCommit(files);
      return { commit, loaded: loadPolicy(files, { commit, ...site }) };
    } catch (error) {
      // Unreadable is a state of the policy like broken is: last good, and said.
      const message = `the folder cannot be read: ${error instanceof Error ? error.message : String(error)}`;
      return { commit: message, loaded: { ok: false, problems: [{ at: "org.yaml:1:1", message }] } };
    }
  };
  const look = async () => {
    const { commit, loaded } = await read();
    if (closed || commit === seen) return;
    const first = current === null;
    seen = commit;
    problems = loaded.ok ? [] : loaded.problems;
    if (loaded.ok || current === null || !current.ok) current = loaded;
    if (first) return;
    const kept = current.ok ? current.policy : null;
    options.onChange?.(loaded.ok ? loaded : { ok: false, problems: loaded.problems, kept });
  };

  // One look at a time, in order: an older reading never replaces a newer one.
  let last: Promise<void> = Promise.resolve();
  const reload = () => {
    last = last.then(look);
    return last;
  };

  let timer: NodeJS.Timeout | undefined;
  const soon = () => {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(reload, SETTLE_MS);
  };
  const poll = setInterval(reload, POLL_MS);
  poll.unref();
  // A folder that cannot be watched, or goes away, is still polled.
  const stops: (() => void)[] = [];
  try {
    const watcher = watch(dir, { recursive: true, persistent: false }, soon);
    watcher.on("error", soon);
    stops.push(() => watcher.close());
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
  }
  await reload();
  return {
    current: () => current as Loaded,
    problems: () => problems,
    reload,
    close: () => {
      closed = true;
      clearTimeout(timer);
      clearInterval(poll);
      for (const stop of stops) stop();
    },
  };
}
