import { expect } from "vitest";
import { expectOneOfEverything, only } from "#test/chaos/truth.ts";
import { outside } from "./outside.ts";
import { expectOneAnswer, type Step, ticketStory } from "./ticket.ts";

/** Who is killed: the replica that speaks to the run's sandbox (before there is one, the first), or the one beside it. */
export type Victim = "holder" | "other";

/**
 * A ticket told to its end with all that is around it, `server` a Postgres for it. At `step` a replica is killed with
 * SIGKILL, and `again`: started again, as an init system does. Then there is one of everything, and nobody was asked for
 * anything that its vendor does not take.
 */
export async function whole(o: {
  server: string;
  name: string;
  step: Step;
  victim: Victim;
  again?: boolean;
}): Promise<void> {
  await using at = await outside({ server: o.server, name: o.name });
  const kill = async (): Promise<void> => {
    const holder = at.holder() ?? "first";
    const one = at.house[o.victim === "holder" ? holder : holder === "first" ? "second" : "first"];
    await one.kill();
    if (o.again) await one.start();
  };
  try {
    const told = await ticketStory(at, {
      title: "Say where we ship from",
      line: "We ship from Lyon.",
      strikes: { [o.step]: kill },
    });
    expectOneAnswer(at, told);
    const [kept] = await expectOneOfEverything(at.house, at.chat, [told], { places: at.places });
    if (kept === undefined) throw new Error("the run has no record");
    expect(kept.run).toMatchObject({ state: "merged", restarts: 0 });
    expect(only(kept.bodies, "turn.started")).toHaveLength(1);
    expect(await at.refusals()).toEqual([]);
  } catch (error) {
    if (error instanceof Error) error.message += `\n${(await at.refusals()).join("\n")}\n${at.house.lastWords()}`;
    throw error;
  }
}
