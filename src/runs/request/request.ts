import { matchesAnyText } from "#policy/match/glob.ts";
import { type Recipe, repositoriesOf } from "#policy/policy.ts";
import type { Core } from "#runs/core.ts";
import { keepPolicy } from "#runs/decision/policy-kept.ts";
import type { Heard } from "#runs/heard.ts";
import { newId } from "#runs/ids.ts";
import { mirrorFor } from "#runs/mirror.ts";
import { record } from "#runs/record/record.ts";
import { tellInHand } from "#runs/record/tell.ts";
import type { Refusal } from "#runs/refusal.ts";
import type { RunId } from "#runs/run.ts";
import { isFinal } from "#runs/state.ts";
import type { Standing } from "./standing.ts";

type Requested = { readonly created: boolean } | { readonly refused: Refusal };

/**
 * Explicit, else named in the text, else the team's only one; never a silent guess. `repos`: what the team may ask
 * about. `others`: what other teams may; naming one of those and none of ours is asking in the wrong place.
 */
export function chooseRepository(
  repos: readonly string[],
  others: readonly string[],
  explicit: string | null,
  text: string,
): { readonly repo: string; readonly because: string } | { readonly refused: Refusal } {
  if (explicit !== null) {
    return repos.includes(explicit)
      ? { repo: explicit, because: `the request names ${explicit}` }
      : { refused: { code: "unknown_repository", repo: explicit, choices: repos } };
  }
  const says = (repo: string) => new RegExp(`(^|[^\\w/.-])${repo.replaceAll(".", "\\.")}($|[^\\w/-])`).test(text);
  const named = repos.filter(says);
  if (named.length === 1 && named[0] !== undefined) return { repo: named[0], because: `the request names ${named[0]}` };
  const foreign = named.length === 0 ? others.find(says) : undefined;
  if (foreign !== undefined) return { refused: { code: "unknown_repository", repo: foreign, choices: repos } };
  if (repos.length === 1 && repos[0] !== undefined)
    return { repo: repos[0], because: `${repos[0]} is the team's only repository` };
  return { refused: { code: "no_repository", choices: repos } };
}

/**
 * Makes a run out of a request. The same request twice is one run; `created` says which call made it. `beside`: the run
 * of this thread that could not take the words any more; the new one says so.
 */
export async function request(
  core: Core,
  heard: Heard,
  here: Standing,
  task: { text: string; repo: string | null; recipe?: Recipe },
  beside: RunId | null,
): Promise<Requested> {
  const { recipe } = task;
  const mirrored = mirrorFor(here.policy, here.team, heard);
  if ("refused" in mirrored) return mirrored;
  const found = recipe === undefined ? await chosen(core, here, task) : ofRecipe(recipe);
  if ("refused" in found) return found;
  const id = newId(core.clock.now());
  const because = `${here.because}; ${found.because}`;
  const other = beside === null ? null : await core.stores.runs.get(beside);
  const made = await core.store.tx(async (tx) => {
    const person = await core.stores.people.resolve(tx, core.orgId, heard.account, heard.account.name);
    const run = await core.stores.runs.insert(tx, {
      id,
      orgId: core.orgId,
      requestKey: heard.requestKey,
      team: here.team,
      repo: found.repo,
      branch: here.policy.branch.replace("{run}", id.slice(-8)),
      requester: person,
      text: task.text,
      place: heard.place,
      mirror: mirrored.mirror,
      ticket: heard.ticket ?? null,
      because,
      agent: core.defaultAgent.id,
      model: core.defaultAgent.model,
      policyDigest: here.policy.digest,
    });
    if (!run) return null;
    await keepPolicy(core, tx, here.policy);
    await core.stores.people.addAuthor(tx, id, person.id);
    const events = await record(core, tx, id, null, [
      {
        kind: "run.requested",
        by: person,
        text: task.text,
        surface: heard.place.provider,
        channel: heard.place.channel,
        thread: heard.place.thread,
        ...(heard.ticket === undefined ? {} : { ticket: { ...heard.ticket } }),
        team: here.team,
        repo: found.repo,
        because,
        policy: { ...policyRepo(core), commit: here.policy.commit, digest: here.policy.digest },
        agent: run.agent,
        model: run.model,
        ...(recipe === undefined ? {} : { recipe: { name: recipe.name, title: recipe.title, at: recipe.ref.at } }),
      },
      ...(other === null || isFinal(other.state)
        ? []
        : [
            {
              kind: "run.beside" as const,
              number: other.number,
              repo: other.repo,
              pull: other.pullRequest?.number ?? null,
            },
          ]),
    ]);
    await core.stores.turns.add(tx, { runId: id, cause: "request", person, text: task.text });
    const row = await tellInHand(core, tx, run);
    await core.engine.wake(tx, id, "tick");
    return { run, events, row };
  });
  if (made !== null && made.row !== null) core.hand?.({ ...made, row: made.row });
  if (made?.row == null || made.run.mirror !== null) core.nudge();
  return { created: made !== null };
}

/** The repository that the policy comes from, or that its folder is a checkout of. */
function policyRepo(core: Pick<Core, "policy">): { readonly repo?: string } {
  const current = core.policy();
  const [repo] = (current.ok ? current.site?.policyRepos : undefined) ?? [];
  return repo === undefined ? {} : { repo };
}

type Chosen = ReturnType<typeof chooseRepository>;

async function chosen(core: Core, here: Standing, task: { text: string; repo: string | null }): Promise<Chosen> {
  const repos = await choices(core, here);
  const others = Object.keys(here.policy.teams)
    .flatMap((team) => repositoriesOf(here.policy, team).globs)
    .filter((glob) => !glob.includes("*") && !repos.includes(glob));
  return chooseRepository(repos, others, task.repo, task.text);
}

/** Its one repository: policy has proven that the team is granted it. */
const ofRecipe = ({ name, repo, ref }: Recipe): Chosen => ({
  repo,
  because: `the recipe ${name} (${ref.at}) is for ${repo}`,
});

/** The repositories a team may ask about: those policy names, and those of the host that its patterns match. */
export async function choices(
  core: Pick<Core, "repoHost">,
  here: Pick<Standing, "policy" | "team">,
): Promise<readonly string[]> {
  const { globs } = repositoriesOf(here.policy, here.team);
  const named = globs.filter((glob) => !glob.includes("*"));
  if (named.length === globs.length) return named;
  const hosted = (await core.repoHost.repositories()).map((repository) => repository.name);
  return [...new Set([...named, ...hosted.filter((name) => matchesAnyText(globs, name))])].sort();
}
