import type { Check } from "#policy/scope.ts";
import type { Core } from "#runs/core.ts";
import type { CHECK_VERDICTS, EventBody } from "#runs/event.ts";
import { reachEnv, shell } from "#runs/reach.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { checkout } from "#runs/sandbox/prepare.ts";
import { nameOf, type Refused, refusalsOf } from "#runs/sandbox/refused.ts";
import { release, sandboxFor } from "#runs/sandbox/sandbox.ts";
import { setUp } from "#runs/sandbox/set-up.ts";
import { judgeCheck } from "./checks.ts";

const OUTPUT_KEPT = 16_000;

/** A check, run on base and head, and what it says of the change. */
export interface Judged {
  readonly check: Check;
  readonly verdict: (typeof CHECK_VERDICTS)[number];
  readonly output: string;
  readonly ranOnBase: boolean;
  readonly ranOnHead: boolean;
  /** Hosts that it was kept from when it was last red or could not be run, but for those it passes without. */
  readonly blocked: readonly Refused[];
}

/** Runs each check on base, on head, and once more where head alone is red. Throws when a sandbox is gone or cannot be had. */
export async function runChecks(
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
    const after = head[index]?.exitCode ?? null;
    return base[index]?.exitCode === 0 && after !== null && after !== 0;
  });
  const again = doubtful.length === 0 ? [] : await onCommit(core, run, "head_again", headOid, doubtful, signal);
  const results: Judged[] = [];
  for (const [index, check] of checks.entries()) {
    const before = base[index] ?? NOT_RUN;
    const after = head[index] ?? NOT_RUN;
    const rerun = again[doubtful.indexOf(check)] ?? null;
    const verdict = judgeCheck(before.exitCode, after.exitCode, rerun?.exitCode ?? null);
    results.push({
      check,
      verdict,
      output: after.output,
      ranOnBase: before.exitCode !== null,
      ranOnHead: after.exitCode !== null,
      blocked: blockedIn(before, rerun ?? after),
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
  /** `null`: it could not be run to its end. */
  readonly exitCode: number | null;
  readonly output: string;
  readonly refused: readonly Refused[];
}

const NOT_RUN: Ran = { exitCode: null, output: "", refused: [] };

/**
 * What a red check may be red for. A host that it was refused on base too, and was green, is no reason: it does without.
 */
function blockedIn(before: Ran, last: Ran): readonly Refused[] {
  if (before.exitCode === null) return distinct([...before.refused, ...last.refused]);
  const needless = before.exitCode === 0 ? before.refused.map(nameOf) : [];
  return last.refused.filter((one) => !needless.includes(nameOf(one)));
}

const distinct = (refused: readonly Refused[]): Refused[] => [
  ...new Map(refused.map((one) => [nameOf(one), one])).values(),
];

/**
 * One commit in a sandbox of its own: setup, then each check. Of what another commit, or an earlier try at this one, left
 * behind there is nothing: a check could tell by it that it has run before.
 */
async function onCommit(
  core: Core,
  run: Run,
  on: "base" | "head" | "head_again",
  oid: string,
  checks: readonly Check[],
  signal: AbortSignal,
): Promise<Ran[]> {
  await release(core, run, run.epoch, "check");
  const { sandbox, token, env: own } = await sandboxFor(core, run, "check", "plain");
  const env = { ...reachEnv(sandbox, token), ...own };
  const failed = await checkout(sandbox, run.repo, run.branch, signal, oid);
  if (failed !== null) throw new Error(`the checks' clone of ${oid} failed: ${failed}`);
  const refused = refusalsOf(core, run.id, sandbox.key);
  const setup = await setUp(core, run, sandbox, env, signal);
  await core.store.tx((tx) => record(core, tx, run.id, run.epoch, setup.events));
  // Also when it succeeded: what it was refused is not laid to the first check.
  const bySetup = await refused(signal);
  if (setup.broken !== null) return checks.map(() => ({ ...NOT_RUN, refused: bySetup }));
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
    // Red for want of setup it says nothing of the repository, and a head that is red too would be "already red".
    const wanting = on === "base" && !setup.whole && event.exitCode !== 0;
    const exitCode = wanting ? null : event.exitCode;
    results.push({ exitCode, output: event.output, refused: await refused(signal) });
  }
  return results;
}
