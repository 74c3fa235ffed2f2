import { afterAll, beforeAll, expect, test } from "vitest";
import { administer, startPostgres, withDatabase } from "#test/postgres.ts";
import { chatOf } from "./chat.ts";
import { type Point, teamAt } from "./points.ts";
import { inHouse } from "./product.ts";
import { play } from "./story.ts";
import { killAt } from "./strikes.ts";
import { expectOneOfEverything, only } from "./truth.ts";

/** Two workers over a real Postgres; the first has the pages and the chat as well. */

const MS = 400_000;
let server: Awaited<ReturnType<typeof startPostgres>>;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

/** A database of its own for each installation. */
async function emptyDatabase(name: string): Promise<string> {
  await administer(server.url, `create database ${name}`);
  return withDatabase(server.url, name);
}

/** Every takeover waits for the dead worker's heartbeat, so three points here; all of them are in `npm run test:long`. */
const TAKEN_OVER_AT: readonly Point[] = ["approved", "command-running", "permission-pending"];

test("another worker takes over the runs of one that is killed", { timeout: MS }, async () =>
  inHouse({ postgres: await emptyDatabase("takeover") }, async (house) => {
    await house.first.start();
    await house.second?.start();
    const chat = chatOf(house);
    const played = [];
    for (const point of TAKEN_OVER_AT) {
      // While the second one is held, the run can only be the first one's: it is let go when that is killed.
      house.second?.freeze();
      const strikes = killAt(house, "control plane", [point]);
      played.push(await play(house, chat, { team: teamAt(point), label: point, strikes }));
    }
    expect(played.map(({ state }) => state)).toEqual(TAKEN_OVER_AT.map(() => "in review"));
    for (const { bodies } of await expectOneOfEverything(house, chat, played))
      expect(only(bodies, "turn.started")).toHaveLength(1);
  }),
);

test(
  "two workers notice a killed gateway at once and start one; supervisors and agents are replaced",
  { timeout: MS },
  async () =>
    inHouse({ postgres: await emptyDatabase("replaced") }, async (house) => {
      await house.first.start();
      await house.second?.start();
      const chat = chatOf(house);
      const played = await Promise.all([
        play(house, chat, {
          team: "shop",
          label: "gateway",
          strikes: killAt(house, "gateway", ["approved", "command-running", "turn-ended", "checking", "publishing"]),
        }),
        play(house, chat, { team: "shop", label: "agent", strikes: killAt(house, "agent", ["command-running"]) }),
        play(house, chat, {
          team: "data",
          label: "supervisor",
          strikes: killAt(house, "supervisor", ["permission-pending"]),
        }),
      ]);
      expect(played.map(({ state }) => state)).toEqual(["in review", "in review", "in review"]);
      const restarts = (await expectOneOfEverything(house, chat, played)).map(({ run }) => run.restarts);
      expect(restarts).toEqual([0, 1, 1]);
    }),
);
