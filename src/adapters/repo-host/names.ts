import { RepoHostError } from "#ports/repo-host.ts";

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*\/[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const OID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
// What git itself refuses in a branch name, plus a leading dash: git-scm.com/docs/git-check-ref-format
const BRANCH = /^(?!-)(?!.*(?:\.\.|\/\/|@\{|\/\.|\.lock(?:\/|$)|\.$|\/$))[^\p{Cc} ~^:?*[\\/.][^\p{Cc} ~^:?*[\\]*$/u;

/** "owner/name", safe as a path of two folders. */
export const isRepositoryName = (name: string): boolean =>
  name.length <= 200 && NAME.test(name) && !/\.(?:git|lock)$/i.test(name) && !/\.\./.test(name);

export const isOid = (text: string): boolean => OID.test(text);

export const isBranch = (name: string): boolean => name.length <= 200 && name !== "@" && BRANCH.test(name);

/** Throws "invalid" unless a push names a branch and a commit that can exist. */
export function mustBePush(to: { branch: string; oid: string; expected: string | null }): void {
  if (!isBranch(to.branch)) throw new RepoHostError("invalid", `${JSON.stringify(to.branch)} is not a branch name`);
  if (!isOid(to.oid)) throw new RepoHostError("invalid", `${JSON.stringify(to.oid)} is not a commit id`);
  if (to.expected !== null && !isOid(to.expected))
    throw new RepoHostError("invalid", `${JSON.stringify(to.expected)} is not a commit id`);
}
