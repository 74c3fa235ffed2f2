import { CODEOWNERS_FILES, ownerOf, readCodeOwners } from "#policy/codeowners.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import { type Access, PULLS, partsOf, TEAM_REVIEW } from "./access.ts";
import type { Api, Log } from "./client.ts";
import { failureOf, told } from "./failures.ts";

/** Logins, and teams as "org/team". Whom a file names by an address alone cannot be asked. */
interface Owners {
  readonly people: readonly string[];
  readonly teams: readonly string[];
}

/** More than GitHub asks at once for one pull request. */
const ASKED_MOST = 15;

/**
 * Asks the code owners of what the pull request changes for their review, as they stand in the base branch, where no run
 * has written. GitHub does it itself only for one that is no draft. Who is asked by now, those of before first; whom GitHub
 * does not take is left out, and logged.
 */
export async function askOwners(access: Access, log: Log, repo: string, number: number): Promise<readonly string[]> {
  const api = await access.client(repo, PULLS);
  const at = { ...partsOf(repo), pull_number: number };
  const owners = await told(`to see whose review ${repo}#${number} needs`, () => ownersOfPull(api, at, log));
  const { data: now } = await told(`to see who was asked about ${repo}#${number}`, () =>
    api.rest.pulls.listRequestedReviewers(at),
  );
  const asked = new Set([...now.users.map((one) => one.login), ...now.teams.map((one) => one.slug)].map(lower));
  const open = (name: string) => !asked.has(lower(name.split("/").at(-1) ?? name));
  const ofHere = owners.teams.filter((team) => lower(team.split("/")[0] ?? "") === lower(at.owner));
  const people = owners.people.filter(open).slice(0, ASKED_MOST);
  const teams = ofHere.filter(open).slice(0, ASKED_MOST - people.length);

  const taken = [...owners.people, ...ofHere].filter((name) => !open(name));
  for (const login of people) {
    if (await ask(() => api.rest.pulls.requestReviewers({ ...at, reviewers: [login] }))) taken.push(login);
    else log("GitHub does not ask a code owner for a review", { repo, number, owner: login });
  }
  const asking = teams.length === 0 ? null : await teamClient(access, repo, log);
  for (const team of asking === null ? [] : teams) {
    const slug = team.split("/")[1] ?? "";
    if (await ask(() => asking?.rest.pulls.requestReviewers({ ...at, team_reviewers: [slug] }))) taken.push(team);
    else log("GitHub does not ask a team for a review", { repo, number, owner: team });
  }
  return taken;
}

const lower = (text: string): string => text.toLowerCase();

async function ownersOfPull(
  api: Api,
  at: { owner: string; repo: string; pull_number: number },
  log: Log,
): Promise<Owners> {
  const { data: pull } = await api.rest.pulls.get(at);
  const file = await codeowners(api, at, pull.base.sha);
  const read = file === null ? null : readCodeOwners(file.text, file.path);
  if (read !== null && !read.ok) {
    const problems = read.problems.map((one) => `${one.at} ${one.message}`);
    log("nobody is asked for a review: the code owners cannot be read", { repo: `${at.owner}/${at.repo}`, problems });
  }
  if (!read?.ok) return { people: [], teams: [] };
  const files = await api.paginate(api.rest.pulls.listFiles, { ...at, per_page: 100 });
  const paths = files.flatMap((one) => [one.filename, ...(one.previous_filename ? [one.previous_filename] : [])]);
  const owners = [...new Set(paths.flatMap((path) => read.ownersOf(path)))].sort().map(ownerOf);
  const people = owners.flatMap((owner) => (owner !== null && "github_user" in owner ? [owner.github_user] : []));
  return {
    people: people.filter((login) => lower(login) !== lower(pull.user?.login ?? "")),
    teams: owners.flatMap((owner) => (owner !== null && "github_team" in owner ? [owner.github_team] : [])),
  };
}

/** The first file that is there is the only one that counts. */
async function codeowners(
  api: Api,
  { owner, repo }: { owner: string; repo: string },
  ref: string,
): Promise<{ path: string; text: string } | null> {
  for (const path of CODEOWNERS_FILES) {
    try {
      const { data } = await api.rest.repos.getContent({ owner, repo, path, ref });
      if (Array.isArray(data) || data.type !== "file") continue;
      return { path, text: Buffer.from(data.content, "base64").toString("utf8") };
    } catch (error) {
      if (failureOf(error)?.status !== 404) throw error;
    }
  }
  return null;
}

/** `false`: GitHub does not take this one, who may be no collaborator. */
async function ask(act: () => Promise<unknown> | undefined): Promise<boolean> {
  try {
    await told("to ask for a review", async () => await act());
    return true;
  } catch (error) {
    if (error instanceof RepoHostError && error.code !== "unavailable") return false;
    throw error;
  }
}

/** `null`: the App may not read the organisation's members, without which GitHub knows no team. */
async function teamClient(access: Access, repo: string, log: Log): Promise<Api | null> {
  try {
    return await access.client(repo, TEAM_REVIEW);
  } catch (error) {
    if (!(error instanceof RepoHostError) || error.code !== "denied") throw error;
    log("no team is asked for a review: the GitHub App lacks the permission Members: read", { repo });
    return null;
  }
}
