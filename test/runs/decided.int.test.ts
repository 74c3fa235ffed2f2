import { afterEach, expect, test } from "vitest";
import { EventBody } from "#runs/event.ts";
import { eventsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, DEE, memoryHouse, person, type Script } from "./memory-house.ts";

/** Each decision of policy is in the record, once, with all that it was about. */

let house: Awaited<ReturnType<typeof memoryHouse>>;
const open = async (script: Script = {}) => {
  house = await memoryHouse(script);
  return house;
};
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const data = { channel: "C0DATA" };
const clean = (line: string) => ({ run: line, ask: true, output: `ran ${line}` });
const changed = (...paths: string[]) => ({
  files: paths.map((path) => ({ path, status: "modified" as const, additions: 1, deletions: 0 })),
});

async function decisions(run: Pick<Run, "id">, about: string) {
  const bodies = (await eventsOf(house.core, run.id)).map(({ body }) => body);
  return bodies.filter(
    (body): body is Extract<EventBody, { kind: "policy.decided" }> =>
      body.kind === "policy.decided" && body.about === about,
  );
}

test("a result that policy lets be published is one decision, with its size and every path", async () => {
  await open({ changes: changed("docs/a.md", "docs/b.md", "docs/c.md", "docs/d.md", "docs/e.md", "sql/f.sql") });
  await house.say(ANA, "change the docs", data);
  const run = await house.until("in_review");
  const told = await decisions(run, "publish");
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({
    subject: "docs/a.md, docs/b.md, docs/c.md, docs/d.md, docs/e.md and 1 more",
    outcome: "allow",
    request: {
      team: "data",
      objects: [
        { subject: "git.repo", repo: "acme/reports" },
        { subject: "git.branch", repo: "acme/reports", branch: run.branch },
        { subject: "action", action: "pr.open", draft: true },
        { subject: "git.size", files: 6, lines: 6 },
        { subject: "git.path", path: "docs/a.md" },
        { subject: "git.path", path: "docs/b.md" },
        { subject: "git.path", path: "docs/c.md" },
        { subject: "git.path", path: "docs/d.md" },
        { subject: "git.path", path: "docs/e.md" },
        { subject: "git.path", path: "sql/f.sql" },
      ],
    },
  });
});

test("a result that policy let go before a crash is not decided about a second time in the record", async () => {
  await open({ changes: changed("docs/a.md") });
  const { push } = house.repoHost;
  let tries = 0;
  house.repoHost.push = async (...of) => {
    tries += 1;
    if (tries === 1) throw new Error("the forge is away");
    return push(...of);
  };
  await house.say(ANA, "change the docs", data);
  const run = await house.until("in_review");
  expect(tries).toBe(2);
  expect(await decisions(run, "publish")).toHaveLength(1);
});

test("what people are asked about a result is one decision too, also once they have said yes", async () => {
  await open({ changes: changed("scripts/lint.sh") });
  await house.say(ANA, "mend the lint script", data);
  const run = await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
  expect((await decisions(run, "publish")).map(({ outcome }) => outcome)).toEqual(["ask"]);
});

const startsOf = async (run: Pick<Run, "id">) =>
  (await decisions(run, "start")).map(({ outcome, digest }) => [outcome, digest]);
const digestNow = () => house.policy.current.ok && house.policy.current.policy.digest;

test("the start that a newer policy lets begin is a decision of its own, with people's yes and without", async () => {
  await open({ play: () => [clean("rm -rf build"), { say: "Done." }] });
  house.policy.edit(DATA, "limits: { cost_usd", "limits: { concurrent_runs: 1, cost_usd");
  await house.say(ANA, "clean up", data);
  const first = await house.until("working");
  await house.question(first);
  await house.say(ANA, "clean up again", data);
  const inLine = await house.until("queued");
  await house.say(ANA, "append a line");
  const asked = await house.until("waiting");
  const before = digestNow();
  house.policy.edit(DATA, "why: scripts run against real data", "why: scripts run against the data itself");
  const now = digestNow();
  await house.answer(BO, (await house.question(asked)).id);
  await house.answer(BO, (await house.question(first)).id);
  await expect.poll(async () => (await house.core.stores.runs.get(first.id))?.state).toBe("answered");
  await house.pass(6_000, inLine);
  // Of two runs that have begun, the newer may be done with its work by now.
  await expect.poll(async () => (await house.core.stores.runs.get(inLine.id))?.state).toBe("working");
  const both = (outcome: string) => [before, now].map((digest) => [outcome, digest]);
  expect(await startsOf(inLine)).toEqual(both("allow"));
  expect(await startsOf(asked)).toEqual(both("ask"));
  expect(await startsOf(first)).toHaveLength(1);
});

test("a command that people are asked about is one decision for each time the agent asks, with the yes it was covered by", async () => {
  await open({ play: () => [clean("rm -rf build"), clean("rm -rf build"), { say: "Done." }] });
  house.policy.edit(DATA, "grants: { for: once }", "grants: { for: run }");
  await house.say(ANA, "clean up", data);
  const run = await house.until("working");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("answered");
  const objects = [
    { subject: "command", command: "rm -rf build" },
    { subject: "tool", tool: "shell" },
  ];
  expect(await decisions(run, "command")).toMatchObject([
    { outcome: "ask", request: { objects } },
    { outcome: "ask", request: { objects } },
  ]);
  const kinds = (await eventsOf(house.core, run.id)).map(({ body }) => body.kind);
  expect(kinds.filter((kind) => kind === "approval.opened")).toHaveLength(1);
  expect(kinds.filter((kind) => kind === "grant.used")).toHaveLength(2);
});

test("a command that people denied before is a decision when it is asked for again", async () => {
  await open({
    play: (prompt) =>
      prompt.includes("was refused")
        ? [{ say: "I leave it." }]
        : [clean("rm -rf build"), clean("rm -rf build"), { say: "Done." }],
  });
  await house.say(ANA, "clean up", data);
  const run = await house.until("working");
  await house.answer(BO, (await house.question(run)).id, "deny");
  await house.until("answered");
  expect((await decisions(run, "command")).map(({ outcome }) => outcome)).toEqual(["ask", "ask"]);
});

test("a run's record names its policy by repository, commit and digest; older records have no repository", async () => {
  await open();
  const { current } = house.policy;
  if (!current.ok) throw new Error(current.problem);
  house.policy.current = { ...current, site: { policyRepos: ["acme/policies", "acme/rules"] } };
  await house.say(ANA, "append a line");
  const [requested] = await eventsOf(house.core, (await house.until("waiting")).id);
  const { digest, commit } = current.policy;
  expect(requested?.body).toMatchObject({ kind: "run.requested", policy: { repo: "acme/policies", commit, digest } });
  expect(EventBody.parse({ ...requested?.body, policy: { commit, digest } })).toMatchObject({
    policy: { commit, digest },
  });
});

const turnedAway = async () => {
  const { notes } = house.core.stores;
  const keys = await notes.keys("turned-away:", 10);
  return Promise.all(keys.map(async (key) => (await notes.get(key))?.body));
};

test("a request that policy turns away at intake is in the record once, without its words", async () => {
  await open();
  const eve = person("U0EVE", "Eve");
  house.directory.put(eve);
  await house.say(ANA, "append a line", { channel: "C0NEW", key: "one" });
  await house.say(ANA, "append a line", { channel: "C0NEW", key: "one" });
  await house.say(ANA, "append another line", { channel: "C0NEW", key: "two" });
  await house.say(eve, "append a line");
  await house.say(DEE, "append a line");
  await house.say(ANA, "change sql/churn.sql in acme/reports");
  const digest = house.policy.current.ok ? house.policy.current.policy.digest : "";
  const by = (id: string) => expect.objectContaining({ provider: "slack", workspace: "T0LOCAL", id });
  expect(await turnedAway()).toEqual([
    { by: by("U0ANA"), channel: "C0NEW", code: "no_mapping", team: null, digest, request: null },
    { by: by("U0EVE"), channel: "C0SHOP", code: "not_a_member", team: "shop", digest, request: null },
    { by: by("U0DEE"), channel: "C0SHOP", code: "guest", team: null, digest, request: null },
    {
      by: by("U0ANA"),
      channel: "C0SHOP",
      code: "unknown_repository",
      team: "shop",
      digest,
      request: { team: "shop", objects: [{ subject: "git.repo", repo: "acme/reports" }] },
    },
  ]);
  expect(JSON.stringify(await turnedAway())).not.toContain("churn");
});

test("whoever is turned away again and again fills nothing, and hides nobody else's refusal", async () => {
  await open();
  for (let n = 0; n < 25; n += 1) await house.say(ANA, "append a line", { channel: `C0NEW${n}`, key: `ana ${n}` });
  await house.say(DEE, "append a line");
  const { notes } = house.core.stores;
  expect(await notes.keys("turned-away:", 100)).toHaveLength(21);
  expect(
    await notes.keys(`turned-away:${house.core.clock.now().toISOString().slice(0, 10)}:slack:T0LOCAL:U0DEE:`, 10),
  ).toHaveLength(1);
});

test("what is a question or a mistake at intake is no decision of policy", async () => {
  await open();
  await house.say(ANA, "stop");
  await house.say(ANA, "help");
  expect(await turnedAway()).toEqual([]);
});
