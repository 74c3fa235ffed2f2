import type { Secret } from "#ports/secret.ts";

/** A policy that lives in a git repository. */
export interface PolicyRepository {
  /** What git fetches from; `null`: the repository `repo` of the local git host. */
  readonly url: string | null;
  /** "owner/name": never given to a run. */
  readonly repo: string;
  readonly branch: string;
  /** "": its top. */
  readonly folder: string;
  readonly token: Secret | null;
}

const GIT_URL = /^(?:(?:https?|ssh|git|file):\/\/\S+|[\w.-]+@[\w.-]+:\S+)$/;
const FRAGMENT = /^([\w][\w./-]*)(?::([\w.-]+(?:\/[\w.-]+)*)\/?)?$/;

/** Whether git's URL, over HTTPS or SSH, is that of "owner/name" on the forge whose web address this is. */
export function isOnForge(url: string, repo: string, webUrl: string): boolean {
  const web = new URL(webUrl);
  const [, scpHost, scpPath] = (url.includes("://") ? null : /^[\w.-]+@([\w.-]+):(.*)$/.exec(url)) ?? [];
  const of = scpHost === undefined ? URL.parse(url) : URL.parse(`ssh://${scpHost}/${scpPath}`);
  if (of === null || of.pathname.replace(/^\/+|(?:\.git)?\/?$/g, "") !== repo) return false;
  return of.protocol === "ssh:" ? of.hostname === web.hostname : of.origin === web.origin;
}

/**
 * "URL#BRANCH[:FOLDER]" or "local:OWNER/NAME#BRANCH[:FOLDER]". `null`: it is a folder of this machine. A text: what is wrong
 * with it, to be read after the variable's name.
 */
export function policyRepositoryOf(text: string, token: Secret | null): PolicyRepository | null | string {
  const hash = text.lastIndexOf("#");
  const url = hash === -1 ? text : text.slice(0, hash);
  const local = /^local:(.*)$/.exec(url)?.[1];
  if (local === undefined && !GIT_URL.test(url)) return null;
  const [, branch, folder = ""] = FRAGMENT.exec(hash === -1 ? "" : text.slice(hash + 1)) ?? [];
  if (branch === undefined || `${branch}/${folder}`.split(/[/]/).includes("..") || branch.includes(".."))
    return "names a repository without its branch: write URL#BRANCH, or URL#BRANCH:FOLDER";
  if (/^https?:\/\/[^/]*@/.test(url))
    return "has a credential in its URL: leave it out, and set COUNTERSIGN_POLICIES_TOKEN";
  const repo = /([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(local ?? url)?.[1];
  if (repo === undefined || (local !== undefined && local !== repo))
    return "names no repository: its URL ends in OWNER/NAME, or it is local:OWNER/NAME";
  return { url: local === undefined ? url : null, repo, branch, folder, token };
}
