import { compileScope, startRequest } from "#policy/load/compile.ts";
import { REPOSITORY_FILE, readRepositoryFile, withAdditions } from "#policy/load/repository-file.ts";
import type { Scope } from "#policy/scope.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import { heldForLinks } from "#runs/account/linked.ts";
import { open } from "#runs/approval/ask.ts";
import { heldForDecision, hold, membersOrHold } from "#runs/approval/hold.ts";
import { codeOwnersOf } from "#runs/approval/owners.ts";
import { looksAt } from "#runs/approval/remind.ts";
import { addedWords, bind, startSubject } from "#runs/bind.ts";
import { boundNow, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { allow, decided } from "#runs/decision/allow.ts";
import { asRecipe } from "#runs/decision/recipe.ts";
import { sandboxUnmet } from "#runs/decision/unmet.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import type { Run } from "#runs/run.ts";
import { monthUsedUp } from "./admit.ts";
import { denyUnmet } from "./deny.ts";

const REPOSITORY_FILE_BYTES = 64 * 1024;

/** "requested" → denied, waiting or queued: compiles what the run may touch, and asks whom policy names. */
export async function decideScope(core: Core, run: Run): Promise<void> {
  const current = core.policy();
  if (!current.ok) return hold(core, run, `Policy cannot be read: ${current.problem}`);
  const compiled = compileScope(current.policy, { team: run.team, repo: run.repo, run: run.id.slice(-8) });
  if (!compiled.ok) {
    if (await heldForDecision(core, run, compiled.decision)) return;
    await core.store.tx((tx) =>
      move(core, tx, run, "denied", {
        why: `policy: ${compiled.decision.outcome === "deny" ? compiled.decision.reason : compiled.decision.outcome}`,
        events: [decided("start", run.repo, compiled.decision)],
      }),
    );
    return core.nudge();
  }
  if (await heldForLinks(core, run)) return;
  const asked = await asRecipe(core, current.policy, run, compiled.scope);
  if ("gone" in asked) return denyUnmet(core, run, asked.gone);
  // Both said before anybody is asked for a yes that would start nothing.
  const lack = await sandboxUnmet(core, run, asked.scope.sandbox);
  if (lack !== null) return denyUnmet(core, run, lack);
  if (await monthUsedUp(core, run)) return;
  const base = await baseOf(core, run);
  if (base === null) return;
  const scope = await added(core, run, asked.scope, base.oid);
  if (scope === null || !(await owned(core, run, scope, base.oid))) return;
  const decision = await allow(core, run, startRequest(scope, run.model).objects);
  if (await heldForDecision(core, run, decision)) return;
  const patch = {
    scope,
    baseBranch: base.branch,
    baseOid: base.oid,
    deadlineAt: null,
  };
  const events = [decided("start", run.repo, decision)];
  if (decision.outcome === "deny") {
    await core.store.tx((tx) => move(core, tx, run, "denied", { why: `policy: ${decision.reason}`, events, patch }));
  } else if (decision.outcome === "allow") {
    await core.store.tx((tx) => move(core, tx, run, "queued", { why: "policy allows it", events, patch }));
  } else {
    const asks = await membersOrHold(core, current.policy, run, decision.asks);
    if (asks === null) return;
    await core.store.tx(async (tx) => {
      await record(core, tx, run.id, run.epoch, events);
      // The run is locked: who speaks from here on finds the question open and has it put anew.
      const words = addedWords(await core.stores.turns.all(run.id, tx));
      const bound = boundNow(core, { baseOid: base.oid }, decision);
      const subject = withBound(startSubject(run, scope, base.oid, words), bound);
      const approval = await open(core, tx, run, "start", subject, bind("start", run, subject), asks, run.epoch);
      await move(core, tx, run, "waiting", {
        why: `asks ${asks.map((ask) => ask.from).join(", ")}`,
        patch: { ...patch, wakeAt: looksAt(approval) },
      });
    });
  }
  core.nudge();
}

/** What the repository itself says to run, at the base commit, where no run has written it. It can only add. */
async function added(core: Core, run: Run, scope: Scope, baseOid: string): Promise<Scope | null> {
  const text = await core.gateway.file(run.repo, baseOid, REPOSITORY_FILE, REPOSITORY_FILE_BYTES);
  if (text === null) return scope;
  const read = readRepositoryFile(text);
  if (read.ok) return withAdditions(scope, read);
  await handOff(core, run, {
    fault: "code",
    tried: `to read what ${run.repo} says to run on it`,
    failed: read.problems.map(({ at, message }) => `${at} ${message}`).join("; "),
    next: `Mend ${REPOSITORY_FILE} on ${run.repo}'s default branch, then ask again.`,
  });
  return null;
}

/**
 * Whether the code owners whom policy may ask can be read out of the repository; the run is handed off when not. Said before
 * any work is done: what was written into the file at its base no run can mend.
 */
async function owned(core: Core, run: Run, scope: Scope, baseOid: string): Promise<boolean> {
  if (!scope.paths.some(({ from }) => from === "codeowners")) return true;
  const read = await codeOwnersOf(core, { repo: run.repo, baseOid });
  if (read === null || read.ok) return true;
  await handOff(core, run, {
    fault: "code",
    tried: `to read who owns the code of ${run.repo}, whom policy asks`,
    failed: read.problems.map(({ at, message }) => `${at} ${message}`).join("; "),
    next: `Mend the file on ${run.repo}'s default branch, then ask again.`,
  });
  return false;
}

/** The commit the work starts from; hands the run off and returns `null` when there is none to be had. */
async function baseOf(core: Core, run: Run): Promise<{ branch: string; oid: string } | null> {
  try {
    const repository = await core.repoHost.repository(run.repo);
    if (!repository) throw new RepoHostError("not_found", `${core.repoHost.name} has no repository ${run.repo}`);
    const credential = await core.repoHost.readCredential(run.repo);
    const { oid } = await core.gateway.mirror(
      { name: run.repo, cloneUrl: repository.cloneUrl, credential },
      `refs/heads/${repository.defaultBranch}`,
    );
    return { branch: repository.defaultBranch, oid };
  } catch (error) {
    const permanent =
      (error instanceof RepoHostError && (error.code === "not_found" || error.code === "denied")) ||
      (error instanceof Error && "code" in error && error.code === "not_found");
    if (!permanent) throw error;
    await handOff(core, run, {
      fault: "environment",
      tried: `to read ${run.repo}`,
      failed: error instanceof Error ? error.message : String(error),
      next: "Check the repository's name in the team's policy and our access to it, then ask again.",
    });
    return null;
  }
}
