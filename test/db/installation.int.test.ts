import { afterAll, beforeAll, expect, test } from "vitest";
import { bindInstallation, OtherInstallation } from "#db/installation.ts";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";

const [MINE, OTHERS] = ["ed25519:1111111111111111", "ed25519:2222222222222222"];

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
});
afterAll(() => database.close());

test("a database takes the first installation that starts on it, and the same one again", async () => {
  const org = await ensureOrg(database.db, "first");
  await bindInstallation(database.db, org, MINE);
  await expect(bindInstallation(database.db, org, MINE)).resolves.toBeUndefined();
});

test("a worker with another data folder is refused in one line that says what to do", async () => {
  const org = await ensureOrg(database.db, "second");
  await bindInstallation(database.db, org, MINE);
  const refused = await bindInstallation(database.db, org, OTHERS).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(OtherInstallation);
  expect(String(refused)).toMatch(/^[^\n]*1111111111111111[^\n]*2222222222222222[^\n]*COUNTERSIGN_DATA=[^\n]*$/);
  await expect(bindInstallation(database.db, org, MINE)).resolves.toBeUndefined();
});

test("of two that start at once on an empty database one is refused", async () => {
  const org = await ensureOrg(database.db, "third");
  const started = await Promise.allSettled([MINE, OTHERS].map((key) => bindInstallation(database.db, org, key)));
  expect(started.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});
