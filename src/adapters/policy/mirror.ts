import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";
import { loadPolicy } from "#policy/load/load.ts";
import type { SiteConfig } from "#policy/site.ts";
import type { Secret } from "#ports/secret.ts";
import type { PolicyReading } from "./keeper.ts";

const GIT_MS = 60_000;
const MOST_BYTES = 16 * 1024 * 1024;
/** Where the mirror remembers what was last in force: a restart does not take what nobody agreed to. */
const ACCEPTED = "refs/countersign/accepted";
/** Where this process fetches to: several may share a mirror, and one ref takes one writer. */
const HEAD = `refs/countersign/head/${process.pid}`;
/** Nothing repacks the mirror beside us. */
const QUIET = ["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.logAllRefUpdates=always"];

export interface PolicySource {
  /** Anything that git can fetch from. */
  readonly url: string;
  /** The protected branch. */
  readonly branch: string;
  /** Of the policy inside the repository; "" is its top. */
  readonly folder: string;
}

export interface MirrorOptions {
  /** The mirror's own folder. */
  readonly dir: string;
  /** git's whole environment: nothing of the operator's own git reaches it. */
  readonly env: Readonly<Record<string, string>>;
  /** Sent to the source's own host, and to no other. */
  readonly token?: Secret | null;
  readonly site?: SiteConfig;
}

/** A bare repository with the policy's branch as it was fetched, and what was accepted of it. */
export interface PolicyMirror {
  /** The branch as it is now; `null`: there is no such branch. Throws when it cannot be fetched. */
  fetch(): Promise<string | null>;
  /** The commit that was last in force, whoever put it there. */
  accepted(): Promise<string | null>;
  /** From what the caller believes is accepted; throws when it is something else by now. `why` goes into the ref's log. */
  accept(commit: string, from: string | null, why: string): Promise<void>;
  /** The full name of a commit; `null`: the mirror has none by that name. */
  commitOf(name: string): Promise<string | null>;
  isAncestor(commit: string, of: string): Promise<boolean>;
  /** Every commit on the branch after `from` that changed the folder, oldest first, merges as what they brought. */
  changes(from: string, to: string): Promise<string[]>;
  /** Names the policy's files at a commit, whole; `null`: it has no such folder, or it is no commit. */
  tree(commit: string): Promise<string | null>;
  load(commit: string): Promise<PolicyReading>;
}

const call = promisify(execFile);

/** Makes the folder when it is not there. */
export async function policyMirror(source: PolicySource, o: MirrorOptions): Promise<PolicyMirror> {
  const git = async (...args: string[]): Promise<string> => {
    const options = {
      cwd: o.dir,
      env: { ...o.env, ...credential(source.url, o.token ?? null) },
      timeout: GIT_MS,
      maxBuffer: MOST_BYTES,
    };
    return (await call("git", [...QUIET, ...args], options)).stdout;
  };
  const nameOf = (name: string) =>
    git("rev-parse", "--verify", "--quiet", "--end-of-options", name).then(
      (out) => out.trim(),
      () => null,
    );
  const inFolder = (commit: string) => (source.folder === "" ? `${commit}^{tree}` : `${commit}:${source.folder}`);
  await mkdir(o.dir, { recursive: true, mode: 0o700 });
  await git("init", "--quiet", "--bare", ".");

  const filesAt = async (commit: string): Promise<Map<string, string>> => {
    const names = (await git("ls-tree", "-r", "-z", "--name-only", inFolder(commit))).split("\0");
    const files = new Map<string, string>();
    for (const name of names.filter(isPolicyFile)) {
      const at = source.folder === "" ? name : `${source.folder}/${name}`;
      files.set(name, await git("cat-file", "blob", `${commit}:${at}`));
    }
    return files;
  };

  return {
    async fetch() {
      await git("fetch", "--quiet", "--no-tags", source.url, `+refs/heads/${source.branch}:${HEAD}`);
      return nameOf(`${HEAD}^{commit}`);
    },
    accepted: () => nameOf(`${ACCEPTED}^{commit}`),
    async accept(commit, from, why) {
      await git("update-ref", "--create-reflog", "-m", why, ACCEPTED, commit, from ?? "0".repeat(commit.length));
    },
    commitOf: (name) => nameOf(`${name}^{commit}`),
    isAncestor: (commit, of) =>
      git("merge-base", "--is-ancestor", commit, of).then(
        () => true,
        () => false,
      ),
    async changes(from, to) {
      const path = source.folder === "" ? "." : source.folder;
      const out = await git("rev-list", "--first-parent", "--reverse", `${from}..${to}`, "--", path);
      return out.split("\n").filter((line) => line !== "");
    },
    tree: (commit) => nameOf(inFolder(commit)),
    async load(commit) {
      const files = await filesAt(commit);
      const loaded = loadPolicy(files, { commit, ...(o.site === undefined ? {} : { site: o.site }) });
      return { commit, loaded, files };
    },
  };
}

/** A header for the source's origin alone: a redirect elsewhere does not carry it along. */
function credential(url: string, token: Secret | null): Record<string, string> {
  if (token === null || !URL.canParse(url) || !url.startsWith("https:")) return {};
  const basic = Buffer.from(`x-access-token:${token.reveal()}`).toString("base64");
  return {
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `http.${new URL(url).origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  };
}

function isPolicyFile(name: string): boolean {
  return /\.ya?ml$/.test(name) && !name.split("/").some((part) => part.startsWith("."));
}
