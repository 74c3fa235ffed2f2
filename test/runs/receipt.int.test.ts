import { afterEach, expect, test } from "vitest";
import type { AuditLine } from "#ports/gateway.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
const reads = Promise.withResolvers<void>();
afterEach(async () => {
  reads.resolve();
  await house.close();
});

const about = (run: string) => ({ id: crypto.randomUUID(), at: "", run, sandbox: null });
const call = (run: string): AuditLine => ({
  ...about(run),
  kind: "model",
  model: "scripted",
  status: 200,
  usage: { usd: 0.25, inputTokens: 10, cachedTokens: 0, outputTokens: 5, calls: 1 },
  prices: "2026-11-01",
  durationMs: 1,
});
const refused = (run: string, host: string): AuditLine => ({
  ...about(run),
  kind: "egress",
  via: "connect",
  host,
  port: 443,
  method: null,
  outcome: "deny",
  reason: "no_rule",
  rule: null,
});

/** Whoever reads the gateway's journal stands still from the next line on, until somebody asks where it ends. */
function readerStandsStill(): void {
  const { core, gateway } = house;
  const { get } = core.stores.runs;
  Object.assign(core.stores.runs, {
    get: async (id: string): Promise<Run | null> => {
      if (id === "slow") await reads.promise;
      return get(id);
    },
  });
  const { audited } = gateway;
  gateway.audited = () => {
    reads.resolve();
    return audited();
  };
  gateway.happen(call("slow"));
}

test("what the gateway decided and nobody had read yet is in the receipt", async () => {
  let told = false;
  house = await memoryHouse({
    checks: async () => {
      const [run] = await house.core.stores.runs.recent(house.core.orgId, 1);
      if (run && !told) {
        told = true;
        readerStandsStill();
        for (const line of [call(run.id), refused(run.id, "late.example.com"), call(run.id)])
          house.gateway.happen(line);
      }
      return 0;
    },
  });
  await house.say(ANA, "append a line");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  const run = await house.until("in_review");
  const envelope = JSON.parse((await house.core.stores.receipts.get(run.id)) ?? "{}") as { payload: string };
  const { predicate } = JSON.parse(Buffer.from(envelope.payload, "base64").toString("utf8")) as {
    predicate: { spent: { calls: number; usd: number }; network: { host: string }[] };
  };
  expect(predicate.spent).toMatchObject({ calls: 2, usd: 0.5 });
  expect(predicate.network.map(({ host }) => host)).toEqual(["late.example.com"]);
});
