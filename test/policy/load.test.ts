import { expect, test } from "vitest";
import { restorePolicy } from "#policy/archive.ts";
import { decide } from "#policy/decide/decide.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { groupOf, limitsOf, membersOf, type Policy, repositoriesOf } from "#policy/policy.ts";
import { route } from "#policy/route.ts";
import { load, loaded, ORG, sampleFiles, teamFile } from "#test/policy/sample.ts";

const policy = loaded(loadPolicy(sampleFiles(), { commit: "c0ffee" }));

const teams = Object.keys(policy.teams).sort().join(", ");

function everyValue(value: unknown): unknown[] {
  return typeof value === "object" && value !== null ? [value, ...Object.values(value).flatMap(everyValue)] : [];
}

test("a policy is frozen all the way down, and plain data", () => {
  expect(everyValue(policy).every((value) => Object.isFrozen(value))).toBe(true);
  expect(JSON.parse(JSON.stringify(policy))).toEqual(policy);
});

test("the order of files never matters", () => {
  const backwards = new Map([...sampleFiles()].reverse());
  expect(loaded(loadPolicy(backwards, { commit: "c0ffee" }))).toEqual(policy);
});

test("the same files at another commit have the same digest; another text has another", () => {
  expect(loaded(loadPolicy(sampleFiles(), { commit: "another" })).digest).toBe(policy.digest);
  const changed = sampleFiles();
  changed.set("teams/shop.yaml", `${changed.get("teams/shop.yaml")}`.replace("cost_usd: 5", "cost_usd: 6"));
  expect(loaded(loadPolicy(changed, { commit: "c0ffee" })).digest).not.toBe(policy.digest);
  expect(policy.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
});

test("a stored policy decides again, and one that was touched is refused", () => {
  const stored = JSON.parse(JSON.stringify(policy)) as Policy;
  const request = { team: "shop", objects: [{ subject: "action", action: "run.start" } as const] };
  expect(decide(restorePolicy(stored), request)).toEqual(decide(policy, request));
  const touched = JSON.parse(JSON.stringify(policy).replace("acme/shop", "acme/pay")) as Policy;
  expect(() => restorePolicy(touched)).toThrow("the stored policy is not sha256:");
});

test("a broken test file never stops a policy", () => {
  const files = sampleFiles();
  files.set("tests/broken.test.yaml", "cases: {");
  expect(loadPolicy(files, { commit: "c0ffee" }).ok).toBe(true);
});

test("a silent team gets the defaults, and without them the ceiling", () => {
  const quiet = loaded(load(teamFile("")));
  expect(limitsOf(quiet, "shop")).toMatchObject({ costUsd: 10, runtimeMs: 7_200_000 });
  const some = loaded(load(teamFile("limits: {runtime: 5m}\n"), { org: `${ORG}defaults: {limits: {cost_usd: 1}}\n` }));
  expect(limitsOf(some, "shop")).toMatchObject({ costUsd: 1, runtimeMs: 300_000, concurrentRuns: 5 });
  expect(limitsOf(some, "sales")).toBeNull();
});

test("approvals have defaults, and the organisation may set them", () => {
  const minute = 60_000;
  expect(loaded(load(teamFile(""))).approvals).toEqual({
    from: null,
    quorum: 1,
    self: false,
    expiresMs: 30 * minute,
    remindMs: 10 * minute,
    giveUpMs: 7 * 24 * 60 * minute,
  });
  const org = `${ORG}defaults: {approvals: {quorum: 2, expires: 1h, give_up: 1d}}\n`;
  const set = loaded(load(teamFile("rules: [{ask: {action: run.start}, from: group:leads}]\n"), { org }));
  expect(set.approvals).toMatchObject({ quorum: 2, expiresMs: 60 * minute, giveUpMs: 24 * 60 * minute });
  expect(set.teams.shop?.rules[0]?.ask).toMatchObject({ quorum: 2, expiresMs: 60 * minute });
});

test("the repository that holds the policy is never given to a run, also through a wildcard", () => {
  const site = { policyRepos: ["acme/policies"] };
  const wide = loaded(load(teamFile('rules: [{allow: {git.repo: "acme/*"}}]\n'), { site }));
  const decision = decide(wide, { team: "shop", objects: [{ subject: "git.repo", repo: "Acme/Policies" }] });
  expect(decision).toMatchObject({ outcome: "deny", reason: "rule", rules: [{ at: "baseline" }] });
});

test("groups are found by their reference, and nothing else is one", () => {
  expect(groupOf(policy, "group:leads")).toEqual({ slack_usergroup: "S0LEADS" });
  for (const reference of ["leads", "group:nobody", "group:constructor", "group:", "GROUP:leads"]) {
    expect(groupOf(policy, reference)).toBeNull();
  }
  expect(membersOf(policy, "constructor")).toBeNull();
});

test("a team's default repository is its only one", () => {
  const two = loaded(load(teamFile('rules: [{allow: {git.repo: ["acme/shop", "acme/site"]}}]\n')));
  expect(repositoriesOf(two, "shop")).toEqual({ globs: ["acme/shop", "acme/site"], only: null });
  const wide = loaded(load(teamFile('rules: [{allow: {git.repo: "acme/*"}}]\n')));
  expect(repositoriesOf(wide, "shop").only).toBeNull();
  expect(repositoriesOf(policy, "shop").only).toBe("acme/shop");
});

test("a channel and a ticket team lead to the team, with the place that said so", () => {
  expect(route(policy, { provider: "slack", channel: "C0SHOP" })).toEqual({ team: "shop", at: "org.yaml:16:31" });
  expect(route(policy, { provider: "linear", team: "DATA" })).toMatchObject({ team: "data" });
});

test("a channel nobody mapped is denied with the line to add", () => {
  expect(route(policy, { provider: "slack", channel: "C0NEW" })).toEqual({
    deny: "no_mapping",
    fix: `C0NEW: data  # org.yaml, under routing.slack; one of ${teams}`,
  });
  expect(route(policy, { provider: "linear", team: "OPS" })).toEqual({
    deny: "no_mapping",
    fix: `OPS: data  # org.yaml, under routing.linear; one of ${teams}`,
  });
});

test("the line to add is one that loads", () => {
  const missing = route(policy, { provider: "slack", channel: "C0NEW" });
  const line = "fix" in missing ? missing.fix : "";
  const org = ORG.replace("slack: {C0SHOP: shop}", "").replace(
    "routing: {}",
    `routing:\n  slack:\n    ${line.replace("data", "shop")}`,
  );
  const mended = loaded(load(teamFile(""), { org }));
  expect(route(mended, { provider: "slack", channel: "C0NEW" })).toMatchObject({ team: "shop" });
});

test("a place that is no id is not repeated, and names of JavaScript are no mapping", () => {
  for (const channel of ["constructor", "__proto__", "C0X: shop\nC0Y", "#shop"]) {
    expect(route(policy, { provider: "slack", channel })).toEqual({
      deny: "no_mapping",
      fix: `ID: data  # org.yaml, under routing.slack; one of ${teams}`,
    });
  }
});
