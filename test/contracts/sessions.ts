import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type House, house, type Pair } from "#test/db/house.ts";

const account = () => ({ provider: "slack", workspace: "T1", id: randomUUID() });

/** What every store promises to whoever is signed in. */
export function sessionsContract(name: string, open: () => Promise<Pair>): void {
  describe(name, () => {
    let opened: Pair;
    let a: House;
    let b: House;
    let other: House;
    beforeAll(async () => {
      opened = await open();
      a = await house(opened.first, "acme");
      b = await house(opened.second, "acme");
      other = await house(opened.first, "another");
    });
    afterAll(() => opened.close());

    test("a session is one account's, in every process, until it is ended or its time is over", async () => {
      const who = account();
      const [kept, brief] = [randomUUID(), randomUUID()];
      await a.sessions.open({ digest: kept, account: who, ttlMs: 60_000 });
      await a.sessions.open({ digest: brief, account: who, ttlMs: 0 });
      expect(await b.sessions.account(kept)).toEqual(who);
      expect(await b.sessions.account(brief)).toBeNull();
      expect(await b.sessions.account(randomUUID())).toBeNull();
      expect(await other.sessions.account(kept)).toBeNull();
      await expect(a.sessions.open({ digest: kept, account: account(), ttlMs: 60_000 })).rejects.toThrow();
      await b.sessions.end(kept);
      expect(await a.sessions.account(kept)).toBeNull();
    });
  });
}
