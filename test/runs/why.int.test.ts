import { afterEach, beforeEach, expect, test } from "vitest";
import type { Reason } from "#runs/reason.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, DEE, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
beforeEach(async () => {
  house = await memoryHouse();
});
afterEach(async () => {
  await house.close();
});

function reasonsOf(view: View | null): readonly Reason[] {
  if (view?.kind !== "why") throw new Error(`it is a ${view?.kind}`);
  return view.reasons;
}

/** The lines of the rules, as people see them. */
const excerpts = ({ rules }: Reason) => rules.map(({ excerpt }) => excerpt?.lines.join("\n"));

test("a question is explained by the rule as it is written, where it holds, what would allow it and who can change it", async () => {
  await house.say(ANA, "mend the cart", { channel: "C0SHOP" });
  const run = await house.until("waiting");
  const view = await house.say(ANA, "why", { in: run });
  expect(view).toMatchObject({ kind: "why", run: { number: run.number }, owners: "group:security" });
  const [start] = reasonsOf(view);
  expect(start).toMatchObject({
    about: "start",
    subject: "acme/shop",
    outcome: "ask",
    remedy: { text: expect.stringMatching(/^a yes from group:leads/), add: null },
  });
  expect(start?.points.length).toBeGreaterThan(0);
  const asking = start?.rules.find(({ ref }) => ref.text.includes("run.start"));
  expect(asking?.commit).toBe("test");
  expect(asking?.excerpt?.file).toBe("teams/shop.yaml");
  expect(asking?.ref.at).toContain(`teams/shop.yaml:${asking?.excerpt?.line}:`);
  expect(asking?.excerpt?.lines[0]).toContain("run.start");
});

test("a run that was denied is explained by the text of the policy it was denied under, whatever was written since", async () => {
  house.policy.edit("teams/data.yaml", "rules:", "rules:\n  - deny: { action: run.start } # not this week");
  await house.say(ANA, "mend the query", { channel: "C0DATA" });
  const run = await house.until("denied");
  house.policy.edit("teams/data.yaml", "  - deny: { action: run.start } # not this week\n", "");
  const [start] = reasonsOf(await house.say(ANA, "why?", { in: run }));
  expect(start).toMatchObject({ outcome: "deny", reason: "rule" });
  expect(start && excerpts(start)).toEqual(["- deny: { action: run.start } # not this week"]);
  // By the policy in force it is allowed now: nothing has to change.
  expect(start?.remedy).toBeNull();
});

test("a blocked host says which line would open it, and what has to change first", async () => {
  await house.say(ANA, "mend the cart", { channel: "C0SHOP" });
  const waiting = await house.until("waiting");
  const question = await house.question(waiting);
  await house.answer(BO, question.id);
  const run = await house.until("in_review");
  const sandbox = [...house.gateway.grants.keys()][0] ?? (await house.core.stores.sandboxes.ofRun(run.id))[0]?.key;
  if (sandbox === undefined) throw new Error("the run had no sandbox");
  house.gateway.happen({
    id: "line-1",
    at: new Date().toISOString(),
    kind: "egress",
    run: run.id,
    sandbox,
    via: "connect",
    host: "rates.example.org",
    port: 443,
    method: null,
    outcome: "deny",
    reason: "no_rule",
    rule: null,
  });
  await expect
    .poll(async () => {
      const view = await house.say(ANA, "why rates.example.org", { in: run });
      return view?.kind === "why" ? view.reasons.map(({ subject }) => subject) : [];
    })
    .toEqual(["rates.example.org:443"]);
  const [host] = reasonsOf(await house.say(ANA, "why rates.example.org", { in: run }));
  expect(host).toMatchObject({
    about: "host",
    outcome: "deny",
    reason: "no_rule",
    points: ["gateway"],
    remedy: {
      text: expect.stringMatching(
        /^teams\/shop\.yaml would have to grant it under "egress", and first the ceiling at org\.yaml:\d+:\d+/,
      ),
      add: { file: "teams/shop.yaml", under: "egress", lines: ["- { host: rates.example.org }"] },
    },
  });
  // A word that nothing of the run is about asks about all of it.
  expect(reasonsOf(await house.say(ANA, "why not", { in: run })).length).toBeGreaterThan(1);
});

test("a run that was denied for its sandbox is explained by the line that wants it, as it stood then", async () => {
  house.policy.edit("teams/data.yaml", "limits:", "sandbox: { disk: 10GB }\nlimits:");
  await house.say(ANA, "mend the query", { channel: "C0DATA" });
  const run = await house.until("denied");
  const [lack] = reasonsOf(await house.say(ANA, "why sandbox.disk", { in: run }));
  expect(lack).toMatchObject({
    ...{ about: "sandbox", subject: "sandbox.disk", outcome: "deny", points: ["sandbox"] },
    rules: [{ ref: { text: "sandbox.disk 10GB" }, commit: "edited" }],
    remedy: { text: expect.stringMatching(/^the line at teams\/data\.yaml:\d+:12 would have to ask for a sandbox/) },
  });
  expect(lack && excerpts(lack)).toEqual(["sandbox: { disk: 10GB }"]);
  house.policy.edit("teams/data.yaml", "sandbox: { disk: 10GB }\n", "");
  const [now] = reasonsOf(await house.say(ANA, "why", { in: run }));
  expect(now && excerpts(now)).toEqual(["sandbox: { disk: 10GB }"]);
  expect(now?.remedy).toBeNull();
});

test("where no run is, why says which line gives this place its team and what that team may work on", async () => {
  const view = await house.say(ANA, "why", { channel: "C0DATA" });
  if (view?.kind !== "why_here") throw new Error(`it is a ${view?.kind}`);
  expect(view).toMatchObject({
    team: "data",
    members: "group:data",
    repositories: ["acme/reports"],
    owners: "group:security",
    because: expect.stringMatching(/^this channel belongs to team data \(org\.yaml:\d+:\d+\)$/),
  });
  expect(view.rules[0]?.excerpt?.lines.join()).toContain("C0DATA: data");
  expect(view.rules.map(({ ref }) => ref.text)).toContain("allow git.repo acme/reports");
});

test("who may not ask here is told why not, and nothing of the policy", async () => {
  expect(await house.say(DEE, "why", { channel: "C0DATA" })).toMatchObject({ refusal: { code: "guest" } });
  expect(await house.say(ANA, "why", { channel: "C0NEW" })).toMatchObject({
    refusal: { code: "no_mapping", fix: expect.stringMatching(/^C0NEW: data {2}# org\.yaml, under routing\.slack/) },
  });
});
