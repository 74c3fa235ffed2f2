import { cutGlob, matchesPath } from "#policy/match/glob.ts";
import type { Check } from "#policy/scope.ts";
import type { Changes } from "#ports/gateway.ts";
import type { Core } from "#runs/core.ts";
import { scopeNow } from "#runs/decision/narrow.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { isGone, lost, release } from "#runs/sandbox/sandbox.ts";
import { scan } from "#runs/scan.ts";
import { blockedChecks, failedChecks } from "./checks.ts";
import { type Judged, runChecks } from "./run-checks.ts";

/** How often failing checks go back to the agent. */
const FIX_ROUNDS = 2;
const PATCH_KEPT = 2_000_000;

/**
 * "checking": the push door is closed and the commit is recorded; the commands of policy run on base and head, each in a
 * fresh sandbox without secrets; the diff is scanned. Everything from here on binds that commit.
 */
export async function check(core: Core, run: Run, signal: AbortSignal): Promise<void> {
  const { baseOid } = run;
  if (run.scope === null || baseOid === null) throw new Error(`run ${run.id} cannot be checked`);
  if ((await core.stores.turns.current(run.id)) !== null) return backToWork(core, run, baseOid);
  const { oid } = await core.gateway.closePush(run.id);
  if (oid === null || oid === baseOid) {
    return handOff(core, run, {
      fault: "environment",
      tried: run.text,
      failed: "What was committed in the sandbox did not arrive on the run's branch.",
      next: "Ask again, saying to leave git's remotes and configuration as they are.",
    });
  }
  const changes = await core.gateway.changes(run.id, baseOid, oid, PATCH_KEPT);
  const findings = scan(changes);
  const bound = await core.store.tx(async (tx) => {
    await record(core, tx, run.id, run.epoch, [
      { kind: "work.committed", base: baseOid, head: oid, files: changes.files.map((file) => ({ ...file })) },
      ...findings,
    ]);
    await tell(core, tx, run, "status");
    return core.stores.runs.patch(tx, run, { headOid: oid });
  });
  core.nudge();
  const blocking = findings.flatMap((event) =>
    event.kind === "scan.ran" ? event.findings.filter((one) => one.blocks) : [],
  );
  if (blocking.length > 0) {
    return handOff(core, bound, {
      fault: "policy",
      tried: run.text,
      failed: `The diff holds what must not leave: ${blocking.map((one) => `${one.what} in ${one.path}`).join("; ")}.`,
      next: "Ask again, saying to keep credentials out of the files.",
    });
  }
  let verdicts: readonly Judged[];
  try {
    const due = scopeNow(core, run).checks.filter((one) => concerns(one, changes));
    verdicts = due.length === 0 ? [] : await runChecks(core, bound, due, baseOid, oid, signal);
  } catch (error) {
    if (!isGone(error)) throw error;
    const row = (await core.stores.sandboxes.ofRun(run.id)).find(
      (one) => one.slot === "check" && one.state === "ready",
    );
    if (row) await lost(core, bound, row, "the checks' sandbox was lost");
    await core.store.tx((tx) => core.engine.wake(tx, run.id, "agent"));
    return;
  }
  const broken = verdicts.filter(
    ({ check: { required }, verdict }) => required && (verdict === "broke" || verdict === "not_run"),
  );
  if (broken.length === 0) {
    await core.store.tx(async (tx) => {
      await core.stores.runs.lock(tx, run.id);
      // Somebody spoke while the checks ran: look again, and go back to work.
      if (await core.stores.turns.open(tx, run.id)) return core.engine.wake(tx, run.id, "agent");
      await move(core, tx, bound, "publishing");
    });
    // Publishing begins with the end of every sandbox of the run: this one is not waited for here.
    return core.nudge();
  }
  await release(core, bound, bound.epoch, "check");
  if (broken.some(({ blocked }) => blocked.length > 0)) {
    const red = broken.map(({ check: { name }, verdict, blocked }) => ({ name, verdict, blocked }));
    return handOff(core, bound, blockedChecks(bound, red, bound.fixRounds + 1));
  }
  const nowhere = broken.filter(({ verdict, ranOnBase }) => verdict === "not_run" && !ranOnBase);
  if (nowhere.length > 0) {
    return handOff(core, bound, {
      fault: "environment",
      tried: `to run ${nowhere.map((one) => `"${one.check.name}"`).join(", ")}`,
      failed: nowhere.some((one) => one.ranOnHead)
        ? "It could not be run on the unchanged repository, so nobody can say whether it fails because of the change."
        : "It could not be run on the unchanged repository either.",
      next: "Mend the setup commands or the check's timeout in the team's policy, or what they need from the network.",
    });
  }
  if (bound.fixRounds < FIX_ROUNDS) {
    await core.gateway.openRepository(run.id, run.repo, run.branch, baseOid);
    const words = broken.map(
      ({ check: { name, command }, verdict, output }) =>
        `${name} (\`${command}\`) ${verdict === "broke" ? "passed before your change and fails now" : "ran before your change and cannot be run now"}:\n${output.slice(-4_000)}`,
    );
    await core.store.tx(async (tx) => {
      await core.stores.turns.add(tx, { runId: run.id, cause: "checks", person: null, text: words.join("\n\n") });
      await move(core, tx, bound, "working", {
        why: `${broken.map((one) => one.check.name).join(", ")} failed`,
        patch: { fixRounds: bound.fixRounds + 1 },
      });
    });
    return core.nudge();
  }
  await handOff(
    core,
    bound,
    failedChecks(
      bound,
      broken.map(({ check: { name }, verdict }) => ({ name, verdict })),
      bound.fixRounds + 1,
    ),
  );
}

/** A check may be about some files only: then it runs when one of them was touched. */
function concerns(check: Check, { files }: Changes): boolean {
  return (
    check.paths.length === 0 || files.some(({ path }) => check.paths.some((glob) => matchesPath(cutGlob(glob), path)))
  );
}

/** Somebody said more: the next turn is theirs, and what comes of it is checked as a whole. */
async function backToWork(core: Core, run: Run, baseOid: string): Promise<void> {
  await release(core, run, run.epoch, "check");
  await core.gateway.openRepository(run.id, run.repo, run.branch, baseOid);
  await core.store.tx((tx) => move(core, tx, run, "working", { why: "somebody said more" }));
  core.nudge();
}
