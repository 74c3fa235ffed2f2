import { symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { commit, openRun, PATH_RULES } from "./corpus/git.ts";
import { type Forge, makeForge } from "./forge.ts";
import { askRelay, moves, oidOf, packOf, wants } from "./relay-wire.ts";
import { makeWorld, type World } from "./world.ts";

const NOTHING = "0".repeat(40);

let world: World;
/** Its journal is on a full disk. */
let unwritten: World;
let forge: Forge;
beforeAll(async () => {
  world = await makeWorld();
  unwritten = await makeWorld({ before: (stateDir) => symlink("/dev/full", path.join(stateDir, "audit.jsonl")) });
  forge = await makeForge();
});
afterAll(async () => {
  await world.close();
  await unwritten.close();
  await forge.close();
});

const egress = async (sandbox: string) => (await world.auditOf(sandbox)).filter((line) => line.kind === "egress");

/** A run with a repository, and a commit on top of the base with its pack, made without the gateway. */
async function runWithCommit(where: World, id: string) {
  const who = { sandbox: `sb-${id}`, token: `token-${id}` };
  const run = `run-${id}`;
  const branch = `agent/${run}`;
  const git = { repo: forge.name, branch, base: forge.main, paths: PATH_RULES, maxBytes: 5_000_000 };
  await where.client.grant(bareGrant({ sandbox: who.sandbox, run, tokenHash: hashOf(who.token), git }));
  await where.client.mirror({ name: forge.name, cloneUrl: forge.path, credential: null }, "main");
  await where.client.openRepository(run, forge.name, branch, forge.main);
  const clone = path.join(forge.folder, `by-hand-${id}`);
  await forge.git(["clone", "--quiet", forge.path, clone]);
  await writeFile(path.join(clone, "a.md"), "x\n");
  await forge.git(["add", "--all"], clone);
  await forge.git(["commit", "--quiet", "-m", "work"], clone);
  const oid = oidOf(await forge.git(["rev-parse", "HEAD"], clone));
  const pack = await packOf({ cwd: clone, home: forge.folder }, oid, forge.main);
  const push = Buffer.concat([Buffer.from(moves(forge.main, oid, `refs/heads/${branch}`)), pack]);
  return { who, run, branch, oid, push };
}

test("a fetch by hand, without asking for the refs first, is one line of the record", async () => {
  const { who, run } = await runWithCommit(world, "fetch");
  const answer = await askRelay(world, who, { path: "git-upload-pack", body: wants(forge.main) });
  expect(answer.status).toBe(200);
  expect(answer.body).toContain("PACK");
  expect(await world.auditOf(who.sandbox)).toMatchObject([
    { kind: "egress", via: "git", run, host: forge.name, method: "POST", outcome: "allow", reason: "rule" },
  ]);
});

test("a clone is one line per request, and a push one more per ref", async () => {
  const work = await openRun(world, forge, "lines");
  const cloned = await egress(work.sandbox);
  expect(cloned.map((line) => `${line.method} ${line.outcome}`)).toEqual(["GET allow", "POST allow"]);
  await commit(work, { "a.md": "x\n" });
  await work.git(["push", "--quiet", "origin", `HEAD:refs/heads/${work.branch}`]);
  const lines = (await world.auditOf(work.sandbox)).slice(cloned.length);
  expect(lines.map((line) => line.kind)).toEqual(["egress", "push"]);
});

test("a push's line has every path that any of its commits touched, and whether people are asked about one", async () => {
  const ask = { at: "teams/shop.yaml:9:5", text: "ask git.path b.md from group:leads", why: null };
  const rules = [
    ...PATH_RULES,
    { effect: "ask", globs: ["b.md"], except: [], from: "group:leads", rule: ask } as const,
  ];
  const work = await openRun(world, forge, "paths", rules);
  const push = () => work.git(["push", "--quiet", "origin", `HEAD:refs/heads/${work.branch}`]);
  await commit(work, { "a.md": "x\n" });
  await push();
  await work.git(["rm", "--quiet", "a.md"]);
  await commit(work, { "b.md": "y\n" });
  await push();
  await commit(work, { ".github/workflows/x.yml": "on: push\n" });
  await push();
  const lines = (await world.auditOf(work.sandbox)).filter((line) => line.kind === "push");
  expect(lines).toMatchObject([
    { outcome: "allow", paths: ["a.md"], asks: false },
    { outcome: "allow", paths: ["a.md", "b.md"], asks: true },
    { outcome: "deny", reason: "path", paths: [".github/workflows/x.yml", "a.md", "b.md"], asks: true },
  ]);
});

test("a push that is refused for something else than its paths has none in its line", async () => {
  const work = await openRun(world, forge, "elsewhere");
  await commit(work, { "a.md": "x\n" });
  await work.git(["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
  const [line] = (await world.auditOf(work.sandbox)).filter((each) => each.kind === "push");
  expect(line).toMatchObject({ outcome: "deny", reason: "ref" });
  expect(line).not.toHaveProperty("paths");
});

test("a push by hand is one line, and so is git's question whether it may push at all", async () => {
  const { who, run, oid, push } = await runWithCommit(world, "push");
  const probe = await askRelay(world, who, { path: "git-receive-pack", body: "0000" });
  expect(probe.status).toBe(200);
  expect((await askRelay(world, who, { path: "git-receive-pack", body: push })).body).toContain("unpack ok");
  expect(await world.auditOf(who.sandbox)).toMatchObject([
    { kind: "egress", via: "git", method: "POST", outcome: "allow" },
    { kind: "push", oid, outcome: "allow" },
  ]);
  expect((await world.client.closePush(run)).oid).toBe(oid);
});

test.each([
  ["the list of refs", "GET", "info/refs?service=git-upload-pack", ""],
  ["the list of refs for a push", "GET", "info/refs?service=git-receive-pack", ""],
  ["a fetch", "POST", "git-upload-pack", "want"],
  ["the question whether it may push", "POST", "git-receive-pack", "0000"],
])("while nothing can be recorded, %s is not served", async (_name, method, target, body) => {
  const id = `full-${target.length}-${body.length}`;
  const { who } = await runWithCommit(unwritten, id);
  const sent = body === "want" ? wants(forge.main) : body;
  const answer = await askRelay(unwritten, who, { method, path: target, body: sent });
  expect(answer.status).toBe(403);
  expect(answer.head).toContain("x-countersign-reason: fail_closed");
  expect(answer.body).not.toContain("PACK");
  expect(answer.body).not.toContain(forge.main);
});

test("while nothing can be recorded, a push moves nothing", async () => {
  const { who, run, push } = await runWithCommit(unwritten, "full-push");
  const answer = await askRelay(unwritten, who, { path: "git-receive-pack", body: push });
  expect(answer.body).toContain("pre-receive hook declined");
  expect((await unwritten.client.closePush(run)).oid).toBe(forge.main);
});

test("a ref that git refuses before it asks us is in the record, and what was pushed beside it does not move", async () => {
  const { who, run, branch, oid, push } = await runWithCommit(world, "beside");
  const missing = "1".repeat(40);
  const first = moves(forge.main, oid, `refs/heads/${branch}`).slice(0, -4);
  const line = `${NOTHING} ${missing} refs/heads/evil`;
  const second = `${(line.length + 4).toString(16).padStart(4, "0")}${line}0000`;
  const pack = push.subarray(push.indexOf("PACK"));
  await askRelay(world, who, {
    path: "git-receive-pack",
    body: Buffer.concat([Buffer.from(first), Buffer.from(second), pack]),
  });
  expect((await world.client.closePush(run)).oid).toBe(forge.main);
  const lines = await world.auditOf(who.sandbox);
  expect(lines.filter((each) => each.kind === "push").map((each) => `${each.branch} ${each.outcome}`)).toEqual([
    `${branch} deny`,
    "evil deny",
  ]);
});

test("one ref twice in one push is refused, and each line says so", async () => {
  const { who, run, branch, oid, push } = await runWithCommit(world, "twice");
  const first = moves(forge.main, oid, `refs/heads/${branch}`).slice(0, -4);
  const line = `${forge.main} ${oid} refs/heads/${branch}`;
  const second = `${(line.length + 4).toString(16).padStart(4, "0")}${line}0000`;
  const pack = push.subarray(push.indexOf("PACK"));
  await askRelay(world, who, {
    path: "git-receive-pack",
    body: Buffer.concat([Buffer.from(first), Buffer.from(second), pack]),
  });
  expect((await world.client.closePush(run)).oid).toBe(forge.main);
  const lines = (await world.auditOf(who.sandbox)).filter((each) => each.kind === "push");
  expect(lines.map((each) => each.outcome)).toEqual(["deny", "deny"]);
});
