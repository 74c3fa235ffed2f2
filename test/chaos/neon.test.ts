import { afterAll, beforeAll, expect, test } from "vitest";
import { neonDouble } from "#test/doubles/neon/proxy.ts";
import { administer, startPostgres, withDatabase } from "#test/postgres.ts";
import { chatOf } from "./chat.ts";
import { inHouse } from "./product.ts";
import { play } from "./story.ts";
import { killAt } from "./strikes.ts";
import { expectOneOfEverything, only } from "./truth.ts";

/** Two workers whose database is at Neon: its real driver, over a double of what Neon has in front of a real Postgres. */

let server: Awaited<ReturnType<typeof startPostgres>>;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

test("a worker is killed and every connection to Neon broken in the middle: the run ends as if nothing had happened", {
  timeout: 180_000,
}, async () => {
  await administer(server.url, "create database neon");
  await using neon = await neonDouble(server.url);
  const env = { DATABASE_URL: neon.at("neon", { pooled: true }), NEON_WS_PROXY: neon.url };
  await inHouse({ postgres: withDatabase(server.url, "neon"), env }, async (house) => {
    await house.first.start();
    await house.second?.start();
    const chat = chatOf(house);
    const broken: number[] = [];
    const cut = async () => void broken.push(neon.cut());
    const close = async () => void broken.push(neon.close());
    // While the second one is held, the run can only be the first one's: it is let go when that is killed.
    house.second?.freeze();
    const played = await play(house, chat, {
      team: "shop",
      label: "neon",
      strikes: {
        requested: cut,
        approved: close,
        ...killAt(house, "control plane", ["command-running"]),
        "turn-ended": cut,
        checking: close,
        publishing: cut,
      },
    });
    expect(played.state).toBe("in review");
    for (const { run, bodies } of await expectOneOfEverything(house, chat, [played])) {
      expect(run.restarts).toBe(0);
      expect(only(bodies, "turn.started")).toHaveLength(1);
    }
    expect(broken).toHaveLength(5);
    expect(Math.min(...broken)).toBeGreaterThan(0);
    expect(neon.problems).toEqual([]);
  });
});
