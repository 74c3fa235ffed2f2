import type { PolicyObject } from "#policy/decision.ts";
import type { Changes } from "#ports/gateway.ts";
import type { Tx } from "#ports/store.ts";
import { heldForLinks } from "#runs/account/linked.ts";
import { answeredAtStart, answers } from "#runs/approval/answers.ts";
import { open } from "#runs/approval/ask.ts";
import { heldForDecision, membersOrHold } from "#runs/approval/hold.ts";
import { looksAt } from "#runs/approval/remind.ts";
import { stands } from "#runs/approval/yes.ts";
import { bind, publishSubject } from "#runs/bind.ts";
import { boundNow, sameAct, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { type Answer, allow, decided, unrecorded } from "#runs/decision/allow.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { factsOf } from "#runs/record/look.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import type { Run } from "#runs/run.ts";

/** Under this an effect says that the commit was pushed to the forge. */
export const pushKey = (run: Run, headOid: string): string => `push:${run.id}:${headOid}`;

/** Above every bound that a rule can name ("> 10MB"); a longer patch counts as this long. */
const PATCH_BYTES = 16_000_000;

/** How much the run changes: the difference between its base and its head, binary files by their patch only. */
function sizeOf(run: Run, { files, patch, truncated }: Changes): PolicyObject {
  const lines = files.reduce((sum, { additions, deletions }) => sum + (additions ?? 0) + (deletions ?? 0), 0);
  const bytes = truncated ? PATCH_BYTES : Buffer.byteLength(patch);
  return { subject: "git.size", repo: run.repo, files: files.length, lines, bytes };
}

const NAMED = 5;

/** The paths in one line; all of them are in the request that is recorded with the decision. */
function named(paths: readonly string[]): string {
  const more = paths.length - NAMED;
  return paths.length === 0 ? "no files" : `${paths.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Whether people have its pull request already: what is pushed now changes what they look at. */
const wasInReview = async (core: Core, run: Run): Promise<boolean> =>
  (await factsOf(core, run.id)).moves.some(({ to }) => to === "in_review");

/**
 * What policy says of the result and of where it goes. Its repository and its branch were decided when the run began, and may
 * be denied by now; a question about them that people said yes to then is not put again.
 */
async function decisionOn(core: Core, run: Run, result: readonly PolicyObject[]): Promise<Answer> {
  const { repo, branch } = run;
  const place: readonly PolicyObject[] = [
    { subject: "git.repo", repo },
    { subject: "git.branch", repo, branch },
  ];
  const there = await allow(core, run, place);
  const answered = there.outcome === "ask" && (await answeredAtStart(core, run, there));
  return allow(core, run, answered ? result : [...place, ...result]);
}

/** Whether it may be published now; otherwise the run has been moved to wait or to a handoff, or is held. */
export async function mayPublish(core: Core, run: Run, baseOid: string, headOid: string): Promise<boolean> {
  const effects = await core.stores.effects.ofRun(run.id);
  const begun = effects.some(({ key }) => key === pushKey(run, headOid));
  if (!begun && (await heldForLinks(core, run))) return false;
  const changes = await core.gateway.changes(run.id, baseOid, headOid, PATCH_BYTES);
  // Beside the difference itself, what any single commit touched: a path that was changed and changed back still counts.
  const paths = [...new Set([...changes.files.map((file) => file.path), ...changes.asks.map((ask) => ask.path)])];
  const decision = await decisionOn(core, run, [
    (await wasInReview(core, run))
      ? { subject: "action", action: "pr.update" }
      : { subject: "action", action: "pr.open", draft: true },
    sizeOf(run, changes),
    ...paths.map((path) => ({ subject: "git.path" as const, repo: run.repo, path })),
  ]);
  const told = decided("publish", named(paths), decision);
  if (decision.outcome === "deny") {
    if (await heldForDecision(core, run, decision)) return false;
    await handOff(
      core,
      run,
      {
        fault: "policy",
        tried: run.text,
        failed: `Policy does not let this be published: ${decision.rules.map((rule) => `${rule.text} (${rule.at})`).join("; ") || decision.reason}.`,
        next: "Ask for something within the team's paths, or ask the policy's owners to change the rule.",
      },
      [told],
    );
    return false;
  }
  const recorded = (tx: Tx) => unrecorded(core, tx, pushKey(run, headOid), told);
  if (decision.outcome === "allow") {
    await core.store.tx(async (tx) => {
      await record(core, tx, run.id, run.epoch, await recorded(tx));
    });
    return true;
  }
  const subject = withBound(publishSubject(run, headOid, paths), boundNow(core, run, decision));
  const digest = bind("publish", run, subject);
  const said = (await core.stores.approvals.ofRun(run.id)).filter(
    (one) => one.gate === "publish" && sameAct(one.subject, subject),
  );
  const latest = said.at(-1);
  if (latest?.status === "approved" && (await answers(core, run, latest, decision))) {
    // What was begun under a yes is carried to its end under it, also when the yes was for a while and that is over.
    if (begun || stands(core, latest, effects, null, decision.asks)) return true;
  }
  // A no to what other rules asked is none to what these ask.
  if (latest?.status === "denied" && latest.digest === digest) {
    await handOff(core, run, {
      fault: "policy",
      tried: run.text,
      failed: "An approver denied publishing it.",
      next: "The run page has the diff and the reason.",
    });
    return false;
  }
  const current = core.policy();
  if (!current.ok) throw new Error(`policy cannot be read: ${current.problem}`);
  const opened = await membersOrHold(core, current.policy, run, decision.asks);
  if (opened === null) return false;
  await core.store.tx(async (tx) => {
    await record(core, tx, run.id, run.epoch, await recorded(tx));
    const approval = await open(core, tx, run, "publish", subject, digest, opened, run.epoch);
    await move(core, tx, run, "suspended", {
      why: `asks ${decision.asks.map((ask) => ask.from).join(", ")}`,
      patch: { resumeTo: "publishing", wakeAt: looksAt(approval) },
    });
  });
  core.nudge();
  return false;
}
