import { expect, test } from "vitest";
import { chatOf } from "./chat.ts";
import type { Page, Seen } from "./page.ts";
import { COMMAND, EXISTS, ON_THE_WAY, type Point, teamAt, type Victim } from "./points.ts";
import { inHouse } from "./product.ts";
import { play } from "./story.ts";
import { kill, killAt } from "./strikes.ts";
import { expectOneOfEverything, only } from "./truth.ts";

/** The product as `npm start` starts it: one process over PGlite, which is started again when it was killed. */
const PGLITE = { postgres: null };
const MS = 400_000;

for (const victim of ["control plane", "gateway"] as const) {
  test(`a run whose ${victim} is killed at every point ends as if nothing had happened`, { timeout: MS }, () =>
    inHouse(PGLITE, async (house) => {
      await house.first.start();
      const chat = chatOf(house);
      const shop = await play(house, chat, {
        team: "shop",
        label: "every-point",
        strikes: killAt(house, victim, ON_THE_WAY.shop),
      });
      const data = await play(house, chat, {
        team: "data",
        label: "asked",
        strikes: killAt(house, victim, ["permission-pending"]),
      });
      expect([shop.state, data.state]).toEqual(["in review", "in review"]);
      expect(shop.struck.map(({ point }) => point)).toEqual(ON_THE_WAY.shop);
      const kept = await expectOneOfEverything(house, chat, [shop, data]);
      // Neither is the agent's home: its turn goes on, it is not begun again.
      for (const { run, bodies } of kept) {
        expect(run.restarts).toBe(0);
        expect(only(bodies, "turn.started")).toHaveLength(1);
      }
    }),
  );
}

test("a run goes on by itself, once, when its supervisor or its agent is killed at any point", { timeout: MS }, () =>
  inHouse(PGLITE, async (house) => {
    await house.first.start();
    const chat = chatOf(house);
    const cases = (["supervisor", "agent"] as const).flatMap((victim) =>
      EXISTS[victim].map((point): { victim: Victim; point: Point } => ({ victim, point })),
    );
    const played = await Promise.all(
      cases.map(({ victim, point }) =>
        play(house, chat, {
          team: teamAt(point),
          label: `${victim}-${point}`,
          strikes: killAt(house, victim, [point]),
          ms: MS,
        }),
      ),
    );
    expect(played.map(({ state }) => state)).toEqual(cases.map(() => "in review"));
    const kept = await expectOneOfEverything(house, chat, played);
    for (const [index, { run, bodies }] of kept.entries()) {
      const { victim, point } = cases[index] ?? { victim: "", point: "" };
      const begun = only(bodies, "turn.started").map((turn) => turn.cause);
      // Killed before the record says that the turn began, it is begun once, by whoever came after. The checks have a
      // sandbox of their own; without it only they begin again.
      const before = point === "sandbox-ready" || point === "turn-started";
      const expected = ["request", "interrupted"].slice(0, point === "checking" ? 1 : before ? begun.length : 2);
      expect(begun, `${victim} at ${point}`).toEqual(expected);
      expect(run.restarts, `${victim} at ${point}`).toBeLessThanOrEqual(1);
    }
  }),
);

const MORE = ", then run `sleep 6`";

test("a run that is interrupted twice because of us is handed off, and says whose fault it is", { timeout: MS }, () =>
  inHouse(PGLITE, async (house) => {
    await house.first.start();
    const chat = chatOf(house);
    const twice = (victim: Victim) => async (runId: string, page: Page) => {
      await kill(house, victim, "command-running", runId);
      // What is killed before it has the turn again is replaced without a word. The command that was interrupted is not
      // run again, as nobody knows what became of it: the next one shows that the turn goes on.
      const commands = ({ lines }: Seen) => lines.filter((line) => COMMAND.test(line)).length;
      await page.until("the turn goes on", (seen) => commands(seen) > 1);
      await kill(house, victim, "command-running", runId);
    };
    const played = await Promise.all([
      play(house, chat, {
        team: "shop",
        label: "agent-twice",
        more: MORE,
        strikes: { "command-running": twice("agent") },
      }),
      play(house, chat, {
        team: "shop",
        label: "supervisor-twice",
        more: MORE,
        strikes: { "command-running": twice("supervisor") },
      }),
    ]);
    expect(played.map(({ state }) => state)).toEqual(["handed off", "handed off"]);
    for (const { bodies } of await expectOneOfEverything(house, chat, played)) {
      expect(only(bodies, "run.handed_off")).toEqual([expect.objectContaining({ fault: "us" })]);
      expect(only(bodies, "turn.started").map((turn) => turn.cause)).toEqual(["request", "interrupted"]);
    }
  }),
);
