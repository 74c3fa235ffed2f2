import { afterEach, expect, test } from "vitest";
import type { AuditLine } from "#ports/gateway.ts";
import { caughtUp } from "#runs/money/caught-up.ts";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

let lines = 0;
const line = (run: string | null) => {
  lines += 1;
  return { id: `line-${lines}`, at: "2026-01-01T00:00:00Z", run, sandbox: null };
};
const usage = { usd: 0.01, inputTokens: 10, cachedTokens: 0, outputTokens: 10, calls: 1 };
const called =
  (status: number, model = "scripted") =>
  (run: string | null): AuditLine => ({
    ...line(run),
    kind: "model",
    model,
    status,
    usage,
    prices: "none",
    durationMs: 1,
  });
const refused =
  (reason: string) =>
  (run: string | null): AuditLine => ({
    ...line(run),
    kind: "egress",
    via: "model",
    host: "model.example.com",
    port: 443,
    method: "POST",
    outcome: "deny",
    reason,
    rule: null,
  });

/** A run in #data whose agent hears `answers` of the gateway and then does what `steps` say. */
async function worked(
  answers: readonly ((run: string | null) => AuditLine)[],
  steps: ReturnType<NonNullable<Script["play"]>> = [{ write: "sql/x.sql", content: "x" }, { say: "Done." }],
): Promise<void> {
  house = await memoryHouse({
    changes: { files: [{ path: "sql/x.sql", status: "added", additions: 1, deletions: 0 }] },
    play: () => {
      const run = [...house.gateway.grants.values()][0]?.run ?? null;
      for (const answer of answers) house.gateway.happen(answer(run));
      return steps;
    },
  });
  await house.say(ANA, "add a query", { channel: "C0DATA" });
}

const turnsOf = async (run: Run) =>
  (await eventsOf(house.core, run.id)).flatMap(({ body }) => (body.kind === "turn.ended" ? [body.end] : []));

test("an agent whose last model call was answered with an error is not done, whatever it says", async () => {
  await worked([called(200), called(503)]);
  const run = await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff).toMatchObject({
    fault: "model",
    failed: "The model's last answer was HTTP 503.",
  });
  expect(await turnsOf(run)).toEqual(["failed"]);
  expect(house.repoHost.pushes).toEqual([]);
});

test("an agent whose last model call was refused at the gateway is not done, whatever it says", async () => {
  await worked([called(200), refused("run_over")]);
  const run = await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff).toMatchObject({
    fault: "model",
    failed: "The gateway refused the last model call: run over.",
  });
});

test("an agent that tried again and was answered is done", async () => {
  await worked([called(503), called(200)]);
  const run = await house.until("in_review");
  expect(await turnsOf(run)).toEqual(["done"]);
});

test("a turn does not hang on a helper's model that never answered", async () => {
  await worked([called(200), called(404, "titles"), refused("model")]);
  const run = await house.until("in_review");
  expect(await turnsOf(run)).toEqual(["done"]);
});

test("an agent that was refused every model is not done", async () => {
  await worked([refused("model")]);
  await house.until("handed_off");
});

test("a turn that failed after the gateway said that the budget is spent failed for the budget", async () => {
  await worked([called(200), refused("budget")], [{ fail: "403 status code (no body)" }]);
  const run = await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff?.fault).toBe("budget");
});

test("an agent that says it is done after its budget was spent has failed for the budget", async () => {
  await worked([called(200), refused("budget")]);
  const run = await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff?.fault).toBe("budget");
  expect(house.repoHost.pushes).toEqual([]);
});

test("an agent that says 'budget' while there is money has not failed for the budget", async () => {
  await worked([called(200)], [{ fail: "I cannot make budget.sql: the budget table is not there" }]);
  const run = await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff).toMatchObject({
    fault: "model",
    failed: "I cannot make budget.sql: the budget table is not there",
  });
});

test("what the gateway decided before a call is in the record after it, and who stops waiting stops", async () => {
  await worked([called(200)]);
  await house.until("in_review");
  for (let n = 0; n < 20; n += 1) house.gateway.happen(called(200)(null));
  const signal = new AbortController().signal;
  expect(await caughtUp(house.core, signal)).toBe(true);
  expect(await house.core.stores.cursors.get("gateway:audit")).toBe(await house.gateway.audited());
  const ahead = { ...house.core, gateway: { ...house.core.gateway, audited: async () => 1_000 } };
  await expect(caughtUp(ahead, AbortSignal.abort(new Error("leaving")))).rejects.toThrow("leaving");
});
