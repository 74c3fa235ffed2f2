import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import type { InboxStore } from "#runs/stores.ts";
import { deliveries } from "#surfaces/deliveries.ts";
import { DATABASES, type Ground } from "#test/db/databases.ts";
import { house } from "#test/db/house.ts";

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

describe.each(Object.keys(DATABASES))("deliveries on %s", (name) => {
  /** Processes over one database, each with its own way to it; what they did, by delivery. */
  async function opened() {
    const ground = await (DATABASES[name] as () => Promise<Ground>)();
    undo.push(() => ground.close());
    const org = randomUUID();
    const did: string[] = [];
    const log: string[] = [];
    return {
      did,
      log,
      async process({ claimMs = 60_000, ...o }: { claimMs?: number; inbox?: (real: InboxStore) => InboxStore } = {}) {
        const { inbox } = await house(await ground.open(), org);
        const its = deliveries({
          source: "linear",
          name: "Linear",
          inbox: o.inbox?.(inbox) ?? inbox,
          log: (message) => void log.push(message),
          claimMs,
        });
        return {
          ...its,
          look: () => its.redrive((row) => its.start(row.deliveryId, async () => void did.push(row.deliveryId))),
        };
      },
    };
  }

  test("what a process kept is its own, and when nothing more is heard of it one of the others does it, once", async () => {
    const { process, did } = await opened();
    const [alive, dead] = [await process(), await process({ claimMs: -1_000 })];
    expect(await alive.keep("alive", {})).toBe(true);
    expect(await dead.keep("dead", {})).toBe(true);
    const others = await Promise.all([process(), process(), process()]);
    const looked = await Promise.all(others.map((other) => other.look()));
    expect(looked.reduce((all, one) => all + one)).toBe(1);
    expect(did).toEqual(["dead"]);
    for (const other of others) expect(await other.look()).toBe(0);
  });

  test("work that lasts longer than a claim keeps its delivery", async () => {
    const { process, did, log } = await opened();
    const beat = Promise.withResolvers<void>();
    const worker = await process({
      inbox: (real) => ({
        ...real,
        // Its claim has run out as soon as it was made; only the word that comes later counts.
        insertOnce: (source, id, body) => real.insertOnce(source, id, body, -1_000),
        async hold(...of) {
          await real.hold(...of);
          beat.resolve();
        },
      }),
    });
    const gate = Promise.withResolvers<void>();
    await worker.keep("slow", {});
    const work = worker.start("slow", async () => {
      await gate.promise;
      did.push("slow");
    });
    await beat.promise;
    const other = await process();
    expect(await other.look()).toBe(0);
    gate.resolve();
    await work;
    expect(await other.look()).toBe(0);
    expect(did).toEqual(["slow"]);
    expect(log).toEqual([]);
  });

  test("what failed rests before anybody tries it again", async () => {
    const { process, did, log } = await opened();
    const one = await process({
      // The claim ends with the work.
      inbox: (real) => ({ ...real, insertOnce: (source, id, body) => real.insertOnce(source, id, body, -1_000) }),
    });
    await one.keep("bad", {});
    await one.start("bad", () => Promise.reject(new Error("Linear is away")));
    expect(log).toEqual(["a Linear delivery failed and will be tried again"]);
    for (const any of [one, await process()]) expect(await any.look()).toBe(0);
    expect(did).toEqual([]);
  });
});
