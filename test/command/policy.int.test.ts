import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { type PolicyCommand, policyCommand } from "#command/policy.ts";
import type { RecordedDecision } from "#policy/explain/simulate.ts";
import { loadPolicy } from "#policy/load/load.ts";
import type { Policy } from "#policy/policy.ts";

const SPECIFICATION = path.join(import.meta.dirname, "..", "fixtures", "policy", "specification");
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "countersign-policy-"));
  cpSync(SPECIFICATION, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function edit(file: string, from: string, to: string): void {
  const at = path.join(folder, file);
  const text = readFileSync(at, "utf8");
  expect(text).toContain(from);
  writeFileSync(at, text.replace(from, to));
}

async function run(
  argv: readonly string[],
  recorded: readonly RecordedDecision[] = [],
  o: { kept?: readonly Policy[]; folder?: PolicyCommand["folder"] } = {},
) {
  const out: string[] = [];
  const error: string[] = [];
  const at: PolicyCommand = {
    folder: o.folder ?? folder,
    site: () => ({}),
    out: (text) => out.push(text),
    error: (text) => error.push(text),
    recorded: async (of) =>
      recorded.filter((one) => ("run" in of ? one.run === of.run : Date.parse(one.at) >= of.since.getTime())),
    kept: async (digests) =>
      new Map((o.kept ?? []).filter(({ digest }) => digests.includes(digest)).map((policy) => [policy.digest, policy])),
    now: () => new Date("2026-11-21T12:00:00Z"),
  };
  const code = await policyCommand(argv, at);
  return { code, out: out.join("\n"), error: error.join("\n") };
}

test("who asks for help reads every word of it, and who says an unknown one reads which there are", async () => {
  const { code, out, error } = await run(["--help"]);
  expect({ code, error }).toEqual({ code: 0, error: "" });
  const words = ["check", "test", "explain", "diff", "simulate", "schema", "accept"];
  for (const word of words) expect(out).toContain(`countersign policy ${word} `);
  const unknown = await run(["chek"]);
  expect(unknown.code).toBe(2);
  expect(unknown.error).toContain('there is no "policy chek" - did you mean "check"?');
});

test("check says how many teams there are and the digest", async () => {
  const { code, out } = await run(["check"]);
  expect(code).toBe(0);
  expect(out).toMatch(/4 teams, 0 recipes, sha256:[0-9a-f]{64}$/);
});

test("check says how many lines each place enforces, and names those that are only advice", async () => {
  const { out } = await run(["check"]);
  const [, counts = ""] = /^enforced by: (.+)$/m.exec(out) ?? [];
  expect(counts.replace(/\d+/g, "n")).toBe("intake n, worker n, gateway n, relay n, publish n");
  expect(out).toContain(
    [
      "advisory, only where the agent asks:",
      "  teams/data.yaml:8:5  allow command dbt build --target dev*, dbt test*",
    ].join("\n"),
  );
  const told = JSON.parse((await run(["check", "--json"])).out) as { enforced: readonly unknown[] };
  expect(told.enforced).toContainEqual({
    at: "teams/data.yaml:19:10",
    text: "limits.cost_usd 15",
    points: ["gateway"],
    advisory: false,
  });
});

test("explain says what a team is held to, with the line and who enforces it", async () => {
  const { code, out } = await run(["explain", "--team", "data"]);
  expect(code).toBe(0);
  expect(out.split("\n")).toEqual([
    "data is held to",
    "  teams/data.yaml:19:10  limits.cost_usd 15: enforced by gateway",
    expect.stringMatching(/^ {2}org\.yaml:\d+:\d+ {2}limits\.tokens 5M: enforced by gateway$/),
    "  teams/data.yaml:19:24  limits.runtime 2h: enforced by worker",
    "  teams/data.yaml:19:37  limits.upload 50MB: enforced by gateway",
    expect.stringMatching(/^ {2}org\.yaml:\d+:\d+ {2}limits\.concurrent_runs 2: enforced by intake$/),
  ]);
});

test("check says every mistake with its place, and ends with 1", async () => {
  edit("teams/data.yaml", "limits:", "limts:");
  edit("teams/infra.yaml", "group:platform\n    quorum", "group:platfrom\n    quorum");
  const { code, error } = await run(["check"]);
  expect(code).toBe(1);
  expect(error.split("\n")).toEqual([
    'teams/data.yaml:19:1 unknown key "limts" - did you mean "limits"?',
    'teams/infra.yaml:10:11 unknown group "group:platfrom" - did you mean "group:platform"?',
  ]);
});

test("check reads the tests too", async () => {
  edit("tests/marketing.test.yaml", "expect: allow", "expect: alow");
  expect(await run(["check"])).toMatchObject({
    code: 1,
    error: expect.stringContaining("tests/marketing.test.yaml:5:"),
  });
});

test("check warns of what a rule cannot hold by itself", async () => {
  const { code, out } = await run(["check"]);
  expect(code).toBe(0);
  // "dbt" reaches a host of the team's; "terraform" reaches none, which is its wall.
  expect(out).not.toContain("teams/infra.yaml:14:5 warning");
  expect(out).toContain("teams/data.yaml:9:5 warning: a command rule is advisory");
});

test("test tries the cases, and coverage names the rules that none of them hits", async () => {
  const { code, out } = await run(["test", "--coverage"]);
  expect(code).toBe(0);
  expect(out).toContain("4 of 4 cases hold");
  expect(out).toMatch(/\d+ of \d+ rules are hit by a case\nno case hits:\n/);
  expect(out).toContain("teams/infra.yaml:8:5  allow command terraform plan*, helm diff*");
  expect(out).not.toContain("teams/marketing.yaml:8:5");
});

test("test ends with 1 when a case does not hold, and when there is none", async () => {
  edit("tests/marketing.test.yaml", "expect: allow", "expect: deny");
  expect(await run(["test"])).toMatchObject({ code: 1, error: expect.stringContaining('"copy edit" expects deny') });
  rmSync(path.join(folder, "tests"), { recursive: true });
  expect(await run(["test"])).toMatchObject({ code: 1, error: expect.stringContaining("no case was tried") });
});

test("explain says every rule that was considered, why not, and where it is enforced", async () => {
  const { code, out } = await run(["explain", "--team", "marketing", "--push", "acme/site", "--path", "src/a.ts"]);
  expect(code).toBe(0);
  expect(out.split("\n")).toEqual([
    "deny (rule)",
    "  git.repo acme/site: allow, enforced by intake and publish",
    "    org.yaml:18:5  deny git.repo acme/policies, acme/control-plane: names something else",
    "    teams/marketing.yaml:7:5  allow git.repo acme/site: decides",
    "  git.branch agent/test in acme/site: allow, enforced by intake, relay and publish",
    "    org.yaml:18:5  deny git.repo acme/policies, acme/control-plane: names something else",
    "    teams/marketing.yaml:7:5  allow git.repo acme/site: grants the repository",
    "    baseline  allow git.branch of the run: decides (a run may always push to its own branch)",
    "  git.path src/a.ts in acme/site: deny, enforced by relay",
    "    org.yaml:17:5  deny git.path **/.github/workflows/**, **/CODEOWNERS, .gitmodules: names something else",
    "    org.yaml:18:5  deny git.repo acme/policies, acme/control-plane: names something else",
    "    org.yaml:19:5  ask git.path **/migrations/** from group:platform: names something else",
    "    teams/marketing.yaml:7:5  allow git.repo acme/site: grants the repository",
    "    teams/marketing.yaml:8:5  allow git.path content/**, public/img/** in acme/site: names something else",
    "    teams/marketing.yaml:10:5  ask git.path src/components/** in acme/site from group:product: names something else",
    "    teams/marketing.yaml:13:5  deny git.path ** except content/**, public/img/**, src/components/**: decides",
    "  git.size 1 files, 0 lines, 0 bytes in acme/site: allow, enforced by publish",
    "    org.yaml:18:5  deny git.repo acme/policies, acme/control-plane: names something else",
    "    teams/marketing.yaml:7:5  allow git.repo acme/site: grants the repository",
    "    baseline  allow git.size: decides (no rule speaks of a change of this size)",
  ]);
});

test("explain says that a command rule is advisory", async () => {
  const { out } = await run(["explain", "--team", "infra", "--command", "cd x && terraform apply -auto-approve"]);
  expect(out).toContain("deny (rule)");
  expect(out).toContain("enforced by protocol (advisory: it acts where the agent asks)");
});

const decidedBy = (policies: readonly string[]): RecordedDecision => ({
  run: "r1",
  at: "2026-11-20T10:00:00.000Z",
  about: "start",
  outcome: "deny",
  request: { team: "data", objects: [{ subject: "git.repo", repo: "acme/dbt" }] },
  policies,
});

/** The policy of the folder as it is, as a run would have been begun under it. */
function compiled(commit: string): Policy {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
  const loaded = loadPolicy(new Map(names.map((name) => [name, readFileSync(path.join(folder, name), "utf8")])), {
    commit,
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.policy;
}

test("explain of a run answers with the policy that decided, and says what it would be under the files now", async () => {
  const [from, to] = ["- allow: {git.repo: [acme/dbt, acme/notebooks]}", "- allow: {git.repo: acme/notebooks}"];
  const before = compiled("aaaa");
  edit("teams/data.yaml", from, to);
  const narrowed = compiled("bbbb");
  edit("teams/data.yaml", to, from);
  const decision = decidedBy([narrowed.digest, before.digest]);
  const { code, out } = await run(["explain", "r1"], [decision], { kept: [before, narrowed] });
  expect(code).toBe(0);
  const [then, , , ...rest] = out.split("\n");
  expect(then).toBe(`2026-11-20T10:00:00.000Z start: deny, by ${narrowed.digest.slice(0, 15)} at bbbb`);
  expect(out).toContain("deny (no_rule)\n");
  expect(rest.join("\n")).toContain("now: allow\n");
  const again = await run(["explain", "r1", "--json"], [decision], { kept: [before, narrowed] });
  expect(JSON.parse(again.out)).toMatchObject([
    {
      by: { digest: narrowed.digest, commit: "bbbb", explanation: { decision: { outcome: "deny" } } },
      now: { decision: { outcome: "allow" } },
    },
  ]);
  edit("teams/data.yaml", from, to);
  expect((await run(["explain", "r1"], [decision], { kept: [narrowed] })).out).toContain("now: the same");
  expect(await run(["explain", "r2"], [decision])).toMatchObject({
    code: 1,
    error: "no decision of a run r2 is recorded",
  });
});

test("explain of a run names the line of a limit that decided, and simulate counts what cannot be put again", async () => {
  const policy = compiled("aaaa");
  const limit: RecordedDecision = {
    ...decidedBy([policy.digest]),
    ...{ about: "budget", request: null },
    told: {
      ...{ subject: "per_month.cost_usd", reason: "over_limit" },
      rules: [{ at: "teams/data.yaml:19:50", text: "limits.per_month.cost_usd 3", why: null }],
    },
  };
  const { code, out } = await run(["explain", "r1"], [limit], { kept: [policy] });
  expect(code).toBe(0);
  expect(out.split("\n")).toEqual([
    `2026-11-20T10:00:00.000Z budget: deny, by ${policy.digest.slice(0, 15)} at aaaa`,
    "deny (over_limit)",
    "  per_month.cost_usd: deny, enforced by intake and gateway",
    "    teams/data.yaml:19:50  limits.per_month.cost_usd 3: decides",
    "",
    "1 decision at the budget, where a limit decided is not replayed",
  ]);
  const json = await run(["explain", "r1", "--json"], [limit], { kept: [policy] });
  expect(JSON.parse(json.out)).toMatchObject([{ decision: { told: { subject: "per_month.cost_usd" } }, now: null }]);
  const simulated = await run(["simulate", "--since", "14d"], [limit]);
  expect(simulated.out.split("\n")).toEqual([
    "0 of 0 decisions change",
    "1 decision at the budget, where a limit decided is not replayed",
  ]);
});

test("explain of a run needs no files: a policy in a repository, or files that do not load, are only said", async () => {
  const policy = compiled("aaaa");
  const decision = { ...decidedBy([policy.digest]), outcome: "allow" } as const;
  const elsewhere = await run(["explain", "r1"], [decision], {
    kept: [policy],
    folder: { repository: "acme/policies#main" },
  });
  expect(elsewhere).toMatchObject({ code: 0, error: "" });
  expect(elsewhere.out).toContain("start: allow, by ");
  expect(elsewhere.out).toContain(
    "what it would be now is not said: the service takes its policy from acme/policies#main",
  );
  edit("teams/data.yaml", "limits:", "limts:");
  const broken = await run(["explain", "r1"], [decision], { kept: [policy] });
  expect(broken.out).toContain(`what it would be now is not said: the files in ${folder} do not load`);
  const unknown = await run(["explain", "r1"], [{ ...decision, policies: ["sha256:gone"] }]);
  expect(unknown.out).toContain("start: allow, by a policy that was not kept");
});

test("a command about files is told where they are when the service takes its policy from a repository", async () => {
  const { code, error } = await run(["check"], [], { folder: { repository: "acme/policies#main" } });
  expect(code).toBe(2);
  expect(error).toContain("the service takes its policy from acme/policies#main: check that out, and name its folder");
  expect((await run(["check", folder], [], { folder: { repository: "acme/policies#main" } })).code).toBe(0);
});

test("diff says what changes in capabilities, and that moving a line changes nothing", async () => {
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...args], { cwd: folder });
  git("init", "-q", "-b", "main");
  git("add", "-A");
  git("commit", "-qm", "one");
  const same = { code: 0, out: expect.stringMatching(/^nothing changes/) };
  expect(await run(["diff", "main.."])).toMatchObject(same);
  expect(await run(["diff", "main..", "--exit-code"])).toMatchObject(same);
  edit("teams/marketing.yaml", "# policies", "\n# policies");
  expect(await run(["diff", "main.."])).toMatchObject({ out: expect.stringMatching(/^nothing changes/) });
  edit("teams/marketing.yaml", "methods: [GET]", "methods: [GET, POST]");
  edit("teams/marketing.yaml", "cost_usd: 3", "cost_usd: 4");
  git("commit", "-qam", "two");
  const { code, out } = await run(["diff", "main~1..main"]);
  expect(code).toBe(0);
  expect(await run(["diff", "main~1..main", "--exit-code"])).toEqual({ code: 1, out, error: "" });
  expect(out.split("\n")).toEqual(
    [
      "~ marketing may spend $4 in a run (was: marketing may spend $3 in a run)  (teams/marketing.yaml:20:10)",
      "- marketing may send GET to cms.internal.acme.dev /api/**, also at 10.20.0.0/16, with the secret cms-read  (teams/marketing.yaml:18:5)",
      "+ marketing may send GET, POST to cms.internal.acme.dev /api/**, also at 10.20.0.0/16, with the secret cms-read  (teams/marketing.yaml:19:5)",
    ].sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1)),
  );
  expect(await run(["diff", "nowhere..main"])).toMatchObject({
    code: 2,
    error: expect.stringContaining("has no commit nowhere"),
  });
});

test("simulate replays recorded decisions and lists those that change", async () => {
  const push = (day: number, file: string): RecordedDecision => ({
    run: `r${day}`,
    at: `2026-11-${day}T10:00:00.000Z`,
    about: "path",
    outcome: "allow",
    request: { team: "marketing", objects: [{ subject: "git.path", repo: "acme/site", path: file }] },
  });
  const recorded = [
    push(19, "content/a.md"),
    push(20, "src/components/B.tsx"),
    push(18, "src/c.ts"),
    push(10, "src/old.ts"),
    { ...push(19, ""), about: "relay", request: null },
  ];
  const { code, out } = await run(["simulate", "--since", "7d"], recorded);
  expect(code).toBe(0);
  const [head, ...lines] = out.split("\n");
  expect(head).toBe("2 of 3 decisions change: 1 newly denied, 1 newly asked about");
  expect(lines).toHaveLength(3);
  expect(lines.at(-1)).toBe("1 decision at the relay, where something else than a path decided is not replayed");
  expect(await run(["simulate", "--since", "7d", "--exit-code"], recorded)).toEqual({ code: 1, out, error: "" });
  expect(await run(["simulate", "--since", "7d", "--exit-code"], [push(19, "content/a.md")])).toMatchObject({
    code: 0,
    out: "0 of 1 decisions change",
  });
  expect(await run(["simulate", "--since", "a week"])).toMatchObject({ code: 2 });
});

test.each(["org", "team", "test"] as const)(
  "the schema of a %s file holds the examples and refuses an unknown key",
  async (name) => {
    const { code, out } = await run(["schema", name]);
    expect(code).toBe(0);
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(out));
    const file = { org: "org.yaml", team: "teams/data.yaml", test: "tests/marketing.test.yaml" }[name];
    const value = parse(readFileSync(path.join(folder, file), "utf8"));
    expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...value, colour: "red" })).toBe(false);
  },
);

test("a word that is no command is answered with the one that was meant", async () => {
  expect(await run(["chek"])).toMatchObject({ code: 2, error: expect.stringContaining('did you mean "check"?') });
  expect(await run(["check", "--jsn"])).toMatchObject({ code: 2, error: expect.stringContaining("--jsn") });
  expect(await run(["check", "/nowhere"])).toMatchObject({ code: 2, error: expect.stringContaining("cannot be read") });
});

test("every answer can be had as JSON", async () => {
  expect(JSON.parse((await run(["check", "--json"])).out)).toMatchObject({ ok: true, problems: [] });
  expect(JSON.parse((await run(["test", "--json", "--coverage"])).out)).toMatchObject({ ok: true, cases: 4 });
  const { out } = await run(["explain", "--team", "data", "--secret", "snowflake-ro", "--json"]);
  expect(JSON.parse(out)).toMatchObject({ decision: { outcome: "ask" } });
  edit("org.yaml", "version: 1", "version: 2");
  expect(JSON.parse((await run(["check", "--json"])).out)).toMatchObject({
    ok: false,
    problems: [{ at: "org.yaml:2:10" }],
  });
});
