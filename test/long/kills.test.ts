import { afterAll, beforeAll, expect, test } from "vitest";
import { chatOf } from "#test/chaos/chat.ts";
import { EXISTS, teamAt, VICTIMS } from "#test/chaos/points.ts";
import { type Installation, inHouse } from "#test/chaos/product.ts";
import { play } from "#test/chaos/story.ts";
import { killAt } from "#test/chaos/strikes.ts";
import { expectOneOfEverything, only } from "#test/chaos/truth.ts";
import { neonDouble } from "#test/doubles/neon/proxy.ts";
import { administer, startPostgres, withDatabase } from "#test/postgres.ts";

/** Every victim at every point at which it exists, one kill in a run of its own, on each database. */

let server: Awaited<ReturnType<typeof startPostgres>>;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const DATABASES = ["PGlite", "Postgres", "Neon"] as const;

/** The product on an empty database of this kind. At Neon it is reached by their driver, over a double of their proxy. */
async function on(
  database: (typeof DATABASES)[number],
  name: string,
  body: (house: Installation) => Promise<void>,
): Promise<void> {
  if (database === "PGlite") return inHouse({ postgres: null }, body);
  const own = `${database.toLowerCase()}_${name}`;
  await administer(server.url, `create database ${own}`);
  const postgres = withDatabase(server.url, own);
  if (database === "Postgres") return inHouse({ postgres }, body);
  await using neon = await neonDouble(server.url);
  const env = { DATABASE_URL: neon.at(own, { pooled: true }), NEON_WS_PROXY: neon.url };
  await inHouse({ postgres, env }, body);
  expect(neon.problems).toEqual([]);
}

for (const database of DATABASES) {
  for (const victim of VICTIMS) {
    test(`${database}: the ${victim} is killed once, at each of ${EXISTS[victim].length} points`, async () => {
      await on(database, `kills_${victim.replace(" ", "_")}`, async (house) => {
        await house.first.start();
        await house.second?.start();
        const chat = chatOf(house);
        const played = [];
        for (const point of EXISTS[victim]) {
          // While the second worker is held, the run is the first one's: it is let go when that is killed.
          if (victim === "control plane") house.second?.freeze();
          const label = `${victim.replace(" ", "-")}-${point}`;
          const strikes = killAt(house, victim, [point]);
          const one = await play(house, chat, { team: teamAt(point), label, strikes, ms: 300_000 });
          expect(one.state, label).toBe("in review");
          played.push(one);
        }
        for (const { run, bodies } of await expectOneOfEverything(house, chat, played)) {
          const ours = victim === "supervisor" || victim === "agent";
          expect(run.restarts).toBeLessThanOrEqual(ours ? 1 : 0);
          expect(only(bodies, "turn.started").length).toBeLessThanOrEqual(ours ? 2 : 1);
        }
      });
    });
  }
}
