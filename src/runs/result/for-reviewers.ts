import { type CheckReport, RepoHostError } from "#ports/repo-host.ts";
import type { Core } from "#runs/core.ts";
import { allow, decided, unrecorded } from "#runs/decision/allow.ts";
import type { CheckFacts, RunFacts } from "#runs/facts.ts";
import { record } from "#runs/record/record.ts";
import type { Run } from "#runs/run.ts";

/**
 * The forge has what our checks found on the commit, once. Told again after a crash it is the same: the host replaces what
 * we had told it, by name.
 */
export async function checksReported(core: Core, run: Run, headOid: string, { checks }: RunFacts): Promise<void> {
  const { repo } = run;
  const key = `checks:${run.id}:${headOid}`;
  if ((await core.stores.effects.intend(key, run)).state === "done") return;
  const reports = checks.map(reportOf);
  const names = reports.map(({ name }) => name);
  await core.repoHost.reportChecks(repo, headOid, reports);
  await core.store.tx(async (tx) => {
    await core.stores.effects.done(tx, key, run, { names });
    await record(core, tx, run.id, run.epoch, [{ kind: "checks.reported", repo, oid: headOid, names }]);
  });
}

const CONCLUSIONS: Record<NonNullable<CheckFacts["verdict"]>, CheckReport["conclusion"]> = {
  green: "success",
  fixed: "success",
  broke: "failure",
  already_red: "neutral",
  flaky: "neutral",
  not_run: "skipped",
};

const reportOf = ({ name, verdict, command }: CheckFacts): CheckReport => ({
  name,
  conclusion: verdict === null ? "neutral" : CONCLUSIONS[verdict],
  summary: command,
});

/** Whom the repository names for these paths is asked, once. Who is asked already is not asked again by the host. */
export async function reviewAsked(core: Core, run: Run, headOid: string, number: number): Promise<void> {
  const { repo } = run;
  const key = `review:${run.id}:${headOid}`;
  if ((await core.stores.effects.intend(key, run)).state === "done") return;
  const of = await unlessRefused(core, run, async () => [...(await core.repoHost.requestReview(repo, number))]);
  if (of === null) return;
  await core.store.tx(async (tx) => {
    await core.stores.effects.done(tx, key, run, { of });
    await record(core, tx, run.id, run.epoch, of.length === 0 ? [] : [{ kind: "review.asked", repo, number, of }]);
  });
}

/** What only helps the reviewer: a host that refuses it changes nothing about the result. `null`: it did. */
async function unlessRefused<T>(core: Core, run: Run, act: () => Promise<T>): Promise<T | null> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof RepoHostError) || error.code === "unavailable") throw error;
    core.log("the forge refuses what a pull request goes without", { run: run.number, error: error.message });
    return null;
  }
}

/** A run ends at a draft. Where policy says that it need be none, it leaves draft once every check is green. */
export async function leftDraft(core: Core, run: Run, number: number, facts: RunFacts): Promise<void> {
  const green = facts.checks.every(({ verdict }) => verdict === "green" || verdict === "fixed");
  if (facts.checks.length === 0 || !green) return;
  const decision = await allow(core, run, [{ subject: "action", action: "pr.open", draft: false }]);
  const key = `ready:${run.id}`;
  const told = decided("publish", "leaving draft", decision);
  if (decision.outcome !== "allow") return saidNo(core, run, key, told);
  if ((await core.stores.effects.intend(key, run)).state === "done") return;
  const left = await unlessRefused(core, run, () => core.repoHost.markReady(run.repo, number).then(() => true));
  if (left === null) return;
  await core.store.tx(async (tx) => {
    await core.stores.effects.done(tx, key, run, { number });
    await record(core, tx, run.id, run.epoch, [
      ...(await unrecorded(core, tx, key, told)),
      { kind: "pull_request.ready", repo: run.repo, number },
    ]);
  });
}

/** That nothing was written about leaving draft is no news: a run ends at one. What a rule says about it is. */
async function saidNo(core: Core, run: Run, act: string, told: ReturnType<typeof decided>): Promise<void> {
  if (told.rules.length === 0) return;
  await core.store.tx(async (tx) => {
    await record(core, tx, run.id, run.epoch, await unrecorded(core, tx, act, told));
  });
}
