import { expect } from "vitest";
import type { Point, Victim } from "./points.ts";
import type { Installation } from "./product.ts";
import { until } from "./until.ts";
import { agentOf, gatewayOf, strike, supervisorOf } from "./victims.ts";

/**
 * Kills a victim with SIGKILL and brings back what whatever runs the product would bring back: the control plane.
 * Everything else has to come back by itself. Throws when there is nobody to kill.
 */
export async function kill(house: Installation, victim: Victim, point: Point, runId: string): Promise<void> {
  if (victim === "control plane") {
    house.second?.thaw();
    const gateway = await until("a gateway", () => gatewayOf(house.dataDir));
    await house.first.kill();
    await house.first.start();
    // It carries model calls and pushes that are under way: whoever comes next adopts it.
    expect(gatewayOf(house.dataDir), `the gateway after a kill of the control plane at ${point}`).toEqual(gateway);
    return;
  }
  const slot = point === "checking" ? "check" : "agent";
  const find = () =>
    victim === "gateway"
      ? gatewayOf(house.dataDir)
      : victim === "supervisor"
        ? supervisorOf(house.dataDir, runId, slot)
        : agentOf(house.dataDir, runId);
  // It may be on its way: the agent after its turn was begun, a gateway that was killed at the point before.
  await until(`a ${victim} to kill at ${point}`, async () => strike(find()), 30_000);
}

/** Strikes for `play`: the victim is killed at each of these points. */
export const killAt = (
  house: Installation,
  victim: Victim,
  points: readonly Point[],
): Partial<Record<Point, (runId: string) => Promise<void>>> =>
  Object.fromEntries(points.map((point) => [point, (runId: string) => kill(house, victim, point, runId)]));
