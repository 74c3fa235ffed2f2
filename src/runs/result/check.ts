import { cutGlob, matchesPath } from "#policy/match/glob.ts";
import type { Check } from "#policy/scope.ts";
import type { Changes } from "#ports/gateway.ts";
import type { Core } from "#runs/core.ts";
import { scopeNow } from "#runs/decision/narrow.ts";
import type { CHECK_VERDICTS, EventBody } from "#runs/event.ts";
import { reachEnv, shell } from "#runs/reach.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { checkout, setUp } from "#runs/sandbox/prepare.ts";
import { isGone, lost, release, sandboxFor } from "#runs/sandbox/sandbox.ts";
import { scan } from "#runs/scan.ts";
import { failedChecks, judgeCheck } from "./checks.ts";

/** How often failing checks go back to the agent. */
const FIX_ROUNDS = 2;
const PATCH_KEPT = 2_000_000;
const OUTPUT_KEPT = 16_000;

type Verdict = (typeof CHECK_VERDICTS)[number];

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

interface Judged {
  readonly check: Check;
  readonly verdict: Verdict;
  readonly output: string;
  readonly ranOnBase: boolean;
  readonly ranOnHead: boolean;
}

/** Somebody said more: the next turn is theirs, and what comes of it is checked as a whole. */
async function backToWork(core: Core, run: Run, baseOid: string): Promise<void> {
  await release(core, run, run.epoch, "check");
  await core.gateway.openRepository(run.id, run.repo, run.branch, baseOid);
  await core.store.tx((tx) => move(core, tx, run, "working", { why: "somebody said more" }));
  core.nudge();
}

async function runChecks(
  core: Core,
  run: Run,
  checks: readonly Check[],
  baseOid: string,
  headOid: string,
  signal: AbortSignal,
): Promise<Judged[]> {
  const base = await onCommit(core, run, "base", baseOid, checks, signal);
  const head = await onCommit(core, run, "head", headOid, checks, signal);
  const doubtful = checks.filter((_, index) => {
    const after = head[index] ?? null;
    return base[index]?.exitCode === 0 && after !== null && after.exitCode !== 0;
  });
  const again = doubtful.length === 0 ? [] : await onCommit(core, run, "head_again", headOid, doubtful, signal);
  const results: Judged[] = [];
  for (const [index, check] of checks.entries()) {
    const before = base[index] ?? null;
    const after = head[index] ?? null;
    const rerun = again[doubtful.indexOf(check)] ?? null;
    const verdict = judgeCheck(before?.exitCode ?? null, after?.exitCode ?? null, rerun?.exitCode ?? null);
    results.push({
      check,
      verdict,
      output: after?.output ?? "",
      ranOnBase: before !== null && before.exitCode !== null,
      ranOnHead: after !== null && after.exitCode !== null,
    });
    await core.store.tx((tx) =>
      record(core, tx, run.id, run.epoch, [
        { kind: "check.judged", name: check.name, required: check.required, verdict },
      ]),
    );
  }
  return results;
}

interface Ran {
  readonly exitCode: number | null;
  readonly output: string;
}

/**
 * One commit in a sandbox of its own: setup, then each check. `null` where it could not be run. Of what another commit,
 * or an earlier try at this one, left behind there is nothing: a check could tell by it that it has run before.
 */
async function onCommit(
  core: Core,
  run: Run,
  on: "base" | "head" | "head_again",
  oid: string,
  checks: readonly Check[],
  signal: AbortSignal,
): Promise<(Ran | null)[]> {
  await release(core, run, run.epoch, "check");
  const { sandbox, token, env: own } = await sandboxFor(core, run, "check", "plain");
  const env = { ...reachEnv(sandbox, token), ...own };
  const failed = await checkout(sandbox, run.repo, run.branch, signal, oid);
  if (failed !== null) throw new Error(`the checks' clone of ${oid} failed: ${failed}`);
  const setup = await setUp(sandbox, run.scope?.setup ?? [], env, signal);
  await core.store.tx((tx) => record(core, tx, run.id, run.epoch, setup.events));
  if (setup.broken !== null) return checks.map(() => null);
  const results: Ran[] = [];
  for (const check of checks) {
    const ran = await sandbox.exec(shell(check.command, { ...env, CI: "true" }), {
      timeoutMs: check.timeoutMs,
      signal,
    });
    const output = (ran.stdout + ran.stderr).slice(-OUTPUT_KEPT);
    const event: EventBody = {
      kind: "check.ran",
      name: check.name,
      command: check.command,
      on,
      oid,
      exitCode: ran.timedOut ? null : ran.exitCode,
      ms: ran.durationMs,
      output: ran.timedOut ? `${output}\n(stopped after ${check.timeoutMs / 1000} s)` : output,
    };
    await core.store.tx(async (tx) => {
      await record(core, tx, run.id, run.epoch, [event]);
      await tell(core, tx, run, "status");
    });
    core.nudge();
    results.push({ exitCode: event.exitCode, output: event.output });
  }
  return results;
}
