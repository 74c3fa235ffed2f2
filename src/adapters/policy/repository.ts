import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";
import { loadPolicy } from "#policy/load.ts";
import type { Policy } from "#policy/policy.ts";
import type { SiteConfig } from "#policy/site.ts";
import { keepPolicy, type PolicyChange, type PolicyReading, type PolicyWatch, unusable } from "./keeper.ts";

const POLL_MS = 60_000;
const GIT_MS = 60_000;
const MOST_BYTES = 16 * 1024 * 1024;
/** Where the mirror remembers what was last in force: a restart does not take what nobody agreed to. */
const ACCEPTED = "refs/countersign/accepted";

export interface PolicySource {
  /** Anything that git can fetch from. */
  readonly url: string;
  /** The protected branch. */
  readonly branch: string;
  /** Of the policy inside the repository; "" is its top. */
  readonly folder: string;
}

/**
 * Whether the owners of the policy in force agreed to a commit of the protected branch: `null`, or why not, as a sentence.
 * Asked for every commit on the branch that changed the folder, oldest first. Throws when the forge cannot be asked.
 */
export type Agreement = (commit: string, inForce: Policy) => Promise<string | null>;

const call = promisify(execFile);

/**
 * A policy that lives on a protected branch. Its commit names it; a change is in force when the owners agreed to it, as the
 * forge tells, and the policy loads. The first policy of an installation is the operator's word: nobody is in force yet to
 * agree. A branch that was rewritten is refused. `dir` is the mirror's own folder; `reload` is what a webhook calls.
 */
export async function watchPolicyRepository(
  source: PolicySource,
  o: {
    readonly dir: string;
    readonly agreement: Agreement;
    /** Added to git's environment: the way in and its credential. */
    readonly env: Readonly<Record<string, string>>;
    readonly site?: SiteConfig;
    readonly onChange?: (change: PolicyChange) => void;
  },
): Promise<PolicyWatch> {
  const git = async (...args: string[]): Promise<string> => {
    const options = { cwd: o.dir, env: o.env, timeout: GIT_MS, maxBuffer: MOST_BYTES };
    return (await call("git", args, options)).stdout;
  };
  const commitOf = (ref: string) =>
    git("rev-parse", "--verify", "--quiet", `${ref}^{commit}`).then(
      (out) => out.trim(),
      () => null,
    );
  await mkdir(o.dir, { recursive: true, mode: 0o700 });
  await git("init", "--quiet", "--bare", ".");

  const filesAt = async (commit: string): Promise<Map<string, string>> => {
    const tree = source.folder === "" ? commit : `${commit}:${source.folder}`;
    const names = (await git("ls-tree", "-r", "-z", "--name-only", tree)).split("\0");
    const files = new Map<string, string>();
    for (const name of names.filter(isPolicyFile)) {
      files.set(
        name,
        await git("cat-file", "blob", `${commit}:${source.folder === "" ? "" : `${source.folder}/`}${name}`),
      );
    }
    return files;
  };
  const load = async (commit: string): Promise<PolicyReading> => {
    const files = await filesAt(commit);
    return { commit, loaded: loadPolicy(files, { commit, ...(o.site === undefined ? {} : { site: o.site }) }), files };
  };

  /** Every commit on the branch after `from` that changed the folder, oldest first, merges as what they brought. */
  const changes = async (from: string, to: string): Promise<string[]> => {
    const path = source.folder === "" ? "." : source.folder;
    const out = await git("rev-list", "--first-parent", "--reverse", `${from}..${to}`, "--", path);
    return out.split("\n").filter((line) => line !== "");
  };

  const refusal = async (accepted: string, head: string, inForce: Policy): Promise<string | null> => {
    const straight = await git("merge-base", "--is-ancestor", accepted, head).then(
      () => true,
      () => false,
    );
    if (!straight)
      return `the branch ${source.branch} was rewritten: ${accepted.slice(0, 12)} is not in ${head.slice(0, 12)}`;
    for (const commit of await changes(accepted, head)) {
      const why = await o.agreement(commit, inForce);
      if (why !== null) return `${commit.slice(0, 12)}: ${why}`;
    }
    return null;
  };

  const read = async (current: Policy | null): Promise<PolicyReading> => {
    try {
      await git("fetch", "--quiet", "--no-tags", source.url, `+refs/heads/${source.branch}:refs/heads/policy`);
    } catch (error) {
      return unread(`${source.url} cannot be fetched: ${lastLine(error)}`);
    }
    const head = await commitOf("refs/heads/policy");
    if (head === null) return unread(`${source.url} has no branch ${source.branch}`);
    const accepted = await commitOf(ACCEPTED);
    if (current === null && accepted !== null && accepted !== head) {
      // After a restart what was in force is in force again, before anything newer is looked at.
      return load(accepted);
    }
    if (accepted === head && current !== null) return load(current.commit);
    const reading = await load(head);
    if (!reading.loaded.ok) return reading;
    if (accepted !== null && current !== null) {
      try {
        const why = await refusal(accepted, head, current);
        if (why !== null) return unusable(`${head} ${why}`, `the owners did not agree to ${why}`);
      } catch (error) {
        return unread(`nobody could be asked whether the owners agreed: ${lastLine(error)}`);
      }
    }
    await git("update-ref", ACCEPTED, head);
    return reading;
  };

  const kept = keepPolicy(read, o.onChange);
  await kept.reload();
  // What was in force at the last end came first; now what is on the branch.
  await kept.reload();
  const poll = setInterval(kept.reload, POLL_MS);
  poll.unref();
  return {
    ...kept,
    close: () => {
      kept.end();
      clearInterval(poll);
    },
  };
}

function isPolicyFile(name: string): boolean {
  return /\.ya?ml$/.test(name) && !name.split("/").some((part) => part.startsWith("."));
}

const unread = (message: string): PolicyReading => unusable(message, message);

/** What git said last; its first lines are the command. */
function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split("\n").at(-1) ?? text;
}
