import { setTimeout as pause } from "node:timers/promises";
import type { Installation, Process } from "#test/chaos/product.ts";
import { agentOf, gatewayOf, strike, supervisorOf } from "#test/chaos/victims.ts";

const KINDS = ["first worker", "second worker", "gateway", "supervisor", "agent"] as const;
type Kind = (typeof KINDS)[number];

export interface Damage {
  readonly kills: Readonly<Record<Kind, number>>;
  /** Workers that were stopped for longer than their heartbeat lasts, and went on as if nothing were. */
  readonly frozen: number;
  /** How often a run lost its own agent or supervisor. */
  ofRun(runId: string): number;
}

const GAP_MS = [500, 4_000] as const;
/** Longer than a heartbeat: others have taken what it holds, and it does not know. */
const FROZEN_MS = 14_000;
/** Of the blows at a worker. */
const FREEZE_SHARE = 0.18;

/**
 * Kills at random moments until there were `kills` of them, restarts what was killed, and leaves everything running.
 * `roll` gives numbers in [0, 1): who is next, and when.
 */
export async function breakThings(
  house: Installation,
  o: { kills: number; runs: () => readonly string[]; failed: () => unknown; roll: () => number },
): Promise<Damage> {
  const { roll } = o;
  const kills: Record<Kind, number> = { "first worker": 0, "second worker": 0, gateway: 0, supervisor: 0, agent: 0 };
  const interrupted = new Map<string, number>();
  const chores = new Set<Promise<void>>();
  let frozen = 0;
  const total = () => Object.values(kills).reduce((sum, count) => sum + count, 0);
  const second = house.second ?? house.first;
  const busy = new Set<Process>();

  /** Does it meanwhile; a failure ends the whole run. */
  const meanwhile = (process: Process, chore: () => Promise<void>) => {
    busy.add(process);
    const done = chore().finally(() => {
      busy.delete(process);
      chores.delete(done);
    });
    chores.add(done);
  };

  const act: Record<Kind, () => Promise<boolean>> = {
    "first worker": () => worker(house.first),
    "second worker": () => worker(second),
    gateway: () => strike(gatewayOf(house.dataDir)),
    supervisor: () =>
      ofARun((runId) => supervisorOf(house.dataDir, runId, "agent") ?? supervisorOf(house.dataDir, runId, "check")),
    agent: () => ofARun((runId) => agentOf(house.dataDir, runId)),
  };

  async function worker(process: Process): Promise<boolean> {
    if (busy.has(process) || process.pid() === null) return false;
    // However the dice fall, half-way at the latest somebody is frozen.
    const overdue = frozen === 0 && total() >= o.kills / 2;
    if (overdue || roll() < FREEZE_SHARE) {
      frozen += 1;
      process.freeze();
      meanwhile(process, async () => {
        await pause(FROZEN_MS);
        process.thaw();
      });
      return false;
    }
    await process.kill();
    meanwhile(process, () => process.start());
    return true;
  }

  /** Mostly of a run that had no such accident yet: two are one too many, and are to happen, but not always. */
  async function ofARun(find: (runId: string) => ReturnType<typeof gatewayOf>): Promise<boolean> {
    const runs = o.runs().filter((runId) => !interrupted.has(runId) || roll() < 0.15);
    const runId = runs[Math.floor(roll() * runs.length)];
    if (runId === undefined || !(await strike(find(runId)))) return false;
    interrupted.set(runId, (interrupted.get(runId) ?? 0) + 1);
    return true;
  }

  while (total() < o.kills) {
    const failure = o.failed();
    if (failure !== null) throw failure;
    for (const [name, one] of Object.entries({ first: house.first, second })) {
      if (!busy.has(one) && one.pid() === null) throw new Error(`the ${name} worker ended by itself`);
    }
    await pause(GAP_MS[0] + roll() * (GAP_MS[1] - GAP_MS[0]));
    const kind = KINDS[Math.floor(roll() * KINDS.length)] ?? "gateway";
    if (await act[kind]()) {
      kills[kind] += 1;
      if (total() % 10 === 0) console.log(`${total()} kills, ${o.runs().length} runs open`);
    }
  }
  await Promise.all(chores);
  return { kills, frozen, ofRun: (runId) => interrupted.get(runId) ?? 0 };
}
