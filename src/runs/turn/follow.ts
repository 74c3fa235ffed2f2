import type { AgentEvent, TurnEnd } from "#ports/agent.ts";
import { batches } from "#runs/batch.ts";
import type { Core } from "#runs/core.ts";
import { lastAnswer } from "#runs/last-answer.ts";
import { caughtUpOrHold } from "#runs/money/caught-up.ts";
import { eventsOf } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import { tellStep } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import type { Turn } from "#runs/stores.ts";
import { bodiesOf, type Heard, settle } from "#runs/transcript.ts";
import { permit, type Speaker } from "./permit.ts";

/** Record at least this often while the agent works: one write for all that was heard meanwhile. */
const FLUSH_MS = 100;
const FLUSH_EVENTS = 100;

export type Followed =
  | { readonly kind: "parked" | "expired" | "outstayed" }
  | { readonly kind: "ended"; readonly end: TurnEnd; readonly detail: string | null };

/**
 * Hears one turn to its end. The cursor moves in the transaction that records what it passed; a permission is passed
 * only when it is answered, so that whoever attaches next meets it again.
 */
export async function follow(
  core: Core,
  run: Run,
  speaker: Speaker,
  turn: Turn,
  signal: AbortSignal,
): Promise<Followed> {
  const { agent, name: cursorName } = speaker;
  const leaving = new AbortController();
  const heard = agent.events(await core.stores.cursors.get(cursorName), AbortSignal.any([signal, leaving.signal]));
  let held: readonly Heard[] = [];

  /** Writes what is ready, up to and including `last`; `more` belongs to the same transaction. */
  const commit = async (ready: readonly Heard[], more?: Parameters<Core["store"]["tx"]>[0]): Promise<void> => {
    const last = ready.at(-1);
    if (!last) return;
    await core.store.tx(async (tx) => {
      const fresh = await core.stores.cursors.advance(tx, cursorName, last.cursor);
      if (!fresh) return;
      const bodies = bodiesOf(ready);
      await record(core, tx, run.id, run.epoch, bodies);
      if (more) await more(tx);
      if (bodies.some((body) => body.kind === "agent.planned" || body.kind === "tool.started"))
        await tellStep(core, tx, run, "status");
    });
    core.nudge();
  };

  try {
    for await (const group of batches(heard, FLUSH_MS, FLUSH_EVENTS, isWaitedFor)) {
      let waiting: readonly Heard[] = [...held, ...group];
      held = [];
      for (;;) {
        const stop = waiting.findIndex(isWaitedFor);
        if (stop === -1) break;
        const before = waiting.slice(0, stop);
        const at = waiting[stop];
        if (!at) break;
        waiting = waiting.slice(stop + 1);
        await commit(before);
        if (at.event.kind === "permission.asked") {
          const permitted = await permit(core, run, speaker, at.event);
          if (permitted.kind !== "answered") return { kind: permitted.kind };
          await commit([at], async (tx) => {
            await record(core, tx, run.id, run.epoch, await permitted.settle(tx));
          });
        } else if (at.event.kind === "turn.ended" && at.event.turn === `turn-${turn.n}`) {
          const ended = await endOf(core, run, turn, at.event, signal);
          if (ended === null) return { kind: "parked" };
          const { end, detail } = ended;
          await commit([at], async (tx) => {
            await core.stores.turns.ended(tx, run.id, turn.n, end);
            await record(core, tx, run.id, run.epoch, [{ kind: "turn.ended", turn: turn.n, end, detail }]);
          });
          return { kind: "ended", end, detail };
        } else {
          await commit([at]);
        }
      }
      const settled = settle(waiting, { final: false, open: core.redact.open });
      await commit(settled.ready);
      held = settled.held;
    }
    await commit(held);
    return { kind: "ended", end: "interrupted", detail: "the agent's process ended before its turn did" };
  } finally {
    leaving.abort();
  }
}

type Ended = Extract<AgentEvent, { kind: "turn.ended" }>;

/** How a turn ended, which the agent does not say alone: without a model it cannot have been done. `null`: the run is held. */
async function endOf(
  core: Core,
  run: Run,
  turn: Turn,
  said: Ended,
  signal: AbortSignal,
): Promise<Pick<Ended, "end" | "detail"> | null> {
  if (!(await caughtUpOrHold(core, run, signal, "its turn is not judged without"))) return null;
  if (said.end !== "done") return said;
  const without = lastAnswer(await eventsOf(core, run.id), turn.n);
  return without === null ? said : { end: "failed", detail: without.why };
}

/** The agent, or the whole run, stands still until this is dealt with. */
const isWaitedFor = ({ event }: Heard): boolean => event.kind === "permission.asked" || event.kind === "turn.ended";
