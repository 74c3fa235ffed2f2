import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { InstalledWorkspace, SealedTokens } from "#ports/workspaces.ts";
import { type House, house, type Pair } from "#test/db/house.ts";

const sealed = (o: Partial<SealedTokens> = {}): SealedTokens => ({
  keyId: "k1",
  access: "g1.access",
  refresh: "g1.refresh",
  expiresAt: new Date("2026-11-24T12:00:00.000Z"),
  lost: null,
  ...o,
});

let made = 0;
const acme = (o: Partial<InstalledWorkspace> = {}): Omit<InstalledWorkspace, "installedAt"> => ({
  id: `T0ACME${++made}`,
  enterprise: null,
  name: "Acme",
  url: "https://acme.slack.com",
  botUserId: "U0AGENT",
  botId: "B0AGENT",
  scopes: ["chat:write", "users:read"],
  installedBy: "U0ANA",
  tokens: sealed(),
  ...o,
});
const LATER = new Date(Date.now() + 86_400_000);

/** What every store promises about workspaces that have installed the app. */
export function workspacesContract(name: string, open: () => Promise<Pair>): void {
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

    test("a workspace is what its last installation said, in every process, and in its own organisation alone", async () => {
      const one = acme();
      await a.workspaces.put(one);
      expect(await b.workspaces.get(one.id)).toMatchObject(one);
      const again = {
        ...one,
        name: "Acme Ltd",
        scopes: ["chat:write"],
        tokens: sealed({ refresh: null, expiresAt: null }),
      };
      await b.workspaces.put(again);
      expect(await a.workspaces.get(one.id)).toMatchObject(again);
      expect(await other.workspaces.get(one.id)).toBeNull();
      expect(await a.workspaces.get("T0NOBODY")).toBeNull();
      const listed = (await b.workspaces.all()).filter(({ id }) => id === one.id);
      expect(listed).toMatchObject([again]);
      expect(await other.workspaces.all()).toEqual([]);
    });

    test("of two that renew at once the second sees what the first has kept", async () => {
      const one = acme();
      await a.workspaces.put(one);
      const seen: (string | null)[] = [];
      const began = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const first = a.workspaces.renew(one.id, async ({ tokens }) => {
        seen.push(tokens.refresh);
        began.resolve();
        await goOn.promise;
        return sealed({ refresh: "g1.second" });
      });
      await began.promise;
      const second = b.workspaces.renew(one.id, async ({ tokens }) => {
        seen.push(tokens.refresh);
        return tokens;
      });
      goOn.resolve();
      expect((await first)?.tokens.refresh).toBe("g1.second");
      expect((await second)?.tokens.refresh).toBe("g1.second");
      expect(seen).toEqual(["g1.refresh", "g1.second"]);
    });

    test("a renewal that fails changes nothing and holds nobody up; of a workspace that is not there none begins", async () => {
      const one = acme();
      await a.workspaces.put(one);
      await expect(a.workspaces.renew(one.id, () => Promise.reject(new Error("Slack is away")))).rejects.toThrow(
        "away",
      );
      expect((await b.workspaces.renew(one.id, async ({ tokens }) => tokens))?.tokens).toEqual(one.tokens);
      let begun = false;
      const nobody = await b.workspaces.renew("T0NOBODY", async ({ tokens }) => {
        begun = true;
        return tokens;
      });
      expect([nobody, begun]).toEqual([null, false]);
    });

    test("a workspace is forgotten once, and not when it has installed the app again since", async () => {
      const one = acme();
      await a.workspaces.put(one);
      const { installedAt } = (await a.workspaces.get(one.id)) ?? { installedAt: LATER };
      expect(await b.workspaces.remove(one.id, installedAt)).toBe(false);
      expect(await other.workspaces.remove(one.id, LATER)).toBe(false);
      expect(await b.workspaces.remove(one.id, LATER)).toBe(true);
      expect(await a.workspaces.remove(one.id, LATER)).toBe(false);
      expect(await a.workspaces.get(one.id)).toBeNull();
    });

    test("a workspace that moved is known where it is now, unless it was installed again since", async () => {
      const one = acme();
      await a.workspaces.put(one);
      const there = (await a.workspaces.get(one.id)) ?? { id: one.id, installedAt: LATER };
      await b.workspaces.moved(there, "E0ORG");
      expect((await a.workspaces.get(one.id))?.enterprise).toBe("E0ORG");
      await other.workspaces.moved(there, null);
      await b.workspaces.moved({ id: one.id, installedAt: LATER }, null);
      expect((await a.workspaces.get(one.id))?.enterprise).toBe("E0ORG");
      await b.workspaces.moved(there, null);
      expect((await a.workspaces.get(one.id))?.enterprise).toBeNull();
    });

    test("an installation under way is finished once, in its own browser and in time", async () => {
      const attempt = () => ({ state: randomUUID(), browser: randomUUID() });
      const [mine, late] = [attempt(), attempt()];
      await a.workspaces.begin({ ...mine, ttlMs: 60_000 });
      await a.workspaces.begin({ ...late, ttlMs: 0 });
      expect(await b.workspaces.redeem({ ...mine, browser: randomUUID() })).toBe(false);
      expect(await other.workspaces.redeem(mine)).toBe(false);
      expect(await b.workspaces.redeem(late)).toBe(false);
      const both = await Promise.all([a.workspaces.redeem(mine), b.workspaces.redeem(mine)]);
      expect(both.toSorted()).toEqual([false, true]);
      expect(await a.workspaces.redeem(mine)).toBe(false);
    });
  });
}
