import { whatIsTried } from "#policy/explain/can.ts";
import { capabilitiesOfTeam } from "#policy/explain/capabilities.ts";
import { explain } from "#policy/explain/explain.ts";
import { objectsOf } from "#policy/load/cases.ts";
import { fill, recipeAsked, recipesOf, usageOf } from "#policy/load/recipes.ts";
import { repositoriesOf } from "#policy/policy.ts";
import type { Tx } from "#ports/store.ts";
import { ofAccounts } from "#runs/account/link.ts";
import { notLinked, speakerUnlinked } from "#runs/account/linked.ts";
import { open, untouched } from "#runs/approval/ask.ts";
import { looksAt } from "#runs/approval/remind.ts";
import { addedBy, bind } from "#runs/bind.ts";
import { asPut, boundNow, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import type { Heard } from "#runs/heard.ts";
import { hasCode } from "#runs/link-code.ts";
import { refusedOf, titled } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Refusal } from "#runs/refusal.ts";
import type { Run } from "#runs/run.ts";
import { regrantRun } from "#runs/sandbox/regrant.ts";
import { parse, taskOf } from "#runs/say.ts";
import { isFinal } from "#runs/state.ts";
import type { View } from "#runs/view.ts";
import { delegate } from "./delegate.ts";
import { offer } from "./offer.ts";
import { choices, request } from "./request.ts";
import { type Standing, standing } from "./standing.ts";
import { stop } from "./stop.ts";
import { turnAway } from "./turned-away.ts";
import { whyHere, whyRun } from "./why.ts";

export type { Heard } from "#runs/heard.ts";

/**
 * Acts on one message. What everyone should see comes through the outbox; what is returned is for this person alone.
 * Idempotent by `requestKey`. `chosen`: the team that this person has chosen for a direct message. Throws only what is a
 * bug or an outage of our own store: the inbox tries again.
 */
export async function hear(core: Core, heard: Heard, chosen: string | null = null): Promise<View | null> {
  // Whatever stands beside it: whoever reads it could use it.
  if (hasCode(heard.text)) return { kind: "refused", refusal: { code: "code_here" } };
  const said = heard.asTask ? taskOf(heard.text) : parse(heard.text);
  if (said.kind === "accounts") return ofAccounts(core, heard, said.what, said.place);
  if (said.kind === "delegate") return handOver(core, heard, said.to);
  const there = heard.first ? null : await core.stores.runs.byPlace(heard.place);
  const here = await standing(core, heard, chosen ?? there?.team ?? null);
  if ("refused" in here) {
    await turnAway(core, heard, null, here.refused);
    return { kind: "refused", refusal: here.refused };
  }
  if ("choose" in here) return offer(core, heard, here.choose);
  const view = await answer(core, heard, said, here, there);
  if (view?.kind === "refused") await turnAway(core, heard, here.team, view.refusal);
  return view;
}

type Said = Exclude<ReturnType<typeof parse>, { kind: "accounts" | "delegate" }>;

/** To somebody who may speak to us here. `there`: the run of this conversation, whichever team it is of. */
async function answer(core: Core, heard: Heard, said: Said, here: Standing, there: Run | null): Promise<View | null> {
  // A channel may have been given to another team since: the first one's runs do not go with it.
  const run = there?.team === here.team ? there : null;
  switch (said.kind) {
    case "help":
      return help(core, here);
    case "mine": {
      const person = await core.store.tx((tx) =>
        core.stores.people.resolve(tx, core.orgId, heard.account, heard.account.name),
      );
      const runs = await core.stores.runs.byRequester(core.orgId, person.id, 10);
      return {
        kind: "list",
        whose: person.name,
        runs: runs.map((one) => ({ ...titled(core, one), state: one.state, text: one.text })),
      };
    }
    case "status":
      return run
        ? { kind: "list", whose: here.team, runs: [{ ...titled(core, run), state: run.state, text: run.text }] }
        : recent(core, here);
    case "why": {
      const why = run ? await whyRun(core, run, said.about) : whyHere(core, here);
      // "why not" is about no subject of the run: then it is asked about all of them.
      return run && why === null ? whyRun(core, run, null) : why;
    }
    case "policy":
      return policyOf(core, here);
    case "can":
      return dryRun(core, here, said.text);
    case "stop":
      if (!there) return { kind: "refused", refusal: { code: "no_run_here" } };
      return stop(core, { runId: there.id, account: heard.account, place: heard.place });
    case "task": {
      const recipe = heard.asTask ? "no recipe" : await fromRecipe(core, heard, here, said.fresh);
      if (recipe !== "no recipe") return recipe;
      const before = said.fresh ? null : run;
      const noted = before ? await followUp(core, heard, before, said.text) : null;
      if (noted) return noted;
      const made = await request(core, heard, here, said, before?.id ?? null);
      return "refused" in made ? { kind: "refused", refusal: made.refused } : null;
    }
    default:
      return said satisfies never;
  }
}

/** Whoever is asked may name another, also who is in no team of this channel: what they may answer is looked at there. */
async function handOver(core: Core, { account, place, first, shared }: Heard, to: string | null): Promise<View> {
  if (shared) return { kind: "refused", refusal: { code: "shared_channel" } };
  const run = first ? null : await core.stores.runs.byPlace(place);
  return run === null
    ? { kind: "refused", refusal: { code: "no_run_here" } }
    : delegate(core, { run, account, to, place });
}

async function help(core: Core, here: Standing): Promise<View> {
  const recipes = recipesOf(here.policy, here.team).map((one) => ({
    title: one.title,
    usage: usageOf(one),
    at: one.ref.at,
  }));
  return { kind: "help", team: here.team, repos: await choices(core, here), examples: [], recipes };
}

/** A named prompt of the team, with its fields filled in: always a run of its own. */
async function fromRecipe(
  core: Core,
  heard: Heard,
  here: Standing,
  fresh: boolean,
): Promise<View | null | "no recipe"> {
  const words = fresh ? heard.text.trim().replace(/^new\s+/i, "") : heard.text;
  const asked = recipeAsked(here.policy, here.team, words);
  if (asked === null || (fresh && asked.kind === "unknown")) return "no recipe";
  const refused = (refusal: Refusal): View => ({ kind: "refused", refusal });
  if (asked.kind === "unknown") return refused({ code: "unknown_recipe", name: asked.name, near: asked.near });
  const { recipe } = asked;
  if (asked.kind === "elsewhere")
    return refused({ code: "other_teams_recipe", recipe: recipe.name, team: recipe.team });
  const filled = fill(recipe, asked.words);
  if (!filled.ok) {
    const { problems } = filled;
    return refused({ code: "recipe_fields", recipe: recipe.name, usage: usageOf(recipe), problems });
  }
  const made = await request(core, heard, here, { text: filled.prompt, repo: recipe.repo, recipe }, null);
  return "refused" in made ? refused(made.refused) : null;
}

/** What the channel's team may do, as its policy says it. */
export function policyOf(core: Core, here: Standing): View {
  const current = core.policy();
  if (!current.ok) return { kind: "refused", refusal: { code: "policy_unavailable", problem: current.problem } };
  const { commit, digest } = current.policy;
  return { kind: "policy", team: here.team, commit, digest, says: capabilitiesOfTeam(current.policy, here.team) };
}

/** The same decision that a run would meet, of the policy in force. Nothing is done and nobody is asked. */
function dryRun(core: Core, here: Standing, text: string): View {
  const current = core.policy();
  if (!current.ok) return { kind: "refused", refusal: { code: "policy_unavailable", problem: current.problem } };
  const { policy } = current;
  const tried = whatIsTried(text, repositoriesOf(policy, here.team).only);
  // Whoever wants a change pushed starts a run for it, and that may be a question of its own.
  const start = tried?.["git.push"] === undefined ? [] : [{ subject: "action", action: "run.start" } as const];
  const objects = tried === null ? [] : [...start, ...objectsOf(policy, tried)];
  const explanation = tried === null ? null : explain(policy, { team: here.team, objects });
  return { kind: "can", team: here.team, text, explanation, owners: policy.owners?.from ?? null };
}

async function recent(core: Core, here: Standing): Promise<View> {
  const runs = (await core.stores.runs.recent(core.orgId, 50)).filter((run) => run.team === here.team).slice(0, 10);
  return {
    kind: "list",
    whose: here.team,
    runs: runs.map((run) => ({ ...titled(core, run), state: run.state, text: run.text })),
  };
}

/** Whether the agent still gets a turn of its own accord: what is said later begins a run of its own. */
const takesWords = (run: Run): boolean =>
  !isFinal(run.state) &&
  run.state !== "in_review" &&
  run.state !== "publishing" &&
  !(run.state === "suspended" && run.resumeTo === "publishing");

/** Rolls back what was begun: the run has gone on while we looked at it. */
class TooLate extends Error {
  override readonly name = "TooLate";
}

/**
 * Words for the agent's next turn. Who says them becomes an author: they may not approve from here on. `null`: the run
 * has no next turn.
 */
async function followUp(core: Core, heard: Heard, run: Run, text: string): Promise<View | null> {
  const lack = takesWords(run) ? await speakerUnlinked(core, heard.account, run) : null;
  if (lack !== null) return refusedOf(core, run, notLinked(lack, "words"));
  try {
    await addWords(core, heard, run, text);
  } catch (error) {
    if (error instanceof TooLate) return null;
    throw error;
  }
  core.nudge();
  await grantAnew(core, run);
  return { kind: "noted", what: "queued", run: titled(core, run) };
}

/** What an author had said yes to is closed when they read our answer. The next turn does the same before their words begin. */
async function grantAnew(core: Core, { id }: Run): Promise<void> {
  try {
    const run = await core.stores.runs.get(id);
    if (run) await regrantRun(core, run);
  } catch (error) {
    core.log("what a live sandbox may do is looked at later", { run: id, error: String(error) });
  }
}

/** Whoever may approve was asked about less than what would now be done: the question is put again, with these words. */
async function askAnew(core: Core, tx: Tx, run: Run, words: string): Promise<void> {
  const asked = (await core.stores.approvals.pendingOf(tx, run.id)).find(({ gate }) => gate === "start");
  if (!asked) return;
  await core.stores.approvals.close(tx, asked.id, "void");
  await record(core, tx, run.id, null, [{ kind: "approval.closed", approval: asked.id, status: "void" }]);
  await tell(core, tx, run, "approval", asked.id);
  const before = Array.isArray(asked.subject.added) ? asked.subject.added : [];
  const subject = withBound({ ...asked.subject, added: [...before, words] }, boundNow(core, run, asPut(asked)));
  const asks = asked.asks.map(untouched);
  const approval = await open(core, tx, run, "start", subject, bind("start", run, subject), asks, null);
  await core.stores.runs.patch(tx, run, { wakeAt: looksAt(approval) });
}

async function addWords(core: Core, heard: Heard, run: Run, text: string): Promise<void> {
  await core.store.tx(async (tx) => {
    const fresh = await core.stores.inbox.insertDone(tx, "follow-up", heard.requestKey);
    if (!fresh) return;
    const now = await core.stores.runs.lock(tx, run.id);
    if (!now || !takesWords(now)) throw new TooLate();
    const person = await core.stores.people.resolve(tx, core.orgId, heard.account, heard.account.name);
    const joined = await core.stores.people.addAuthor(tx, run.id, person.id);
    await core.stores.turns.add(tx, { runId: run.id, cause: "follow_up", person, text });
    if (joined) await record(core, tx, run.id, null, [{ kind: "author.joined", person }]);
    if (now.state === "waiting") await askAnew(core, tx, now, addedBy(person, text));
    await tell(core, tx, run, "status");
  });
}
