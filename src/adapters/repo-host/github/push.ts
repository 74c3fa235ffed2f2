import path from "node:path";
import { type Git, type GitResult, withoutCredentials } from "#adapters/git.ts";
import { mustBePush } from "#adapters/repo-host/names.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import type { Secret } from "#ports/secret.ts";

const LOOK_MS = 60_000;
/** A first push may carry a large change over a slow line. */
const PUSH_MS = 10 * 60_000;

/** What GitHub's own hook prints (docs.github.com, "About rulesets", "Troubleshooting"), and what a person does about it. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [
    /without `workflows` permission/,
    "the change touches .github/workflows, and the GitHub App may not: deny that path in policy, or give the App the permission Workflows",
  ],
  [/GH013|rule violations|GH006|[Pp]rotected branch/, "a rule of the repository refuses the branch"],
  [/was archived|read-only/, "the repository is archived"],
  [/GH001|Large files? detected/, "a file is larger than GitHub takes"],
];

/**
 * Pushes `<oid>:refs/heads/<branch>` with a lease, as the port says. The credential is in the environment of git's own
 * process alone, for this origin alone: in no argument, no file and nothing git prints.
 */
export async function pushTo(o: {
  readonly git: Git;
  readonly remote: string;
  readonly credential: Secret;
  readonly to: { repo: string; branch: string; oid: string; expected: string | null; gitDir: string };
}): Promise<void> {
  const { git, remote, to } = o;
  mustBePush(to);
  const gitDir = path.resolve(to.gitDir);
  const env = credentialEnvironment(remote, o.credential);
  const ref = `refs/heads/${to.branch}`;

  const look = async (): Promise<string | null> => {
    const seen = await git(["ls-remote", "--quiet", "--end-of-options", remote, ref], {
      gitDir,
      env,
      timeoutMs: LOOK_MS,
    });
    if (seen.code !== 0) throw failed(to.repo, seen);
    return /^([0-9a-f]{40,64})\t/m.exec(seen.stdout.toString("utf8"))?.[1] ?? null;
  };
  const stale = (at: string | null) =>
    new RepoHostError(
      "stale",
      `${to.branch} of ${to.repo} is at ${at ?? "no commit"}, not at ${to.expected ?? "none"}`,
    );

  const before = await look();
  if (before === to.oid) return;
  if (before !== to.expected) throw stale(before);
  const lease = `--force-with-lease=${ref}:${to.expected ?? ""}`;
  const args = ["push", "--quiet", "--no-verify", lease, "--end-of-options", remote, `${to.oid}:${ref}`];
  const pushed = await git(args, { gitDir, env, timeoutMs: PUSH_MS });
  if (pushed.code === 0) return;
  const after = await look();
  if (after === to.oid) return;
  if (after !== to.expected) throw stale(after);
  const known = await git(["cat-file", "-e", `${to.oid}^{commit}`], { gitDir });
  if (known.code !== 0) throw new RepoHostError("invalid", `${to.oid} is not a commit of the repository to push from`);
  throw failed(to.repo, pushed);
}

/** What git printed as the port's error: GitHub's own words come as lines that begin with "remote:". */
function failed(repo: string, { stderr }: GitResult): RepoHostError {
  const lines = withoutCredentials(stderr)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const theirs = lines
    .filter((line) => line.startsWith("remote:"))
    .map((line) => line.replace(/^remote:\s*(error:\s*)?/, ""));
  const said = (theirs.find((line) => line !== "") ?? lines.at(-1) ?? "git gave no reason").slice(0, 300);
  const why = REFUSALS.find(([pattern]) => pattern.test(stderr))?.[1];
  if (why !== undefined) return new RepoHostError("denied", `GitHub refuses the push to ${repo}: ${why} ("${said}")`);
  if (/\[remote rejected\]/.test(stderr))
    return new RepoHostError("denied", `GitHub refuses the push to ${repo}: "${said}"`);
  if (/repository .* not found|returned error: 404/i.test(stderr))
    return new RepoHostError("not_found", `git finds no repository ${repo} that the GitHub App may use`);
  if (/returned error: 40[13]|Authentication failed|could not read Username/i.test(stderr))
    return new RepoHostError("denied", `GitHub does not let us push to ${repo}: "${said}"`);
  return new RepoHostError("unavailable", `push to ${repo} failed: ${said}`);
}

function credentialEnvironment(remote: string, credential: Secret): Record<string, string> {
  const basic = Buffer.from(`x-access-token:${credential.reveal()}`).toString("base64");
  const settings = [
    [`http.${new URL(remote).origin}/.extraHeader`, `Authorization: Basic ${basic}`],
    // A redirect may go to a repository that policy never spoke of.
    ["http.followRedirects", "false"],
  ] as const;
  return {
    GIT_ALLOW_PROTOCOL: "https:http",
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], i) => [
        [`GIT_CONFIG_KEY_${i}`, key],
        [`GIT_CONFIG_VALUE_${i}`, value],
      ]),
    ),
  };
}
