import path from "node:path";
import { cleanGit, gitText } from "#adapters/git.ts";
import { shop } from "#playground/repos/shop.ts";

/** UTC, so that the emulator makes the same commit of it. */
const identityOf = (email: string) => ({
  GIT_AUTHOR_NAME: "Ana",
  GIT_AUTHOR_EMAIL: email,
  GIT_AUTHOR_DATE: "1767690000 +0000",
  GIT_COMMITTER_NAME: "Ana",
  GIT_COMMITTER_EMAIL: email,
  GIT_COMMITTER_DATE: "1767690000 +0000",
});

/** One commit on `parent` (none: the first) with these files written, without a work tree. Its id. */
export async function commit(
  gitDir: string,
  parent: string | null,
  files: Readonly<Record<string, string>>,
  of: { readonly email?: string; readonly trailer?: string } = {},
): Promise<string> {
  const git = cleanGit({ home: path.dirname(gitDir) });
  const o = {
    gitDir,
    env: { ...identityOf(of.email ?? "ana@example.com"), GIT_INDEX_FILE: path.join(gitDir, "index-of-a-test") },
  };
  await gitText(git, parent === null ? ["read-tree", "--empty"] : ["read-tree", parent], o);
  for (const [file, text] of Object.entries(files)) {
    const blob = await gitText(git, ["hash-object", "-w", "--stdin"], { ...o, input: text });
    await gitText(git, ["update-index", "--add", "--cacheinfo", `100644,${blob},${file}`], o);
  }
  const tree = await gitText(git, ["write-tree"], o);
  const parents = parent === null ? [] : ["-p", parent];
  const message = `Write ${Object.keys(files).join(", ")}${of.trailer === undefined ? "" : `\n\n${of.trailer}`}`;
  return gitText(git, ["commit-tree", tree, ...parents, "-m", message], o);
}

/** A first commit with these files on "main". */
export async function filled(gitDir: string, files: Readonly<Record<string, string>>): Promise<void> {
  const first = await commit(gitDir, null, files);
  await gitText(cleanGit({ home: path.dirname(gitDir) }), ["update-ref", "refs/heads/main", first], { gitDir });
}

/** The playground's shop in one commit, with `more` beside it. */
export const filledShop =
  (more: Readonly<Record<string, string>> = {}) =>
  (gitDir: string): Promise<void> => {
    const files: Record<string, string | null> = Object.assign({}, ...shop.commits.map((one) => one.files));
    const kept = Object.entries(files).filter((one): one is [string, string] => one[1] !== null);
    return filled(gitDir, { ...Object.fromEntries(kept), ...more });
  };

/** Three commits that follow each other on `from`, each with one file more. They are on no branch. */
export async function chain(
  gitDir: string,
  from: string,
  files: readonly [string, string, string],
): Promise<[string, string, string]> {
  const [a, b, c] = files;
  const first = await commit(gitDir, from, { [a]: `${a}\n` });
  const second = await commit(gitDir, first, { [b]: `${b}\n` });
  return [first, second, await commit(gitDir, second, { [c]: `${c}\n` })];
}
