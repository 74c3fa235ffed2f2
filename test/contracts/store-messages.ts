import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "#db/drizzle.ts";
import { type House, house, type Pair } from "#test/db/house.ts";

/** What comes in and goes out: deliveries and messages. */
export function messagesContract(name: string, open: () => Promise<Pair>): void {
  describe(name, () => {
    let opened: Pair;
    let a: House;
    let b: House;
    beforeAll(async () => {
      opened = await open();
      a = await house(opened.first, "acme");
      b = await house(opened.second, "acme");
    });
    afterAll(() => opened.close());

    test("a delivery is taken in once, is its keeper's at first, and is claimed by one worker when it is nobody's", async () => {
      const one = await house(opened.first, "inbox");
      const other = await house(opened.second, "inbox");
      const id = randomUUID();
      const body = { event: "said", text: "nul \0" };
      const taken = await Promise.all([one, other, one].map((at) => at.inbox.insertOnce("slack", id, body, 60_000)));
      expect(taken.filter(Boolean)).toHaveLength(1);
      const both = async () =>
        (await Promise.all([one, other].map((at) => at.inbox.unfinished("slack", 60_000, 10)))).flat();
      expect(await both()).toEqual([]);
      await one.inbox.later("slack", id, -1_000);
      expect(await one.inbox.unfinished("repo-host", 60_000, 10)).toEqual([]);
      expect(await both()).toEqual([{ source: "slack", deliveryId: id, body }]);
      expect(await both()).toEqual([]);
      await one.inbox.later("slack", id, -1_000);
      await one.inbox.done("slack", id);
      expect(await both()).toEqual([]);
    });

    test("a delivery that is worked on is held, and one that was put off is not due sooner for it", async () => {
      const one = await house(opened.first, "inbox-held");
      const [held, off, free] = [randomUUID(), randomUUID(), randomUUID()];
      for (const id of [held, off, free]) await one.inbox.insertOnce("slack", id, {}, -1_000);
      await one.inbox.later("slack", off, 60_000);
      await one.inbox.hold("slack", [held], 60_000);
      await one.inbox.hold("slack", [off], -1_000);
      const due = await one.inbox.unfinished("slack", 60_000, 10);
      expect(due.map(({ deliveryId }) => deliveryId)).toEqual([free]);
    });

    test("a delivery that an older version kept without a claim is given half a minute", async () => {
      const one = await house(opened.first, "inbox-unclaimed");
      const ids = [randomUUID(), randomUUID()] as const;
      for (const id of ids) await one.inbox.insertOnce("slack", id, {}, -1_000);
      const { db } = opened.first;
      await db.execute(sql`update inbox set claimed_until = null where delivery_id in (${ids[0]}, ${ids[1]})`);
      await db.execute(sql`update inbox set received_at = received_at - interval '31 s' where delivery_id = ${ids[0]}`);
      const due = await one.inbox.unfinished("slack", 60_000, 10);
      expect(due.map(({ deliveryId }) => deliveryId)).toEqual([ids[0]]);
    });

    test("deliveries of one source that were done long ago are forgotten, some at a time, and no others", async () => {
      const [one, other] = [await house(opened.first, "inbox-old"), await house(opened.second, "inbox-old-2")];
      const ids = [1, 2, 3].map(() => randomUUID());
      for (const id of ids) await one.inbox.insertOnce("slack", id, {}, 0);
      const open = randomUUID();
      await one.inbox.insertOnce("slack", open, {}, 0);
      const [github, theirs] = [randomUUID(), randomUUID()];
      await one.inbox.insertOnce("github", github, {}, 0);
      await other.inbox.insertOnce("slack", theirs, {}, 0);
      for (const id of ids) await one.inbox.done("slack", id);
      await one.inbox.done("github", github);
      await other.inbox.done("slack", theirs);
      expect(await one.inbox.forget("slack", 3_600_000, 9)).toBe(0);
      expect([await one.inbox.forget("slack", -1_000, 2), await one.inbox.forget("slack", -1_000, 2)]).toEqual([2, 1]);
      expect(await one.inbox.forget("slack", -1_000, 2)).toBe(0);
      // What waits, what is of another source and what is of another organisation is a repeat as before.
      expect(await one.inbox.insertOnce("slack", open, {}, 0)).toBe(false);
      expect(await one.inbox.insertOnce("github", github, {}, 0)).toBe(false);
      expect(await other.inbox.insertOnce("slack", theirs, {}, 0)).toBe(false);
      expect(await one.inbox.insertOnce("slack", ids[0] ?? "", {}, 0)).toBe(true);
    });

    test("what is taken in with its effects is done with them, or was never there", async () => {
      const one = await house(opened.first, "inbox-tx");
      const id = randomUUID();
      const failing = one.tx(async (tx) => {
        expect(await one.inbox.insertDone(tx, "follow-up", id)).toBe(true);
        throw new Error("rolled back");
      });
      await expect(failing).rejects.toThrow("rolled back");
      expect(await one.tx((tx) => one.inbox.insertDone(tx, "follow-up", id))).toBe(true);
      expect(await one.tx((tx) => one.inbox.insertDone(tx, "follow-up", id))).toBe(false);
      expect(await one.inbox.unfinished("follow-up", -1_000, 10)).toEqual([]);
    });

    test("a message is wanted, claimed by one worker and shown; a later wish stays due", async () => {
      const one = await house(opened.first, "outbox");
      const other = await house(opened.second, "outbox");
      const run = await one.run();
      const want = (kind: string) =>
        one.tx((tx) =>
          one.outbox.want(tx, { key: `${kind}:${run.id}`, runId: run.id, place: run.place, kind, subject: null }),
        );
      await want("status");
      await want("approval");
      const claims = await Promise.all([one.outbox.due(60_000, 10), other.outbox.due(60_000, 10)]);
      expect(
        claims
          .flat()
          .map((row) => [row.kind, row.version])
          .sort(),
      ).toEqual([
        ["approval", 1],
        ["status", 1],
      ]);
      await want("status");
      await one.outbox.shown(`status:${run.id}`, 1, "m1");
      expect(await one.outbox.due(60_000, 10)).toMatchObject([{ kind: "status", version: 2, messageId: "m1" }]);
      await one.outbox.shown(`status:${run.id}`, 2, "m1");
      await one.outbox.later(`approval:${run.id}`, -1_000);
      expect(await one.outbox.due(60_000, 10)).toMatchObject([{ kind: "approval", place: run.place }]);
      expect(await one.outbox.get(`status:${run.id}`)).toMatchObject({ version: 2, shownVersion: 2 });
      const about = { key: `blocked:${run.id}`, runId: run.id, place: run.place, kind: "blocked", subject: "h:443" };
      await one.tx(async (tx) => {
        await one.outbox.want(tx, about);
        expect(await one.outbox.subjects(tx, run.id, "blocked")).toEqual(["h:443"]);
        expect(await one.outbox.subjects(tx, run.id, "status")).toEqual([]);
      });
    });

    test("what is claimed as it is wanted is due for nobody else, and a second claim of it fails", async () => {
      const [one, other] = [await house(opened.first, "in hand"), await house(opened.second, "in hand")];
      const run = await one.run();
      const row = { key: `status:${run.id}`, runId: run.id, place: run.place, kind: "status", subject: null };
      const claimed = await one.tx((tx) => one.outbox.claim(tx, row, 60_000));
      expect(claimed).toEqual({ ...row, version: 1, shownVersion: 0, messageId: null });
      expect(await other.tx((tx) => other.outbox.claim(tx, row, 60_000))).toBeNull();
      expect(await other.outbox.due(60_000, 10)).toEqual([]);
      await other.tx((tx) => other.outbox.want(tx, row));
      expect(await other.outbox.due(60_000, 10)).toEqual([]);
      expect(await one.outbox.shown(row.key, 1, "m1")).toBe(true);
      expect(await other.outbox.due(60_000, 10)).toMatchObject([{ version: 2, messageId: "m1" }]);

      const left = await one.run();
      await one.tx((tx) => one.outbox.claim(tx, { ...row, key: `status:${left.id}`, runId: left.id }, 0));
      await expect.poll(() => other.outbox.due(60_000, 10)).toMatchObject([{ runId: left.id, version: 1 }]);
    });

    test("what was put off waits, and something newer does not, unless the message may be there already", async () => {
      const one = await house(opened.first);
      const run = await one.run();
      const key = `status:${run.id}`;
      const want = (o?: { patient: boolean }) =>
        one.tx((tx) => one.outbox.want(tx, { key, runId: run.id, place: run.place, kind: "status", subject: null }, o));
      const due = async () => (await one.outbox.due(60_000, 10)).map((row) => row.version);
      await want();
      expect(await due()).toEqual([1]);
      expect(await one.outbox.later(key, 60_000)).toBe(false);
      await want();
      expect(await due()).toEqual([]);

      await one.outbox.shown(key, 1, "m1");
      expect(await due()).toEqual([2]);
      expect(await one.outbox.later(key, 60_000)).toBe(false);
      await want({ patient: true });
      expect(await due()).toEqual([]);
      await want();
      expect(await due()).toEqual([4]);
      await want({ patient: true });
      expect(await one.outbox.later(key, 60_000)).toBe(false);
      expect(await due()).toEqual([]);
      await want();
      expect(await due()).toEqual([6]);
      await want();
      expect(await one.outbox.later(key, 60_000)).toBe(true);
      expect(await due()).toEqual([7]);
      expect(await one.outbox.shown(key, 7, "m1")).toBe(false);
    });

    test("what was wanted while an older version was shown is due, and whoever showed that is told", async () => {
      const one = await house(opened.first);
      const run = await one.run();
      const key = `status:${run.id}`;
      const want = () =>
        one.tx((tx) => one.outbox.want(tx, { key, runId: run.id, place: run.place, kind: "status", subject: null }));
      await want();
      const [first] = await one.outbox.due(60_000, 1);
      await want();
      expect(await one.outbox.due(60_000, 1)).toEqual([]);
      expect(await one.outbox.shown(key, first?.version ?? 0, "m1")).toBe(true);
      expect(await one.outbox.due(60_000, 1)).toMatchObject([{ version: 2 }]);
    });

    test("that a person was heard is shown first, then what a person waits for", async () => {
      const one = await house(opened.first);
      const run = await one.run();
      const want = (kind: string) =>
        one.tx((tx) =>
          one.outbox.want(tx, { key: `${kind}:${run.id}`, runId: run.id, place: run.place, kind, subject: null }),
        );
      for (const kind of ["receipt", "approval", "status"]) await want(kind);
      const [first] = await one.outbox.due(60_000, 1);
      expect(first?.kind).toBe("status");
      await one.outbox.shown(`status:${run.id}`, first?.version ?? 0, "1.000001");
      await want("status");
      expect((await one.outbox.due(60_000, 2)).map((row) => row.kind)).toEqual(["approval", "status"]);
    });

    test("a message that belongs to no run is due like any other, and its process is told", async () => {
      const key = `policy:${randomUUID()}`;
      const place = { provider: "slack", workspace: "T0LOCAL", channel: "C0SEC", thread: "" };
      const leaving = new AbortController();
      let heard = false;
      const told = (async () => {
        // What others did a moment ago is told too.
        for await (const id of b.events.changes(leaving.signal)) if (id === "") break;
        heard = true;
      })();
      // What is wanted before the other process listens is not told to it.
      while (!heard) await a.tx((tx) => a.outbox.want(tx, { key, runId: null, place, kind: "policy", subject: null }));
      await told;
      leaving.abort();
      expect(await b.outbox.due(30_000, 1_000)).toContainEqual(expect.objectContaining({ key, runId: null, place }));
    });
  });
}
