import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";
import { lastLine as lastOf, withoutCredentials } from "#adapters/git.ts";
import { loadPolicy } from "#policy/load.ts";
import type { Policy } from "#policy/policy.ts";
import type { SiteConfig } from "#policy/site.ts";
import type { Secret } from "#ports/secret.ts";
import { keepPolicy, type PolicyChange, type PolicyReading, type PolicyWatch, unusable } from "./keeper.ts";

const POLL_MS = 60_000;
const GIT_MS = 60_000;
const MOST_BYTES = 16 * 1024 * 1024;
/** Where the mirror remembers what was last in force: a restart does not take what nobody agreed to. */
const ACCEPTED = "refs/countersign/accepted";
/** Where this process fetches to: several may share a mirror, and one ref takes one writer. */
const HEAD = `refs/countersign/head/${process.pid}`;
/** Nothing repacks the mirror beside us. */
const QUIET = ["-c", "gc.auto=0", "-c", "maintenance.auto=false"];

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
    /** git's whole environment: nothing of the operator's own git reaches it. */
    readonly env: Readonly<Record<string, string>>;
    /** Sent to the source's own host, and to no other. */
    readonly token?: Secret | null;
    /** Loads only what was in force before; the caller looks for what is newer, once whoever is asked is there. */
    readonly patient?: boolean;
    readonly site?: SiteConfig;
    readonly onChange?: (change: PolicyChange) => void;
  },
): Promise<PolicyWatch> {
  const name = withoutCredentials(source.url);
  const git = async (...args: string[]): Promise<string> => {
    const options = {
      cwd: o.dir,
      env: { ...o.env, ...credential(source.url, o.token ?? null) },
      timeout: GIT_MS,
      maxBuffer: MOST_BYTES,
    };
    return (await call("git", [...QUIET, ...args], options)).stdout;
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
    const accepted = await commitOf(ACCEPTED);
    // After a restart what was in force is in force again, before anything newer is looked at, wherever the forge is.
    if (current === null && accepted !== null) return load(accepted);
    try {
      await git("fetch", "--quiet", "--no-tags", source.url, `+refs/heads/${source.branch}:${HEAD}`);
    } catch (error) {
      return unread(`${name} cannot be fetched: ${lastLine(error)}`);
    }
    const head = await commitOf(HEAD);
    if (head === null) return unread(`${name} has no branch ${source.branch}`);
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

  const kept = keepPolicy(
    (current) =>
      read(current).catch((error: unknown) => unread(`the mirror of ${name} cannot be read: ${lastLine(error)}`)),
    o.onChange,
  );
  await kept.reload();
  // What was in force at the last end came first; now what is on the branch.
  if (o.patient !== true) await kept.reload();
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

const unread = (message: string): PolicyReading => unusable(message, message, true);

/** What git said last; its first lines are the command. */
const lastLine = (error: unknown): string => lastOf(error instanceof Error ? error.message : String(error));
