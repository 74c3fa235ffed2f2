import { expect, test } from "vitest";
import type { Scope } from "#policy/scope.ts";
import { bind, commandSubject, publishSubject, startSubject } from "#runs/bind.ts";
import { stillBound } from "#runs/bound.ts";
import type { Run } from "#runs/run.ts";

const BASE = "b".repeat(40);
const HEAD = "a".repeat(40);
const NOW = new Date("2026-01-01T12:00:00Z");
const run: Run = {
  id: "r1",
  orgId: "o1",
  number: 1,
  state: "waiting",
  epoch: 0,
  team: "shop",
  repo: "acme/shop",
  branch: "agent/r1",
  baseBranch: "main",
  baseOid: BASE,
  headOid: null,
  requester: { id: "p1", name: "Ana" },
  text: "append a line",
  place: { provider: "slack", workspace: "T1", channel: "C1", thread: "1.0" },
  mirror: null,
  ticket: null,
  because: "channel C1 belongs to shop",
  agent: "demo",
  model: "scripted",
  scope: null,
  policyDigest: "sha256:00",
  resumeTo: null,
  pullRequest: null,
  fixRounds: 0,
  restarts: 0,
  cancelRequestedBy: null,
  wakeAt: null,
  deadlineAt: null,
  createdAt: NOW,
  updatedAt: NOW,
};
const scope: Scope = {
  team: "shop",
  repo: "acme/shop",
  branch: "agent/r1",
  paths: [],
  egress: [],
  models: ["*"],
  registry: false,
  limits: { costUsd: 1, tokens: 1_000, runtimeMs: 60_000, uploadBytes: 1_000, concurrentRuns: 1 },
  sandbox: { providers: [], images: [], isolation: "process", cpu: null, memoryBytes: null, diskBytes: null },
  setup: [],
  checks: [],
  policy: { commit: "c0ffee", digest: "sha256:00" },
};
const rule = { at: "teams/shop.yaml:9:5", text: "allow git.path **", why: null };
const host = { ports: [443], mode: "tunnel", methods: [], paths: [], private: [], maxBodyBytes: null } as const;

const start = (o: { run?: Partial<Run>; scope?: Partial<Scope>; base?: string } = {}) =>
  bind("start", { ...run, ...o.run }, startSubject({ ...run, ...o.run }, { ...scope, ...o.scope }, o.base ?? BASE));
const publish = (o: { run?: Partial<Run>; head?: string; paths?: readonly string[] } = {}) =>
  bind("publish", run, publishSubject({ ...run, ...o.run }, o.head ?? HEAD, o.paths ?? ["package.json"]));
const command = (line: string, input: unknown = { command: line }) => bind("command", run, commandSubject(line, input));

test("the same bytes are the same question, whenever it is put", () => {
  expect(start({ run: { updatedAt: new Date(0), epoch: 7 } })).toBe(start());
  expect(publish()).toBe(publish());
  expect(command("rm -rf build")).toBe(command("rm -rf build"));
});

const OTHER: Record<string, readonly [string, string]> = {
  "to start with other words": [start(), start({ run: { text: "append two lines" } })],
  "to start from another commit": [start(), start({ base: HEAD })],
  "to start in another repository": [start(), start({ run: { repo: "acme/pay" } })],
  "to start with another agent": [start(), start({ run: { agent: "opencode" } })],
  "to start with another model": [start(), start({ run: { model: "dearer" } })],
  "to start on another branch": [start(), start({ scope: { branch: "main" } })],
  "to start with a path more": [
    start(),
    start({ scope: { paths: [{ effect: "allow", globs: ["**"], except: [], from: null, rule }] } }),
  ],
  "to start with a host more": [
    start(),
    start({ scope: { egress: [{ host: "a.test", ...host, secret: null, rule }] } }),
  ],
  "to start with the registry": [start(), start({ scope: { registry: true } })],
  "to start with more money": [start(), start({ scope: { limits: { ...scope.limits, costUsd: 2 } } })],
  "to start with another setup": [start(), start({ scope: { setup: ["npm ci"] } })],
  "to start without a check": [
    start({ scope: { checks: [{ name: "tests", command: "npm test", timeoutMs: 1, required: true, paths: [] }] } }),
    start(),
  ],
  "to start under another policy": [start(), start({ scope: { policy: { commit: "c0ffee", digest: "sha256:01" } } })],
  "to publish another commit": [publish(), publish({ head: "c".repeat(40) })],
  "to publish from another base": [publish(), publish({ run: { baseOid: HEAD } })],
  "to publish on another branch": [publish(), publish({ run: { branch: "agent/r2" } })],
  "to publish a path more": [publish(), publish({ paths: ["package.json", "src/a.ts"] })],
  "to run another command": [command("rm -rf build"), command("rm -rf dist")],
  "to run it with another input": [
    command("rm -rf build"),
    command("rm -rf build", { command: "rm -rf build", cwd: "/" }),
  ],
  "for another run": [bind("command", run, { command: "ls" }), bind("command", { id: "r2" }, { command: "ls" })],
  "of another kind": [bind("command", run, { command: "ls" }), bind("host", run, { command: "ls" })],
};
for (const [sentence, [one, other]] of Object.entries(OTHER)) {
  test(`a yes ${sentence} is another yes`, () => expect(one).not.toBe(other));
}

test("a question that was put before rules were kept with it is answered as before", () => {
  const core = { policy: () => ({ ok: false, problem: "none" }) as const };
  const asks: [] = [];
  const rules = [{ text: "ask git.path scripts/** from group:leads" }];
  const before = { subject: { repo: "acme/reports" }, asks };
  expect(stillBound(core, { baseOid: null }, before, { asks, rules })).toBe(true);
  const since = { subject: { ...before.subject, bound: { rules: ["another rule"] } }, asks };
  expect(stillBound(core, { baseOid: null }, since, { asks, rules })).toBe(false);
});
