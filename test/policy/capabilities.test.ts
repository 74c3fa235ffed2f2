import { expect, test } from "vitest";
import { enforcementOf } from "#policy/decide/enforced.ts";
import { capabilitiesOf, capabilitiesOfTeam, diffCapabilities } from "#policy/explain/capabilities.ts";
import type { Policy } from "#policy/policy.ts";
import type { questionParts } from "#policy/shapes/rule.ts";
import { load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

/** For every word of a question, one that is not what it would be without. */
const SAID: Record<keyof typeof questionParts, readonly string[]> = {
  from: ["group:shop"],
  quorum: ["2"],
  self: ["true"],
  expires: ["20m", "2h"],
  remind: ["5m"],
  give_up: ["1d"],
  escalate: ["{after: 5m, to: group:shop}", "{after: 6m, to: group:shop}", "{after: 5m, to: group:more}"],
  delegate: ["true"],
  grants: ["{for: once}", "{for: 30m}", "{uses: 3}", "{for: 30m, uses: 3}"],
  binds: ["base", "policy", "[base, policy]"],
  // Its other value loads nowhere: docs/adr/0024.
  assurance: [],
};

const GROUPS = ORG.replace("leads:", "more: {people: [U0BO, U0CY]}, leads:").replace("U0BO]}}", "U0BO, U0DI]}}");
const wordsOf = (key: string, value: string) =>
  `${key === "from" ? "" : "from: group:leads, "}${key === "" ? "" : `${key}: ${value}`}`;
const inRule = (words: string) => teamFile(`rules:\n  - {ask: {git.repo: acme/shop}, ${words}}\n`);
const inUnlisted = (words: string) =>
  teamFile(`rules:\n  - {allow: {git.repo: acme/shop}}\nunlisted_egress: {ask: {${words}}}\n`);

const policyOf = (file: string): Policy => loaded(load(file, { org: GROUPS }));

const texts = (policy: Policy) => capabilitiesOf(policy).map(({ text }) => text);

test.each([
  ["rule", inRule],
  ["host outside the list", inUnlisted],
])("every word of a question about a %s that changes the digest changes what diff prints", (_what, file) => {
  const said = Object.entries(SAID).flatMap(([key, values]) => values.map((value) => wordsOf(key, value)));
  const policies = [wordsOf("", ""), ...said].map((words) => ({ words, policy: policyOf(file(words)) }));
  const [plain] = policies;
  for (const { words, policy } of policies.slice(1)) {
    expect(policy.digest, words).not.toBe(plain?.policy.digest);
    expect(diffCapabilities(plain?.policy as Policy, policy), words).not.toEqual([]);
  }
  // Nor do two of them read the same.
  expect(new Set(policies.map(({ policy }) => texts(policy).join("\n"))).size).toBe(policies.length);
});

test("what only the organisation's default says is said once, and not with each question", () => {
  const policy = loaded(load(inRule("from: group:leads"), { org: GROUPS }));
  const [, rule] = capabilitiesOfTeam(policy, "shop");
  expect(rule?.text).toBe("shop may work on acme/shop after group:leads says yes");
  const other = loaded(load(inRule("from: group:leads, delegate: true, remind: 5m"), { org: GROUPS }));
  expect(capabilitiesOfTeam(other, "shop")[1]?.text).toBe(
    "shop may work on acme/shop after group:leads says yes; reminds after 5m; may be delegated",
  );
});

test("a question for more proof, out of a policy that an older release kept, is printed as one", () => {
  const now = policyOf(inRule("from: group:leads"));
  const shop = now.teams.shop as NonNullable<typeof now.teams.shop>;
  const rules = shop.rules.map((rule) => ({
    ...rule,
    ask: rule.ask && { ...rule.ask, assurance: "step_up" as const },
  }));
  expect(texts({ ...now, teams: { shop: { ...shop, rules } } })).toContainEqual(
    expect.stringContaining("with more proof than a chat account"),
  );
});

test("whom the organisation asks where no rule names a group is printed", () => {
  const rule = inRule("from: group:leads");
  const org = `${GROUPS}defaults: {approvals: {from: group:leads}}\n`;
  const [was, is] = [GROUPS, org].map((one) => loaded(load(rule, { org: one })));
  expect(diffCapabilities(was as Policy, is as Policy)).toMatchObject([
    { sign: "~", text: expect.stringContaining("; where no rule names a group, group:leads is asked") },
  ]);
});

test("each part of a sandbox is said with the line that holds and where it is enforced", () => {
  const org = `${ORG}  sandbox: {isolation: process, provider: [local, daytona], disk: 9GB}\ndefaults: {sandbox: {isolation: container, cpu: 4}}\n`;
  const team = (sandbox: string) => teamFile(`rules:\n  - {allow: {git.repo: acme/shop}}\nsandbox: ${sandbox}\n`);
  const policy = loaded(load(team("{isolation: process, memory: 2GB}"), { org }));
  const sandboxOf = (one: Policy) => capabilitiesOfTeam(one, "shop").filter(({ text }) => text.includes("sandbox"));
  expect(sandboxOf(policy).map(({ text, at, points }) => [text, at, points])).toEqual([
    ["shop runs in a sandbox of isolation container or better", "org.yaml:11:22", ["intake", "worker"]],
    ["shop runs in a sandbox at local, daytona", "org.yaml:10:33", ["intake", "worker"]],
    ["shop runs in a sandbox of at most 4 processors", "org.yaml:11:44", ["sandbox"]],
    ["shop runs in a sandbox of at most 2,000,000,000 bytes of memory", "teams/shop.yaml:7:31", ["sandbox"]],
    ["shop runs in a sandbox of at most 9,000,000,000 bytes of disk", "org.yaml:10:61", ["sandbox"]],
  ]);
  const stronger = loaded(load(team("{isolation: microvm, memory: 1GB}"), { org }));
  expect(diffCapabilities(policy, stronger)).toEqual([
    {
      ...{ sign: "~", at: "teams/shop.yaml:7:31" },
      text: "shop runs in a sandbox of at most 1,000,000,000 bytes of memory (was: shop runs in a sandbox of at most 2,000,000,000 bytes of memory)",
    },
    {
      ...{ sign: "~", at: "teams/shop.yaml:7:11" },
      text: "shop runs in a sandbox of isolation microvm or better (was: shop runs in a sandbox of isolation container or better)",
    },
  ]);
});

test("accounts that have to be linked are said, with where that is enforced, and a team only adds to them", () => {
  const org = `${ORG}linked: {authors: github}\n`;
  const team = teamFile(
    "rules:\n  - {allow: {git.repo: acme/shop}}\nlinked: {authors: [linear, github], approvers: github}\n",
  );
  const plain = loaded(load(teamFile("rules:\n  - {allow: {git.repo: acme/shop}}\n")));
  const policy = loaded(load(team, { org }));
  const said = capabilitiesOfTeam(policy, "shop").filter(({ text }) => text.includes("is linked"));
  expect(said.map(({ text, at, points }) => [text, at, points])).toEqual([
    ["shop works only for people whose github account is linked", "org.yaml:10:10", ["intake", "publish"]],
    ["shop works only for people whose linear account is linked", "teams/shop.yaml:7:10", ["intake", "publish"]],
    ["shop takes a yes only from people whose github account is linked", "teams/shop.yaml:7:37", ["worker"]],
  ]);
  const lines = enforcementOf(policy).filter(({ text }) => text.includes("linked"));
  expect(lines.map(({ text, points, advisory }) => [text, points.join(), advisory])).toEqual([
    ["authors have their github account linked", "intake,publish", false],
    ["authors have their linear account linked", "intake,publish", false],
    ["approvers have their github account linked", "worker", false],
  ]);
  expect(diffCapabilities(plain, policy).map(({ sign }) => sign)).toEqual(["+", "+", "+"]);
  expect("linked" in (plain.teams.shop ?? {})).toBe(false);
});
