import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { stores } from "#db/stores.ts";
import type { RunEvent } from "#runs/event.ts";
import type { Subject } from "./subject.ts";
import { approve, shownKeys, write } from "./talk.ts";

const CHANNEL = "C0SHOP";
const LONGEST_MS = 60_000;
const LOOK_MS = 50;
const MOST = 1_000;

/** One run of the demo agent, from the request over a lead's yes to its receipt in the thread. */
export async function runOnce(subject: Subject, n: number): Promise<void> {
  const thread = await write(subject, CHANNEL, `<@U0AGENT> append "Line ${n}." to README.md`);
  await until(() => approve(subject, CHANNEL, "U0BO", thread));
  await until(async () => (await shownKeys(subject, CHANNEL, thread)).some((key) => key.endsWith(":receipt")));
}

/** Looks again and again. Throws when it takes longer than a run may. */
export async function until(look: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + LONGEST_MS; !(await look()); await pause(LOOK_MS)) {
    if (performance.now() > end) throw new Error("a run did not get on");
  }
}

/** The record of every run, oldest first, read after the product has closed its embedded database. */
export async function records(dataDir: string): Promise<RunEvent[][]> {
  const database = await openDatabase(`pglite:${path.join(dataDir, "database")}`);
  try {
    const orgId = await ensureOrg(database.db, "default");
    const { runs, events } = stores(database, { orgId });
    const all = [...(await runs.recent(orgId, MOST))].sort((a, b) => a.number - b.number);
    return await Promise.all(all.map(async (one) => [...(await events.after(one.id, 0, 10_000))]));
  } finally {
    await database.close();
  }
}
