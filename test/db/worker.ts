import { createInterface } from "node:readline";
import { pgBossEngine } from "#db/engine.ts";
import { openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import type { DatabasePlace } from "#db/place.ts";
import { store } from "#db/store.ts";
import { stores } from "#db/stores.ts";
import { Fenced } from "#runs/run.ts";

/**
 * A worker as a process of its own, for tests that kill or pause one: `worker.ts <database url, or place as JSON>`. It
 * says a line for everything it does and holds every agent job until it is told "go <run>".
 */
const [given = ""] = process.argv.slice(2);
const at = given.startsWith("{") ? (JSON.parse(given) as DatabasePlace) : given;
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const database = await openDatabase(at, { onError: (error) => say(`error ${error.message}`) });
const orgId = await ensureOrg(database.db, "acme");
const engine = await pgBossEngine({ database, orgId, pulseMs: 500 });
const { runs } = stores(database, { orgId });
const { tx } = store(database.db);

const told = new Map<string, () => void>();
createInterface({ input: process.stdin })
  .on("line", (line) => told.get(line)?.())
  .on("close", () => process.exit(0));

await engine.work({
  async tick(id) {
    say(`tick ${id}`);
  },
  async agent(id, signal) {
    const run = await runs.take(id);
    if (!run) return say(`over ${id}`);
    signal.addEventListener("abort", () => say(`aborted ${id}`));
    const go = new Promise<void>((resolve) => told.set(`go ${id}`, resolve));
    say(`agent ${id} ${run.epoch}`);
    await go;
    try {
      await tx((at) => runs.patch(at, run, { fixRounds: 1 }));
      say(`wrote ${id}`);
    } catch (error) {
      say(error instanceof Fenced ? `fenced ${id}` : `failed ${error}`);
      throw error;
    }
  },
  async control(id) {
    say(`control ${id}`);
  },
  async dead(id, queue, error) {
    say(`dead ${id} ${queue} ${error}`);
  },
});
say("ready");
