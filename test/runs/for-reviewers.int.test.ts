import { afterEach, expect, test } from "vitest";
import { eventsOf } from "#runs/record/look.ts";
import { ANA, HEAD, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const acts = async (run: { id: string }) =>
  (await eventsOf(house.core, run.id)).flatMap(({ body }) =>
    body.kind === "checks.reported" || body.kind === "review.asked" ? [body] : [],
  );

test("each act at the forge has its row before it and is in the record once, also when the worker dies between the two", async () => {
  house = await memoryHouse();
  house.repoHost.own("acme/reports", ["bo", "acme/leads"]);
  const { effects } = house.core.stores;
  const { done } = effects;
  const intended: Record<string, boolean> = {};
  const killed: string[] = [];
  const { reportChecks, requestReview } = house.repoHost;
  const hasRow = async (act: string) => {
    const [run] = await house.core.stores.runs.recent(house.core.orgId, 1);
    const rows = await effects.ofRun(run?.id ?? "");
    intended[act] = rows.some(({ key, state }) => key === `${act}:${run?.id}:${HEAD}` && state === "intent");
  };
  Object.assign(house.repoHost, {
    reportChecks: async (...args: Parameters<typeof reportChecks>) => {
      await hasRow("checks");
      return reportChecks(...args);
    },
    requestReview: async (...args: Parameters<typeof requestReview>) => {
      await hasRow("review");
      return requestReview(...args);
    },
  });
  Object.assign(effects, {
    done: async (...args: Parameters<typeof done>) => {
      const act = args[1].split(":")[0] ?? "";
      if ((act === "checks" || act === "review") && !killed.includes(act)) {
        killed.push(act);
        throw new Error("killed");
      }
      return done(...args);
    },
  });
  await house.say(ANA, "add a query", { channel: "C0DATA" });
  const run = await house.until("in_review");
  expect(killed).toEqual(["checks", "review"]);
  expect(intended).toEqual({ checks: true, review: true });
  expect(house.repoHost.asked.map(({ who }) => who)).toEqual(["bo", "acme/leads"]);
  expect(await acts(run)).toEqual([
    { kind: "checks.reported", repo: "acme/reports", oid: HEAD, names: ["query lint"] },
    { kind: "review.asked", repo: "acme/reports", number: 1, of: ["bo", "acme/leads"] },
  ]);
  expect((await effects.ofRun(run.id)).map(({ key, state }) => [key.split(":")[0], state])).toEqual([
    ["push", "done"],
    ["pr", "done"],
    ["checks", "done"],
    ["review", "done"],
  ]);
});

test("where the repository names nobody nobody was asked, and the record has no word of it", async () => {
  house = await memoryHouse();
  await house.say(ANA, "add a query", { channel: "C0DATA" });
  expect((await acts(await house.until("in_review"))).map(({ kind }) => kind)).toEqual(["checks.reported"]);
});
