import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "#db/drizzle.ts";
import { rows } from "#db/store.ts";
import { policyDigest } from "#policy/archive.ts";
import type { Policy } from "#policy/policy.ts";
import { newId } from "#runs/ids.ts";
import type { Person, Run } from "#runs/run.ts";
import { type House, house, type Pair } from "#test/db/house.ts";

const account = (id: string = randomUUID()) => ({ provider: "slack", workspace: "T1", id });

/** What belongs to a run. What comes in and goes out is in `store-messages.ts`. */
export function workContract(name: string, open: () => Promise<Pair>): void {
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

    const question = (run: Run, digest = "sha256:1") => ({
      id: newId(new Date()),
      runId: run.id,
      gate: "start" as const,
      digest,
      subject: { repo: "acme/shop", say: "half \ud83d" },
      asks: [
        {
          from: "group:product",
          quorum: 1,
          self: false,
          expiresMs: 1_000,
          remindMs: 500,
          giveUpMs: 60_000,
          escalate: null,
          delegate: false,
          binds: [],
          assurance: "chat" as const,
          grants: { for: "once" as const, uses: 1, ms: null },
          rule: { at: "org.yaml:1:1", text: "ask", why: null },
          members: [account("U2")],
        },
      ],
      expiresAt: new Date(Date.now() + 3_600_000),
    });
    const vote = (approvalId: string, person: Person) => ({
      approvalId,
      person,
      account: account(),
      choice: "approve" as const,
      reason: null,
    });

    test("one account is one person, also when two processes see it first at once", async () => {
      const who = account();
      const seen = await Promise.all(
        [a, b, a, b].map((at) => at.tx((tx) => at.people.resolve(tx, at.orgId, who, "Kim"))),
      );
      expect(new Set(seen.map((person) => person.id)).size).toBe(1);
      const [kim] = seen;
      expect(await a.tx((tx) => a.people.identities(tx, kim?.id ?? ""))).toEqual([who]);
    });

    test("an author joins once", async () => {
      const run = await a.run();
      const join = () => a.tx((tx) => a.people.addAuthor(tx, run.id, run.requester.id));
      expect([await join(), await join()]).toEqual([true, false]);
      expect(await a.tx((tx) => a.people.authors(tx, run.id))).toEqual([run.requester]);
    });

    test("the same question is open once, and its transaction survives being told so", async () => {
      const run = await a.run();
      const asked = await a.tx((tx) => a.approvals.open(tx, question(run)));
      expect(asked).toMatchObject({ status: "pending", askNo: 1, closedAt: null, subject: { say: "half \ud83d" } });
      const pending = await a.tx(async (tx) => {
        await expect(a.approvals.open(tx, question(run))).rejects.toThrow("already waits");
        return a.approvals.pendingOf(tx, run.id);
      });
      expect(pending).toMatchObject([{ id: asked.id, expiresAt: asked.expiresAt }]);
      expect(await b.approvals.pending(100)).toContainEqual(pending[0]);
    });

    test("a question that was closed can be asked again, and counts", async () => {
      const run = await a.run();
      const first = await a.tx((tx) => a.approvals.open(tx, question(run)));
      const asks = first.asks.map((ask) => ({ ...ask, delegates: [] }));
      const amend = () => a.tx((tx) => a.approvals.amend(tx, first.id, asks));
      expect((await amend())?.asks).toEqual(asks);
      const close = (at: House) => at.tx((tx) => at.approvals.close(tx, first.id, "expired"));
      const closed = await Promise.all([close(a), close(b)]);
      expect(closed.filter((one) => one !== null)).toHaveLength(1);
      expect(await amend()).toBeNull();
      const second = await a.tx((tx) => a.approvals.open(tx, question(run)));
      expect(second.askNo).toBe(2);
      expect((await a.approvals.ofRun(run.id)).map((one) => one.status)).toEqual(["expired", "pending"]);
      const quiet = await a.run();
      const both = await b.approvals.ofRuns([run.id, quiet.id]);
      expect([...both.keys()]).toEqual([run.id]);
      expect(both.get(run.id)).toEqual(await a.approvals.ofRun(run.id));
      expect(await a.approvals.ofRuns([])).toEqual(new Map());
      expect((await a.approvals.get(first.id))?.closedAt).toBeInstanceOf(Date);
      expect(await a.approvals.get("nonsense")).toBeNull();
    });

    test("two votes of one person are one row", async () => {
      const run = await a.run();
      const asked = await a.tx((tx) => a.approvals.open(tx, question(run)));
      const person = await a.person("Ada");
      const cast = await Promise.all(
        [a, b, a, b].map((at) =>
          at.tx(async (tx) => {
            await at.approvals.lock(tx, asked.id);
            return at.approvals.vote(tx, vote(asked.id, person));
          }),
        ),
      );
      expect(cast.filter(Boolean)).toHaveLength(1);
      const votes = await a.tx((tx) => a.approvals.votes(tx, asked.id));
      expect(votes).toHaveLength(1);
      expect(votes[0]).toMatchObject({ person, choice: "approve", reason: null });
    });

    test("a vote and a worker that parks lock in one order", async () => {
      const run = await a.run();
      const asked = await a.tx((tx) => a.approvals.open(tx, question(run)));
      const parks = () =>
        a.tx(async (tx) => {
          await a.runs.lock(tx, run.id);
          await a.approvals.close(tx, asked.id, "expired");
        });
      const votes = () =>
        b.tx(async (tx) => {
          await b.approvals.lock(tx, asked.id);
          await b.runs.lock(tx, run.id);
        });
      await expect(Promise.all(Array.from({ length: 8 }, () => [parks(), votes()]).flat())).resolves.toHaveLength(16);
    });

    test("turns count up and are read in order", async () => {
      const run = await a.run();
      const add = (at: House, text: string) =>
        at.tx((tx) => at.turns.add(tx, { runId: run.id, cause: "follow_up", person: run.requester, text }));
      const added = await Promise.all([add(a, "one"), add(b, "two"), add(a, "three")]);
      expect(added.map((turn) => turn.n).sort()).toEqual([1, 2, 3]);
      expect((await a.turns.current(run.id))?.n).toBe(1);
      await a.tx((tx) => a.turns.started(tx, run.id, 2));
      expect(await a.turns.current(run.id)).toMatchObject({ n: 2, state: "running", person: run.requester });
      await a.tx((tx) => a.turns.ended(tx, run.id, 2, "done"));
      await a.tx((tx) => a.turns.started(tx, run.id, 2));
      expect((await a.turns.all(run.id)).map((turn) => [turn.n, turn.state, turn.end])).toEqual([
        [1, "queued", null],
        [2, "ended", "done"],
        [3, "queued", null],
      ]);
    });

    test("an effect is intended, looked up and done under the fence", async () => {
      const run = await a.runs.take((await a.run()).id);
      if (!run) throw new Error("not taken");
      const key = `pr:${run.id}`;
      expect(await a.effects.intend(key, run)).toEqual({ key, runId: run.id, state: "intent", result: null });
      const later = await b.runs.take(run.id);
      if (!later) throw new Error("not taken");
      await expect(a.tx((tx) => a.effects.done(tx, key, run, { number: 1 }))).rejects.toThrow("was taken");
      expect((await b.effects.intend(key, later)).state).toBe("intent");
      await b.tx((tx) => b.effects.done(tx, key, later, { number: 2 }));
      await b.tx((tx) => b.effects.done(tx, key, later, { number: 3 }));
      expect(await b.effects.intend(key, later)).toMatchObject({ state: "done", result: { number: 2 } });
      expect(await a.effects.ofRun(run.id)).toHaveLength(1);
      await expect(b.tx((tx) => b.effects.done(tx, "never", later, 1))).rejects.toThrow("never intended");
    });

    test("a slot has one live sandbox; the next attempt has another key", async () => {
      const run = await a.runs.take((await a.run()).id);
      if (!run) throw new Error("not taken");
      const intend = (at: House) => at.tx((tx) => at.sandboxes.intend(tx, run, "agent"));
      const [one, same] = await Promise.all([intend(a), intend(b)]);
      expect(same?.key).toBe(one?.key);
      const { key } = await intend(a);
      await a.tx((tx) => a.sandboxes.ready(tx, key, "box-1"));
      expect(await intend(a)).toMatchObject({ key, state: "ready", providerId: "box-1", attempt: 1 });
      await a.tx((tx) => a.sandboxes.gone(tx, key));
      const next = await intend(a);
      expect(next).toMatchObject({ state: "intent", providerId: null, attempt: 2 });
      expect((await a.sandboxes.ofRun(run.id)).map((box) => box.state)).toEqual(["gone", "intent"]);
    });

    test("a cursor only goes forward, with its transaction", async () => {
      const cursor = randomUUID();
      const advance = (at: House, to: number) => at.tx((tx) => at.cursors.advance(tx, cursor, to));
      expect(await a.cursors.get(cursor)).toBe(0);
      const both = await Promise.all([advance(a, 5), advance(b, 5)]);
      expect(both.filter(Boolean)).toHaveLength(1);
      expect([await advance(a, 4), await advance(a, 2 ** 40)]).toEqual([false, true]);
      await a
        .tx(async (tx) => {
          await a.cursors.advance(tx, cursor, 2 ** 41);
          throw new Error("no");
        })
        .catch(() => {});
      expect(await b.cursors.get(cursor)).toBe(2 ** 40);
    });

    test("a policy is kept under its digest and answers as it did", async () => {
      const body = { commit: "c1", teams: [{ name: randomUUID() }] } as unknown as Policy;
      const policy = { ...body, digest: policyDigest(body) };
      await Promise.all([a, b].map((at) => at.tx((tx) => at.policies.keep(tx, policy))));
      expect(await b.policies.get(policy.digest)).toEqual(policy);
      expect(await b.policies.get("sha256:0")).toBeNull();
    });

    test("a policy's files are kept with it by whoever brings them first, and stay as they were", async () => {
      const body = { commit: "c1", teams: [{ name: randomUUID() }] } as unknown as Policy;
      const policy = { ...body, digest: policyDigest(body) };
      await a.tx((tx) => a.policies.keep(tx, policy));
      expect(await b.policies.sources(policy.digest)).toBeNull();
      await a.tx((tx) => a.policies.keep(tx, policy, { "org.yaml": "version: 1\n" }));
      await b.tx((tx) => b.policies.keep(tx, policy, { "org.yaml": "version: 2\n" }));
      expect(await b.policies.sources(policy.digest)).toEqual({ "org.yaml": "version: 1\n" });
      expect(await b.policies.get(policy.digest)).toEqual(policy);
    });

    test("a note is written once, by one of those who try", async () => {
      const key = `note ${randomUUID()}`;
      expect(await a.notes.get(key)).toBeNull();
      const kept = await Promise.all([a, b].map((at, n) => at.tx((tx) => at.notes.keep(tx, key, { by: n }))));
      expect(kept.filter(Boolean)).toHaveLength(1);
      expect(await a.notes.get(key)).toMatchObject({ body: { by: kept.indexOf(true) }, at: expect.any(Date) });
      await b.tx((tx) => b.notes.keep(tx, `${key}:end`, {}));
      await b.tx((tx) => b.notes.keep(tx, `not ${key}`, {}));
      expect(await a.notes.keys(key, 9)).toEqual([key, `${key}:end`]);
      expect(await a.notes.keys(key, 1)).toEqual([`${key}:end`]);
    });

    test("notes of one kind that are old are forgotten, some at a time, and no others", async () => {
      const other = await house(opened.first, "notes of another");
      const kind = `kind ${randomUUID()}:`;
      for (const [at, key] of [
        [a, `${kind}1`],
        [a, `${kind}2`],
        [a, `${kind}3`],
        [a, `x${kind}`],
        [other, `${kind}1`],
      ] as const)
        await at.tx((tx) => at.notes.keep(tx, key, {}));
      expect(await a.notes.forget(kind, 3_600_000, 9)).toBe(0);
      expect([await b.notes.forget(kind, -1_000, 2), await a.notes.forget(kind, -1_000, 2)]).toEqual([2, 1]);
      expect(await a.notes.keys(kind, 9)).toEqual([]);
      expect([(await a.notes.get(`x${kind}`)) !== null, (await other.notes.get(`${kind}1`)) !== null]).toEqual([
        true,
        true,
      ]);
    });

    test("every row names its organisation", async () => {
      const found = await opened.first.db.execute(sql`
        select t.table_name as name from information_schema.tables t
        where t.table_schema = 'public' and not exists (
          select from information_schema.columns c
          where c.table_schema = 'public' and c.table_name = t.table_name
            and c.column_name = 'org_id' and c.is_nullable = 'NO')`);
      expect(rows<{ name: string }>(found).map((table) => table.name)).toEqual(["orgs"]);
    });

    test("a receipt is written once", async () => {
      const run = await a.run();
      const put = (envelope: string) => a.tx((tx) => a.receipts.put(tx, run.id, envelope));
      expect(await a.receipts.get(run.id)).toBeNull();
      await put("signed");
      await put("signed");
      await expect(put("other")).rejects.toThrow("another receipt");
      expect(await b.receipts.get(run.id)).toBe("signed");
    });
  });
}
