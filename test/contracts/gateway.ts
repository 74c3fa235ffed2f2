import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuditLine, Gateway, Grant } from "#ports/gateway.ts";
import { GatewayError } from "#ports/gateway.ts";

/** A gateway with a forge beside it that holds one repository. */
export interface GatewayHarness {
  readonly gateway: Gateway;
  readonly repo: { readonly name: string; readonly cloneUrl: string };
  /** Where its branch "main" stands. */
  readonly main: string;
  /** A text file in that commit. */
  readonly file: { readonly path: string; readonly text: string };
  /** Makes one decision happen, so that one audit line is written. */
  decide(): Promise<void>;
  close(): Promise<void>;
}

export const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/** A grant that lets nothing through. */
export function bareGrant(o: Partial<Grant> & { sandbox: string; run: string }): Grant {
  return {
    epoch: 1,
    tokenHash: hashOf(`token of ${o.sandbox}`),
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    egress: [],
    models: [],
    budget: { usd: 1, tokens: 1_000_000 },
    registry: false,
    git: null,
    ...o,
  };
}

async function take(gateway: Gateway, from: number, count: number): Promise<{ next: number; line: AuditLine }[]> {
  const stop = new AbortController();
  const taken: { next: number; line: AuditLine }[] = [];
  for await (const entry of gateway.audit(from, stop.signal)) {
    taken.push(entry);
    if (taken.length === count) break;
  }
  stop.abort();
  return taken;
}

export function gatewayContract(name: string, make: () => Promise<GatewayHarness>): void {
  describe(`${name} is a gateway`, () => {
    let harness: GatewayHarness;
    let gateway: Gateway;
    beforeAll(async () => {
      harness = await make();
      gateway = harness.gateway;
    });
    afterAll(() => harness.close());

    test("the same grant may be given twice", async () => {
      const grant = bareGrant({ sandbox: "c-1", run: "c-run-1" });
      await gateway.grant(grant);
      await expect(gateway.grant(grant)).resolves.toBeUndefined();
    });

    test("a grant of an older epoch is refused as stale", async () => {
      await gateway.grant(bareGrant({ sandbox: "c-2", run: "c-run-2", epoch: 5 }));
      await expect(gateway.grant(bareGrant({ sandbox: "c-2", run: "c-run-2", epoch: 4 }))).rejects.toMatchObject({
        code: "stale",
      });
    });

    test("revoking a sandbox that never was is a success", async () => {
      await expect(gateway.revoke("c-nobody")).resolves.toBeUndefined();
    });

    test("the certificate is one authority, the same each time", async () => {
      const pem = await gateway.certificate();
      expect(pem.match(/-----BEGIN CERTIFICATE-----/g)).toHaveLength(1);
      expect(await gateway.certificate()).toBe(pem);
    });

    test("the mirror says which commit a branch is at", async () => {
      await expect(gateway.mirror({ ...harness.repo, credential: null }, "main")).resolves.toEqual({
        oid: harness.main,
      });
    });

    test("a branch that the forge does not have is not found", async () => {
      const missing = gateway.mirror({ ...harness.repo, credential: null }, "no-such-branch");
      await expect(missing).rejects.toBeInstanceOf(GatewayError);
      await expect(missing).rejects.toMatchObject({ code: "not_found" });
    });

    test("a file of the mirror is read at a commit, and is null when it is not there", async () => {
      const { repo, main, file } = harness;
      await gateway.mirror({ ...repo, credential: null }, "main");
      expect(await gateway.file(repo.name, main, file.path, 10_000)).toBe(file.text);
      expect(await gateway.file(repo.name, main, "no/such/file", 10_000)).toBeNull();
      await expect(gateway.file(repo.name, main, file.path, 1)).rejects.toMatchObject({ code: "invalid" });
    });

    test("a run's repository starts at the commit it was opened at, and opening again changes nothing", async () => {
      await gateway.mirror({ ...harness.repo, credential: null }, "main");
      await gateway.openRepository("c-run-3", harness.repo.name, "agent/c-run-3", harness.main);
      await gateway.openRepository("c-run-3", harness.repo.name, "agent/c-run-3", harness.main);
      expect((await gateway.closePush("c-run-3")).oid).toBe(harness.main);
    });

    test("a repository cannot be opened at a commit that the mirror does not have", async () => {
      await gateway.mirror({ ...harness.repo, credential: null }, "main");
      const opening = gateway.openRepository("c-run-4", harness.repo.name, "agent/c-run-4", "f".repeat(40));
      await expect(opening).rejects.toMatchObject({ code: "not_found" });
    });

    test("closing the door of a run without a repository is not found", async () => {
      await expect(gateway.closePush("c-run-none")).rejects.toMatchObject({ code: "not_found" });
    });

    test("a run without work has no changes", async () => {
      await gateway.mirror({ ...harness.repo, credential: null }, "main");
      await gateway.openRepository("c-run-5", harness.repo.name, "agent/c-run-5", harness.main);
      const changes = await gateway.changes("c-run-5", harness.main, harness.main, 10_000);
      expect(changes).toEqual({
        base: harness.main,
        head: harness.main,
        commits: [],
        files: [],
        patch: "",
        truncated: false,
        secrets: [],
        asks: [],
      });
    });

    test("a run that called no model has used nothing", async () => {
      expect(await gateway.usage("c-run-6")).toEqual({
        usd: 0,
        inputTokens: 0,
        cachedTokens: 0,
        outputTokens: 0,
        calls: 0,
      });
    });

    test("forgetting a run takes its repository away and may be repeated", async () => {
      await gateway.mirror({ ...harness.repo, credential: null }, "main");
      await gateway.openRepository("c-run-7", harness.repo.name, "agent/c-run-7", harness.main);
      await gateway.forget("c-run-7");
      await gateway.forget("c-run-7");
      await expect(gateway.closePush("c-run-7")).rejects.toMatchObject({ code: "not_found" });
    });

    test("audit lines come in order and can be read again from any cursor", async () => {
      for (let i = 0; i < 3; i += 1) await harness.decide();
      const all = await take(gateway, 0, 3);
      const [first, second, third] = all;
      expect(new Set(all.map((entry) => entry.line.id)).size).toBe(3);
      const again = await take(gateway, first?.next ?? 0, 2);
      expect(again).toEqual([second, third]);
    });

    test("a line that is written later arrives on an open stream", async () => {
      await harness.decide();
      const stop = new AbortController();
      const before = await take(gateway, 0, 1);
      const stream = gateway.audit(before[0]?.next ?? 0, stop.signal)[Symbol.asyncIterator]();
      const seen = new Set(before.map((entry) => entry.line.id));
      await harness.decide();
      const next = await stream.next();
      stop.abort();
      expect(next.done).toBe(false);
      expect(seen.has((next.value as { line: AuditLine }).line.id)).toBe(false);
    });

    test("whoever has read up to where the audit stands has read all that was decided before they asked", async () => {
      const before = await gateway.audited();
      await harness.decide();
      const all = await take(gateway, before, 1);
      expect(await gateway.audited()).toBe(all[0]?.next);
    });

    test("the lease may be renewed at any time", async () => {
      await expect(gateway.lease()).resolves.toBeUndefined();
    });
  });
}
