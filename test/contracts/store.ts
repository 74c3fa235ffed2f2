import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brokenAt } from "#runs/chain.ts";
import type { EventBody, RunEvent } from "#runs/event.ts";
import { newId } from "#runs/ids.ts";
import { Fenced, type Run } from "#runs/run.ts";
import { type House, house, newRun, note, type Pair } from "#test/db/house.ts";

/** Transactions, runs and their record. The other stores are in `store-work.ts` and `store-messages.ts`. */
export function storeContract(name: string, open: () => Promise<Pair>): void {
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

    test("a transaction that throws leaves nothing", async () => {
      const requester = await a.person("Mina");
      const fresh = newRun(a.orgId, requester);
      await expect(
        a.tx(async (tx) => {
          await a.runs.insert(tx, fresh);
          throw new Error("no");
        }),
      ).rejects.toThrow("no");
      expect(await a.runs.get(fresh.id)).toBeNull();
    });

    test("a query that forgot its transaction is refused, not left to hang", async () => {
      const run = await a.run();
      await expect(a.tx(async () => a.runs.get(run.id))).rejects.toThrow("inside a transaction");
      await expect(a.tx(() => a.tx(async () => 1))).rejects.toThrow("inside a transaction");
      expect((await a.runs.get(run.id))?.id).toBe(run.id);
    });

    test("the same request twice is one run, and numbers count up without a double", async () => {
      const requester = await a.person("Mina");
      const fresh = newRun(a.orgId, requester);
      const again = { ...fresh, id: newId(new Date()) };
      const made = await Promise.all([
        a.tx((tx) => a.runs.insert(tx, fresh)),
        b.tx((tx) => b.runs.insert(tx, again)),
        ...Array.from({ length: 6 }, () => b.tx((tx) => b.runs.insert(tx, newRun(b.orgId, requester)))),
      ]);
      const stored = made.filter((run) => run !== null);
      expect(stored).toHaveLength(7);
      expect(new Set(stored.map((run) => run.number)).size).toBe(7);
    });

    test("a run reads back as it was written, by id, number, place, requester and pull request", async () => {
      const run = await a.run({ text: "with a NUL \0 in it" });
      const { id } = run;
      expect(run).toMatchObject({ state: "requested", epoch: 0, fixRounds: 0, wakeAt: null, pullRequest: null });
      expect(run.text).toBe("with a NUL \u{FFFD} in it");
      const patched = await a.tx((tx) =>
        a.runs.patch(tx, run, { pullRequest: { number: 7, url: "http://x/7" }, headOid: "abc" }),
      );
      expect(patched).toMatchObject({ headOid: "abc", pullRequest: { number: 7, url: "http://x/7" } });
      expect((await a.runs.get(id))?.id).toBe(id);
      expect((await a.runs.byNumber(a.orgId, run.number))?.id).toBe(id);
      expect((await a.runs.byPlace(run.place))?.id).toBe(id);
      expect((await a.runs.byPullRequest(run.repo, 7))?.id).toBe(id);
      expect((await a.runs.byRequester(a.orgId, run.requester.id, 5)).map((mine) => mine.id)).toEqual([id]);
      expect(await a.runs.get("not an id")).toBeNull();
    });

    test("a run of a ticket is found in its mirror once that has a thread, and the first thread stays", async () => {
      const thread = `${Date.now()}.${Math.random()}`;
      const mirror = { provider: "slack", workspace: "T0", channel: "C0", thread: "" };
      const ticket = { id: "issue", name: "SHOP-1", url: "https://linear.app/acme/issue/SHOP-1" };
      const run = await a.run({ mirror, ticket });
      expect(run).toMatchObject({ mirror, ticket });
      expect(await a.runs.get(run.id)).toEqual(run);
      expect(await b.runs.byPlace(mirror)).toBeNull();
      const told = await Promise.all(
        [a, b].map((at, n) => at.tx((tx) => at.runs.mirrored(tx, run.id, `${thread}${n}`))),
      );
      const [kept, ...others] = told.filter((one) => one !== null);
      expect(others).toEqual([]);
      expect((await a.runs.get(run.id))?.mirror).toEqual(kept?.mirror);
      expect((await b.runs.byPlace({ ...mirror, thread: kept?.mirror?.thread ?? "" }))?.id).toBe(run.id);
      const plain = await a.run();
      expect(plain).toMatchObject({ mirror: null, ticket: null });
      expect(await a.tx((tx) => a.runs.mirrored(tx, plain.id, thread))).toBeNull();
    });

    test("two workers race for one run: the later one has it, the earlier one is fenced", async () => {
      const run = await a.run();
      const taken = await Promise.all([a.runs.take(run.id), b.runs.take(run.id)]);
      const [early, late] = taken.filter((one) => one !== null).sort((x, y) => x.epoch - y.epoch);
      if (!early || !late) throw new Error("both takes must have succeeded");
      expect([early.epoch, late.epoch]).toEqual([1, 2]);
      await expect(a.tx((tx) => a.runs.patch(tx, early, { fixRounds: 1 }))).rejects.toThrow(Fenced);
      await expect(a.tx((tx) => a.events.append(tx, run.id, early.epoch, [note("late")]))).rejects.toThrow(Fenced);
      await expect(a.effects.intend(`pr:${run.id}`, early)).rejects.toThrow(Fenced);
      await expect(a.tx((tx) => a.sandboxes.intend(tx, early, "agent"))).rejects.toThrow(Fenced);
      expect(await a.tx((tx) => a.runs.move(tx, early, "queued", {}))).toBeNull();
      expect((await b.tx((tx) => b.runs.move(tx, late, "queued", {})))?.state).toBe("queued");
    });

    test("of two moves out of one state one wins", async () => {
      const run = await a.run();
      const moves = await Promise.all([
        a.tx((tx) => a.runs.move(tx, run, "queued", {})),
        b.tx((tx) => b.runs.move(tx, run, "waiting", {})),
      ]);
      expect(moves.filter((moved) => moved !== null)).toHaveLength(1);
    });

    test("a final run cannot be taken or cancelled", async () => {
      const run = await a.run();
      await a.tx((tx) => a.runs.move(tx, run, "denied", {}));
      expect(await a.runs.take(run.id)).toBeNull();
      expect(await a.tx((tx) => a.runs.requestCancel(tx, run.id, "Mina"))).toBeNull();
    });

    test("asking for a stop fences the owner", async () => {
      const owned = await a.runs.take((await a.run()).id);
      if (!owned) throw new Error("not taken");
      const stopped = await b.tx((tx) => b.runs.requestCancel(tx, owned.id, "Mina"));
      expect(stopped).toMatchObject({ cancelRequestedBy: "Mina", epoch: owned.epoch + 1 });
      await expect(a.tx((tx) => a.events.append(tx, owned.id, owned.epoch, [note("x")]))).rejects.toThrow(Fenced);
    });

    test("a run is due once when its time has passed, and not before", async () => {
      const one = await house(opened.first);
      const past = await one.run();
      const future = await one.run();
      const parked = { wakeAt: new Date(Date.now() - 1_000) };
      await one.tx((tx) => one.runs.move(tx, past, "waiting", parked));
      await one.tx((tx) => one.runs.move(tx, future, "waiting", { wakeAt: new Date(Date.now() + 3_600_000) }));
      expect(await one.runs.due(3_600_000, 10)).toEqual([{ id: past.id, state: "waiting", queue: "tick" }]);
      expect(await one.runs.due(3_600_000, 10)).toEqual([]);
    });

    test("a run that has ended is due when what it kept may go, and not for being idle", async () => {
      const one = await house(opened.first, "ended");
      const [kept, over] = [await one.run(), await one.run()];
      await one.tx((tx) => one.runs.move(tx, kept, "cancelled", { wakeAt: new Date(Date.now() - 1_000) }));
      await one.tx((tx) => one.runs.move(tx, over, "cancelled", { wakeAt: null }));
      expect(await one.runs.due(-60_000, 10)).toEqual([{ id: kept.id, state: "cancelled", queue: "control" }]);
    });

    test("a run that a queue should carry is due once when nobody has touched it; a parked one is not", async () => {
      const one = await house(opened.first, "idle");
      const other = await house(opened.second, "idle");
      const idle = await one.run();
      const waiting = await one.run();
      await one.tx((tx) => one.runs.move(tx, waiting, "waiting", {}));
      expect(await one.runs.due(60_000, 10)).toEqual([]);
      // Untouched since a minute from now on: everything is.
      const claims = await Promise.all([one.runs.due(-60_000, 10), other.runs.due(-60_000, 10)]);
      expect(claims.flat()).toEqual([{ id: idle.id, state: "requested", queue: "tick" }]);
    });

    test("the chain holds after appends from two processes at once", async () => {
      const run = await a.run();
      await Promise.all(
        Array.from({ length: 12 }, (_, n) => {
          const at = n % 2 ? a : b;
          return at.tx((tx) => at.events.append(tx, run.id, null, [note(`a${n}`), note(`b${n}`)]));
        }),
      );
      const events = await a.events.after(run.id, 0, 100);
      expect(events).toHaveLength(24);
      expect(brokenAt(run.id, events)).toBeNull();
      expect((await a.events.after(run.id, 20, 2)).map((event) => event.seq)).toEqual([21, 22]);
    });

    test("an event keeps what an agent can print: NUL, half a surrogate, every number", async () => {
      const run = await a.run();
      const bodies = [
        note("nul \0 half \ud83d end"),
        { kind: "egress.closed", host: "h", sentBytes: 2 ** 53 - 1, receivedBytes: 0.1, durationMs: 1e21 } as const,
      ];
      await a.tx((tx) => a.events.append(tx, run.id, null, bodies));
      const events = await b.events.after(run.id, 0, 10);
      expect(events.map((event: RunEvent) => event.body)).toEqual(bodies);
      expect(brokenAt(run.id, events)).toBeNull();
    });

    test("what the model calls of runs came to is summed, whatever else their records hold", async () => {
      const [run, other, idle] = [await a.run(), await a.run(), await a.run()];
      const called = (inputTokens: number, outputTokens: number, usd: number): EventBody => ({
        ...{ kind: "model.called", model: "m", status: 200, cachedTokens: 1, prices: "p", durationMs: 5 },
        ...{ inputTokens, outputTokens, usd },
      });
      const decoy = note('nul \0 {"kind":"model.called","usd":9} \ud83d');
      await a.tx((tx) => a.events.append(tx, run.id, null, [called(100, 20, 0.25), decoy, called(3, 4, 0.5)]));
      await a.tx((tx) => a.events.append(tx, other.id, null, [called(7, 0, 0)]));
      await a.tx((tx) => a.events.append(tx, idle.id, null, [decoy]));
      expect(await b.events.spent([run.id, other.id, idle.id])).toEqual(
        new Map([
          [run.id, { tokens: 127, usd: 0.75 }],
          [other.id, { tokens: 7, usd: 0 }],
        ]),
      );
      expect(await a.events.spent([])).toEqual(new Map());
    });

    test("watchers hear of a commit from the moment they ask, and not of a rollback", async () => {
      const stop = new AbortController();
      const [lost, kept] = [await a.run(), await a.run()];
      const changes = b.events.changes(stop.signal);
      await a
        .tx(async (tx) => {
          await a.events.append(tx, lost.id, null, [note("never")]);
          throw new Error("no");
        })
        .catch(() => {});
      await a.tx((tx) => a.events.append(tx, kept.id, null, [note("yes")]));
      const heard: string[] = [];
      for await (const id of changes) {
        heard.push(id);
        if (id === kept.id) stop.abort();
      }
      expect(heard).toContain(kept.id);
      expect(heard).not.toContain(lost.id);
    });

    test("an ended run is sealed once, and the seals follow each other", async () => {
      const one = await house(opened.first);
      const [x, y] = [await one.run(), await one.run()];
      const seal = (run: Run) => one.tx((tx) => one.events.seal(tx, run.id));
      const first = await seal(x);
      expect(await seal(x)).toEqual(first);
      const second = await seal(y);
      expect([first.seq, second.seq]).toEqual([1, 2]);
      expect(second.hash).not.toBe(first.hash);
    });
  });
}
