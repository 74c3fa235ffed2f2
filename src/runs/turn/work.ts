import { type Agent, type AgentDriver, AgentError } from "#ports/agent.ts";
import type { ProcessInfo, Sandbox } from "#ports/sandbox.ts";
import type { Core } from "#runs/core.ts";
import { allow, decided } from "#runs/decision/allow.ts";
import { deadlineNow } from "#runs/decision/narrow.ts";
import { lastAnswer } from "#runs/last-answer.ts";
import { allotted } from "#runs/money/allot.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { eventsOf } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import { restart } from "#runs/record/restart.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { regrantRun } from "#runs/sandbox/regrant.ts";
import { isGone, type RunSandbox, sandboxFor } from "#runs/sandbox/sandbox.ts";
import { waitsForSecrets } from "#runs/sandbox/secrets.ts";
import type { Turn } from "#runs/stores.ts";
import { outOfBudget } from "./budget.ts";
import { finish } from "./finish.ts";
import { type Followed, follow } from "./follow.ts";
import { keepWork } from "./keep-work.ts";
import { promptOf } from "./prompt.ts";
import { suspend } from "./suspend.ts";
import { outOfTime } from "./time.ts";

/**
 * "working": drives the agent turn by turn until none is queued, or until people are asked. The agent lives in the
 * sandbox; this only attaches, so that a second call after any crash goes on where the record stands.
 */
export async function work(core: Core, run: Run, signal: AbortSignal): Promise<void> {
  const driver = core.agents.get(run.agent);
  if (!driver) throw new Error(`no agent is called ${run.agent}`);
  using deadline = deadlineOf(core, run);
  // The timer of a question that is answered by now; a question that still waits sets it again.
  if (run.wakeAt !== null) await core.store.tx((tx) => core.stores.runs.patch(tx, run, { wakeAt: null }));
  const until = AbortSignal.any([signal, deadline.signal]);
  let box: RunSandbox | null = null;
  try {
    box = await sandboxFor(core, run, "agent", driver.profile.image);
    if (box.fresh) return await restart(core, run, "the sandbox was lost", "sandbox");
    await turns(core, run, driver, box, until);
  } catch (error) {
    if (signal.aborted) throw error;
    if (deadline.signal.aborted) return await outOfTime(core, run, box?.sandbox ?? null, signal);
    if (isGone(error)) return await restart(core, run, "the sandbox was lost", "sandbox");
    throw error;
  }
}

/** A turn that the agent could not do. */
const BAD_ENDS: readonly string[] = ["failed", "limit", "refused"];

async function turns(
  core: Core,
  run: Run,
  driver: AgentDriver,
  { sandbox, token, env, secrets }: RunSandbox,
  signal: AbortSignal,
): Promise<void> {
  let opened = null as { procId: string; agent: Agent } | null;
  const { expiresAt: endsAt } = await sandbox.info();
  for (;;) {
    const turn = await core.stores.turns.current(run.id);
    if (!turn) {
      // We died after it had failed and before that was dealt with.
      const last = (await core.stores.turns.all(run.id)).at(-1);
      if (last !== undefined && BAD_ENDS.includes(last.end ?? "")) {
        return failed(
          core,
          run,
          sandbox,
          opened?.agent ?? null,
          last,
          { end: last.end ?? "failed", detail: null },
          signal,
        );
      }
      return finish(core, run, sandbox, opened?.agent ?? null, signal);
    }
    if (turn.state === "queued" && turn.cause === "follow_up") {
      // Who speaks is an author from then on: what they had said yes to is asked of others before their words reach the agent.
      const pack = () => keepWork(core, { sandbox, agent: opened?.agent ?? null }, run, signal);
      if (await waitsForSecrets(core, run, pack)) return;
      await regrantRun(core, run);
    }
    const processes = await sandbox.processes();
    const procId = procFor(processes, turn, run);
    const gone = processes.some((one) => one.procId === procId && one.state === "exited");
    let outcome: Followed;
    try {
      if (opened?.procId !== procId) {
        const restore = driver.profile.restore === "none" ? null : await lastSession(core, run);
        const agent: Agent = await driver.open(sandbox, { procId, token, env, model: run.model, restore, signal });
        opened = { procId, agent };
      }
      if (turn.state === "queued") await begin(core, run, turn);
      await opened.agent.prompt(`turn-${turn.n}`, promptOf(run, turn, secrets));
      const name = `agent:${run.id}:${sandbox.key}:${procId}`;
      outcome = await follow(core, run, { agent: opened.agent, name, gone, endsAt }, turn, signal);
    } catch (error) {
      // It ended before its session was open, or between two words of ours: the same process is of no use any more.
      if (error instanceof AgentError) return restart(core, run, error.message, "agent");
      throw error;
    }
    if (outcome.kind === "parked") return;
    if (outcome.kind !== "ended") return suspend(core, run, sandbox, opened.agent, outcome.kind, signal);
    if (outcome.end === "interrupted")
      return restart(core, run, outcome.detail ?? "the agent's process ended", "agent");
    if (BAD_ENDS.includes(outcome.end)) return failed(core, run, sandbox, opened.agent, turn, outcome, signal);
  }
}

async function begin(core: Core, run: Run, turn: Turn): Promise<void> {
  await core.store.tx(async (tx) => {
    await core.stores.turns.started(tx, run.id, turn.n);
    await record(core, tx, run.id, run.epoch, [
      { kind: "turn.started", turn: turn.n, cause: turn.cause, by: turn.person, text: turn.text },
    ]);
    await tell(core, tx, run, "status");
  });
  core.nudge();
}

/**
 * The process that has this turn: the one that lives; after a crash of ours, the one that ended while nobody looked,
 * so that its last words are read; else a new one.
 */
function procFor(processes: readonly ProcessInfo[], turn: Turn, run: Run): string {
  const wanted = `agent-${turn.n}-${run.restarts}`;
  const agents = processes.filter((one) => one.procId.startsWith("agent-"));
  return agents.find((one) => one.state === "running")?.procId ?? wanted;
}

async function lastSession(core: Core, run: Run): Promise<string | null> {
  const events = await eventsOf(core, run.id);
  const started = events.findLast((event) => event.body.kind === "agent.started");
  return started?.body.kind === "agent.started" ? started.body.session : null;
}

/** A policy that gives a run less time is met within this. */
const LOOK_MS = 1_000;

/** Aborts when the run's time is over, also when policy takes some of it while the agent is at work. */
function deadlineOf(core: Core, run: Run): Disposable & { readonly signal: AbortSignal } {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    const at = deadlineNow(core, run);
    if (at === null) throw new Error(`run ${run.id} works without a deadline`);
    const leftMs = at.getTime() - core.clock.now().getTime();
    if (leftMs <= 0) return over.abort();
    timer = setTimeout(look, Math.min(leftMs, LOOK_MS));
  };
  look();
  return { signal: over.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}

/**
 * A turn that the agent could not do. The gateway's refusal and its counters tell money from model, never the words of
 * the agent: a model may say "budget" about anything.
 */
async function failed(
  core: Core,
  run: Run,
  sandbox: Sandbox,
  agent: Agent | null,
  turn: Turn,
  { end, detail }: { readonly end: string; readonly detail: string | null },
  signal: AbortSignal,
): Promise<void> {
  await sandbox.killAll();
  const without = lastAnswer(await eventsOf(core, run.id), turn.n);
  const decision = await allow(core, run, [
    { subject: "git.repo", repo: run.repo },
    { subject: "model", model: run.model },
  ]);
  if (decision.outcome === "deny") {
    // The gateway refused its model calls, because policy does by now.
    const why = decision.rules.map(({ text, at }) => `${text} (${at})`).join("; ") || decision.reason;
    return handOff(
      core,
      run,
      {
        fault: "policy",
        tried: run.text,
        failed: `Policy no longer lets ${run.team} do this: ${why}.`,
        next: "Ask the policy's owners. What the run had saved is on its page.",
      },
      [decided("start", run.repo, decision)],
    );
  }
  const spent = await core.gateway.usage(run.id);
  const { amount } = await allotted(core, run);
  const broke = spent.usd >= amount.usd || spent.inputTokens + spent.outputTokens >= amount.tokens;
  if (broke || without?.budget === true) return outOfBudget(core, run, sandbox, agent, signal);
  await handOff(core, run, {
    fault: "model",
    tried: run.text,
    failed: detail ?? without?.why ?? `The agent ended its turn: ${end}.`,
    next: "Ask again; if it stays, look at the model calls on the run page.",
  });
}
