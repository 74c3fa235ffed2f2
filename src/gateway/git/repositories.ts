import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { GatewayError } from "#ports/gateway.ts";
import type { Secret } from "#ports/secret.ts";
import { type Git, gitSettings } from "./git.ts";
import { textFile } from "./text-file.ts";

/** The mirrors of forge repositories and, beside them, one bare repository per run. */
export interface Repositories {
  /** Parent folder of the runs' repositories; `<run>.git` below it. */
  readonly runsDir: string;
  mirror(repo: Source, ref: string): Promise<{ oid: string }>;
  /** A text file of the mirror at a commit; `null` when there is none. */
  file(name: string, oid: string, path: string, maxBytes: number): Promise<string | null>;
  open(run: string, repo: string, branch: string, at: string): Promise<void>;
  /** The run's repository, or `null`. */
  find(run: string): string | null;
  isClosed(run: string): boolean;
  /** Refuses new pushes and waits for those under way. */
  close(run: string): Promise<{ oid: string | null; gitDir: string }>;
  /** Registers a push; `null` when the door is closed. The returned function ends it. `abort` must make it end soon. */
  beginPush(run: string, abort: () => void): (() => void) | null;
  forget(run: string): Promise<void>;
}

interface Source {
  readonly name: string;
  readonly cloneUrl: string;
  readonly credential: Secret | null;
}

/** A first clone of a large repository takes its time. */
const FETCH_MS = 900_000;
const CLOSED = "countersign-closed";
/** Files remembered: each is small, and each run of a repository asks for the same. */
const FILES = 100;
const RUN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export async function openRepositories(folder: string, git: Git, o: { pushGraceMs: number }): Promise<Repositories> {
  const mirrorsDir = path.join(folder, "mirrors");
  const runsDir = path.join(folder, "runs");
  await mkdir(mirrorsDir, { recursive: true, mode: 0o700 });
  await mkdir(runsDir, { recursive: true, mode: 0o700 });
  const turns = new Map<string, Promise<unknown>>();
  const pushes = new Map<string, Set<{ ended: Promise<void>; abort: () => void }>>();

  const dirOf = (run: string) => {
    if (!RUN.test(run)) throw new GatewayError("invalid", `"${run}" cannot name a run`);
    return path.join(runsDir, `${run}.git`);
  };
  const find = (run: string) => (existsSync(dirOf(run)) ? dirOf(run) : null);
  const mirrorOf = (name: string) => {
    if (!/^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(name)) throw new GatewayError("invalid", `"${name}" is not owner/name`);
    return path.join(mirrorsDir, `${name}.git`);
  };

  /** One at a time per repository: two fetches into one mirror would trip over each other's ref locks. */
  async function inTurn<T>(key: string, act: () => Promise<T>): Promise<T> {
    const before = turns.get(key) ?? Promise.resolve();
    const mine = before.then(act, act);
    turns.set(
      key,
      mine.catch(() => undefined),
    );
    return await mine;
  }

  async function must(
    args: readonly string[],
    call: Parameters<Git>[1],
    code: "unavailable" | "not_found" | "invalid",
  ) {
    const result = await git(args, call);
    if (result.code !== 0) throw new GatewayError(code, `git ${args[0]}: ${result.stderr || `exit ${result.code}`}`);
    return result.stdout.toString("utf8").trim();
  }

  const commitOf = async (gitDir: string, name: string) => {
    const result = await git(["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`], { gitDir });
    return result.code === 0 ? result.stdout.toString("utf8").trim() : null;
  };

  /** Waits for what is under way; a client that dawdles is cut, for it could hold the run for ever. */
  async function endPushes(run: string): Promise<void> {
    const running = [...(pushes.get(run) ?? [])];
    const timer = setTimeout(() => {
      for (const push of running) push.abort();
    }, o.pushGraceMs);
    await Promise.all(running.map((push) => push.ended));
    clearTimeout(timer);
  }

  /** Branches, tags and the default branch of a mirror, as `mirrored` says them of its source. */
  async function refsOf(gitDir: string): Promise<string> {
    const refs = await git(["for-each-ref", "--format=%(objectname)%09%(refname)", "refs/heads", "refs/tags"], {
      gitDir,
    });
    return mirrored(`${(await readFile(path.join(gitDir, "HEAD"), "utf8")).trim()}\tHEAD\n${refs.stdout}`);
  }

  /** What `refsOf` says of a mirror, while nothing was fetched into it. */
  const unchanged = new Map<string, string>();
  /** What files hold at a commit, and which are not there: neither ever changes. The oldest goes first. */
  const files = new Map<string, string | null>();

  /** Fetches that have not begun: whoever asks before one begins may share it, for it sees all that is there now. */
  const next = new Map<string, Promise<void>>();

  function refresh(repo: Source): Promise<void> {
    const key = `${repo.name} ${repo.cloneUrl}`;
    const shared = next.get(key);
    if (shared) return shared;
    const mine = inTurn(repo.name, () => {
      next.delete(key);
      return fetchMirror(repo);
    });
    next.set(key, mine);
    return mine;
  }

  async function fetchMirror(repo: Source): Promise<void> {
    const gitDir = mirrorOf(repo.name);
    if (!existsSync(gitDir)) {
      unchanged.delete(repo.name);
      await must(["init", "--quiet", "--bare", gitDir], {}, "unavailable");
    }
    const env = gitSettings(credentialSetting(repo.cloneUrl, repo.credential));
    const from = ["--end-of-options", repo.cloneUrl];
    // Most runs find a repository as the last one left it; asking costs a fraction of fetching.
    const there = await git(["ls-remote", "--symref", ...from], { gitDir, env });
    const refs = mirrored(there.stdout.toString("utf8"));
    if (there.code === 0 && refs === (unchanged.get(repo.name) ?? (await refsOf(gitDir)))) {
      unchanged.set(repo.name, refs);
      return;
    }
    unchanged.delete(repo.name);
    const specs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    await must(
      // --update-shallow: without it git leaves out what a shallow source cannot complete, and says it went well.
      ["fetch", "--quiet", "--prune", "--update-shallow", "--no-write-fetch-head", ...from, ...specs],
      { gitDir, env, timeoutMs: FETCH_MS },
      "unavailable",
    );
    const head = await git(["ls-remote", "--symref", ...from, "HEAD"], { gitDir, env });
    const branch = /^ref: (refs\/heads\/[^\t\n]+)\tHEAD$/m.exec(head.stdout.toString("utf8"))?.[1];
    if (branch) await must(["symbolic-ref", "HEAD", branch], { gitDir }, "unavailable");
  }

  async function mirror(repo: Source, ref: string): Promise<{ oid: string }> {
    const gitDir = mirrorOf(repo.name);
    await refresh(repo);
    const seen = unchanged.get(repo.name)?.split("\n") ?? [];
    const at = ref.startsWith("refs/heads/") ? seen.find((line) => line.endsWith(`\t${ref}`)) : undefined;
    if (at !== undefined) return { oid: at.slice(0, at.indexOf("\t")) };
    const names = ref.startsWith("refs/")
      ? [ref]
      : [`refs/heads/${ref}`, `refs/tags/${ref}`, ...(/^(HEAD|[0-9a-f]{40})$/.test(ref) ? [ref] : [])];
    for (const name of names) {
      const oid = await commitOf(gitDir, name);
      if (oid) return { oid };
    }
    throw new GatewayError("not_found", `${repo.name} has no ${ref}`);
  }

  /** What a run sees of the mirror, by name: the default branch, and every tag. */
  async function given(mirror: string): Promise<(readonly [name: string, oid: string])[]> {
    const main = /^ref: (refs\/heads\/.+)$/m.exec(await readFile(path.join(mirror, "HEAD"), "utf8"))?.[1];
    const which = ["refs/tags", ...(main === undefined ? [] : [main])];
    const listed = await must(
      ["for-each-ref", "--format=%(objectname) %(refname)", ...which],
      { gitDir: mirror },
      "unavailable",
    );
    const all = listed.split("\n").map((line) => [line.slice(41), line.slice(0, 40)] as const);
    // A pattern is also that of all below it.
    return all.filter(([name]) => name === main || name.startsWith("refs/tags/"));
  }

  async function makeRepository(gitDir: string, mirror: string, branch: string, at: string): Promise<void> {
    const draft = path.join(runsDir, `.new-${randomUUID()}`);
    try {
      const [there, refs] = await Promise.all([
        commitOf(mirror, at),
        given(mirror),
        must(["init", "--quiet", "--bare", `--initial-branch=${branch}`, draft], {}, "unavailable"),
      ]);
      if (there !== at) throw new GatewayError("not_found", `commit ${at} is not in the mirror`);
      await writeFile(path.join(draft, "objects", "info", "alternates"), `${path.join(mirror, "objects")}\n`);
      // Where a shallow mirror's history ends, its borrower's must end too.
      if (existsSync(path.join(mirror, "shallow")))
        await copyFile(path.join(mirror, "shallow"), path.join(draft, "shallow"));
      // All its objects are the mirror's: the names are all there is to bring, and one git writes them.
      const own = `refs/heads/${branch}`;
      const made = [...refs.filter(([name]) => name !== own), [own, at] as const];
      const input = made.map(([name, oid]) => `create ${name}\0${oid}\0`).join("");
      await must(["update-ref", "--stdin", "-z"], { gitDir: draft, input }, "invalid");
      await rename(draft, gitDir);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      throw error;
    }
  }

  return {
    runsDir,
    find,
    mirror,
    async file(repo, oid, name, maxBytes) {
      const gitDir = mirrorOf(repo);
      if (!existsSync(gitDir)) throw new GatewayError("not_found", `${repo} has no mirror yet`);
      const key = [repo, oid, name, maxBytes].join("\0");
      const known = files.get(key);
      if (known !== undefined) return known;
      const text = await textFile(git, gitDir, { oid, path: name, maxBytes });
      const [oldest] = files.keys();
      if (files.size >= FILES && oldest !== undefined) files.delete(oldest);
      files.set(key, text);
      return text;
    },
    async open(run, repo, branch, at) {
      if (!isBranchName(branch)) throw new GatewayError("invalid", `"${branch}" cannot be a branch`);
      if (!/^[0-9a-f]{40}$/.test(at)) throw new GatewayError("invalid", `"${at}" is not a commit id`);
      const gitDir = dirOf(run);
      const mirror = mirrorOf(repo);
      if (!existsSync(mirror)) throw new GatewayError("not_found", `${repo} has no mirror yet`);
      await inTurn(`run ${run}`, async () => {
        if (!existsSync(gitDir)) await makeRepository(gitDir, mirror, branch, at);
        await rm(path.join(gitDir, CLOSED), { force: true });
      });
    },
    isClosed: (run) => existsSync(path.join(dirOf(run), CLOSED)),
    beginPush(run, abort) {
      if (existsSync(path.join(dirOf(run), CLOSED))) return null;
      const { promise, resolve } = Promise.withResolvers<void>();
      const running = pushes.get(run) ?? new Set();
      const push = { ended: promise, abort };
      pushes.set(run, running.add(push));
      return () => {
        running.delete(push);
        resolve();
      };
    },
    async close(run) {
      const gitDir = find(run);
      if (!gitDir) throw new GatewayError("not_found", `run ${run} has no repository`);
      await writeFile(path.join(gitDir, CLOSED), "");
      await endPushes(run);
      return { oid: await commitOf(gitDir, "HEAD"), gitDir };
    },
    async forget(run) {
      const gitDir = dirOf(run);
      if (existsSync(gitDir)) await writeFile(path.join(gitDir, CLOSED), "");
      await endPushes(run);
      pushes.delete(run);
      await rm(gitDir, { recursive: true, force: true });
    },
  };
}

/** What of a list of refs a mirror keeps, in one order. */
function mirrored(refs: string): string {
  return refs
    .split("\n")
    .filter((line) => /^(ref: refs\/heads\/.*\tHEAD|[0-9a-f]{40,64}\trefs\/(heads|tags)\/.*[^}])$/.test(line))
    .sort()
    .join("\n");
}

/**
 * In the environment, so that the credential is in no process list and no file; for this origin only, so that a redirect
 * takes it nowhere else.
 */
function credentialSetting(cloneUrl: string, credential: Secret | null): Record<string, string> {
  if (!credential || !/^https?:/.test(cloneUrl)) return {};
  const basic = Buffer.from(`x-access-token:${credential.reveal()}`).toString("base64");
  return { [`http.${new URL(cloneUrl).origin}/.extraHeader`]: `Authorization: Basic ${basic}` };
}

/** Narrower than git: a branch name that no program can take for an option, a path or another ref. */
export function isBranchName(name: string): boolean {
  return (
    name.length <= 200 &&
    /^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(name) &&
    name
      .split("/")
      .every((part) => part !== "" && !part.startsWith(".") && !part.startsWith("-") && !part.endsWith(".lock")) &&
    !name.includes("..") &&
    !name.endsWith(".")
  );
}
