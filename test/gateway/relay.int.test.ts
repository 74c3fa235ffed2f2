import { symlink } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PathRule } from "#policy/paths.ts";
import { commit, openRun, PATH_RULES } from "./corpus/git.ts";
import { type Forge, makeForge } from "./forge.ts";
import { basic, readAll } from "./wire.ts";
import { makeWorld, type World } from "./world.ts";

let world: World;
let forge: Forge;
beforeAll(async () => {
  world = await makeWorld();
  forge = await makeForge();
});
afterAll(async () => {
  await world.close();
  await forge.close();
});

const head = async (work: Awaited<ReturnType<typeof openRun>>) => (await work.git(["rev-parse", "HEAD"])).stdout.trim();
const pushes = async (sandbox: string) => (await world.auditOf(sandbox)).filter((line) => line.kind === "push");

test("a push to the run's own branch arrives, with one audit line, and the forge does not move", async () => {
  const before = await forge.refs();
  const work = await openRun(world, forge, "own");
  expect(work.cloned).toMatchObject({ code: 0 });
  await commit(work, { "content.md": "hello\n", "src/a.ts": "export {};\n" });
  const pushed = await work.git(["push", "--quiet", "origin", `HEAD:refs/heads/${work.branch}`]);
  expect(pushed).toMatchObject({ code: 0 });
  const oid = await head(work);
  expect(await pushes(work.sandbox)).toMatchObject([{ branch: work.branch, oid, outcome: "allow", run: work.run }]);
  const closed = await world.client.closePush(work.run);
  expect(closed.oid).toBe(oid);
  expect((await forge.git(["--git-dir", closed.gitDir, "rev-parse", work.branch])).stdout.trim()).toBe(oid);
  expect(await forge.refs()).toBe(before);
});

test("a clone has the branch, the default branch and the tags", async () => {
  const work = await openRun(world, forge, "refs");
  const refs = (await work.git(["for-each-ref", "--format=%(refname)"])).stdout;
  expect(refs).toContain("refs/remotes/origin/main");
  expect(refs).toContain(`refs/remotes/origin/${work.branch}`);
  expect(refs).toContain("refs/tags/v1");
});

test("changes tell commits, files, patch, and the paths that a person must approve", async () => {
  const ask: PathRule = {
    effect: "ask",
    globs: ["src/**"],
    except: [],
    from: "group:product",
    rule: { at: "teams/t.yaml:9:5", text: "ask git.path src/**", why: null },
  };
  const work = await openRun(world, forge, "changes", [ask, ...PATH_RULES]);
  await commit(work, { "src/passing.ts": "1\n", "docs/new name.md": "a\nb\n" }, "first step");
  await work.git(["mv", "docs/a", "docs/b"]);
  await work.git(["rm", "--quiet", "src/passing.ts"]);
  await commit(work, { "README.md": "# Site\n\nChanged.\n", "img.bin": "\u0000\u0001" }, "second step");
  expect(await work.git(["push", "--quiet", "origin", `HEAD:refs/heads/${work.branch}`])).toMatchObject({ code: 0 });
  const oid = await head(work);
  const changes = await world.client.changes(work.run, forge.main, oid, 100_000);
  expect(changes.commits.map((each) => each.subject)).toEqual(["first step", "second step"]);
  expect(changes.files).toEqual([
    { path: "README.md", status: "modified", additions: 1, deletions: 1 },
    { path: "docs/b", status: "renamed", additions: 0, deletions: 0 },
    { path: "docs/new name.md", status: "added", additions: 2, deletions: 0 },
    { path: "img.bin", status: "added", additions: null, deletions: null },
  ]);
  expect(changes.patch).toContain("+Changed.");
  expect(changes.truncated).toBe(false);
  // It is gone from the result, and a commit on the way had it all the same.
  expect(changes.asks).toEqual([{ path: "src/passing.ts", from: "group:product", rule: ask.rule }]);
  const cut = await world.client.changes(work.run, forge.main, oid, 50);
  expect(cut.truncated).toBe(true);
  expect(Buffer.byteLength(cut.patch)).toBeLessThanOrEqual(50);
  // Whoever takes more than is there, or asks again after a cut answer, gets all of it.
  for (const more of [100_000, 200_000])
    expect(await world.client.changes(work.run, forge.main, oid, more)).toEqual(changes);
});

test.each([
  ["a path that no rule allows", "nothing", { "a.md": "x\n" }, "path", "no rule of this run's policy allows it"],
  ["a refused path in other letters", "letters", { ".GitHub/Workflows/x.yml": "x\n" }, "path", "org.yaml:17:5"],
  ["a submodule file", "submodule", { "sub/.gitmodules": "x\n" }, "submodule", "submodules are not accepted"],
] as const)("%s is refused in the agent's terminal", async (_name, id, files, reason, words) => {
  const rules = id === "nothing" ? PATH_RULES.slice(0, 1) : PATH_RULES;
  const work = await openRun(world, forge, id, rules);
  await commit(work, files);
  const pushed = await work.git(["push", "origin", `HEAD:refs/heads/${work.branch}`]);
  expect(pushed.code).not.toBe(0);
  expect(pushed.stderr).toContain(words);
  expect(await pushes(work.sandbox)).toMatchObject([{ outcome: "deny", reason }]);
});

test("a symbolic link is refused", async () => {
  const work = await openRun(world, forge, "symlink");
  await symlink("/etc/passwd", path.join(work.clone, "link"));
  await commit(work, {});
  expect((await work.git(["push", "origin", `HEAD:refs/heads/${work.branch}`])).code).not.toBe(0);
  expect(await pushes(work.sandbox)).toMatchObject([{ outcome: "deny", reason: "symlink" }]);
});

test("what one commit adds and the next takes away is still refused", async () => {
  const work = await openRun(world, forge, "hidden");
  await commit(work, { ".github/workflows/x.yml": "on: push\n" });
  await work.git(["rm", "--quiet", "-r", ".github"]);
  await commit(work, {});
  expect((await work.git(["push", "origin", `HEAD:refs/heads/${work.branch}`])).code).not.toBe(0);
  expect(await pushes(work.sandbox)).toMatchObject([{ outcome: "deny", reason: "path", rule: "org.yaml:17:5" }]);
});

test("a secret behind a `-diff` attribute is found all the same", async () => {
  const work = await openRun(world, forge, "attribute");
  await commit(work, { ".gitattributes": "* -diff binary\n", "k.txt": `${"AKIA"}${"QWERTYUIOPASDFGH"}\n` });
  const pushed = await work.git(["push", "origin", `HEAD:refs/heads/${work.branch}`]);
  expect(pushed.stderr).toContain("k.txt:1: looks like a credential (aws-access-key)");
  expect(await pushes(work.sandbox)).toMatchObject([{ outcome: "deny", reason: "secret" }]);
});

test("a history that does not start from the base commit is refused", async () => {
  const work = await openRun(world, forge, "orphan");
  await work.git(["checkout", "--quiet", "--orphan", "other"]);
  await commit(work, { "b.md": "x\n" });
  expect((await work.git(["push", "--force", "origin", `HEAD:refs/heads/${work.branch}`])).code).not.toBe(0);
  expect(await pushes(work.sandbox)).toMatchObject([{ outcome: "deny", reason: "non_ff" }]);
});

test("a push larger than it may be is refused and recorded", async () => {
  const work = await openRun(world, forge, "large", PATH_RULES, 50_000);
  const noise = Array.from({ length: 30_000 }, (_, i) => Math.imul(i + 1, 2_654_435_761).toString(36)).join("\n");
  await commit(work, { "noise.txt": noise });
  const pushed = await work.git(["push", "origin", `HEAD:refs/heads/${work.branch}`]);
  expect(pushed.code).not.toBe(0);
  expect(await pushes(work.sandbox)).toMatchObject([{ outcome: "deny" }]);
  expect((await world.client.closePush(work.run)).oid).toBe(forge.main);
});

test("nothing is accepted while the door is closed, and again after it was opened", async () => {
  const work = await openRun(world, forge, "door");
  await commit(work, { "a.md": "x\n" });
  await world.client.closePush(work.run);
  const refused = await work.git(["push", "origin", `HEAD:refs/heads/${work.branch}`]);
  expect(refused.stderr).toContain("The result is being checked");
  await world.client.openRepository(work.run, forge.name, work.branch, forge.main);
  expect(await work.git(["push", "--quiet", "origin", `HEAD:refs/heads/${work.branch}`])).toMatchObject({ code: 0 });
});

test("a run cannot read another run's commits, and a stopped run cannot read at all", async () => {
  const one = await openRun(world, forge, "one");
  const two = await openRun(world, forge, "two");
  await commit(one, { "mine.md": "x\n" });
  await one.git(["push", "--quiet", "origin", `HEAD:refs/heads/${one.branch}`]);
  const oid = await head(one);
  expect((await two.git(["fetch", "--quiet", "origin", oid])).code).not.toBe(0);
  await world.client.revoke(two.sandbox);
  const fetched = await two.git(["fetch", "origin"]);
  expect(fetched.code).not.toBe(0);
  expect(fetched.stderr).toContain("This run is over");
});

test("a push that never ends does not hold the door open", async () => {
  const impatient = await makeWorld({ limits: { pushGraceMs: 50 } });
  const work = await openRun(impatient, forge, "stalled");
  const socket = await impatient.open(work.sandbox);
  const command = `${"0".repeat(40)} ${"1".repeat(40)} refs/heads/${work.branch}\0report-status`;
  const packet = `${(command.length + 4).toString(16).padStart(4, "0")}${command}0000PACK`;
  const head = ["POST /git/acme/site.git/git-receive-pack HTTP/1.1", "Host: g", `Authorization: ${basic(work.token)}`];
  const type = "Content-Type: application/x-git-receive-pack-request";
  socket.write(`${[...head, type, "Content-Length: 100000"].join("\r\n")}\r\n\r\n${packet}`);
  const ended = readAll(socket);
  // A whole exchange behind it: by then the push has begun.
  await work.git(["ls-remote", "origin"]);
  expect((await impatient.client.closePush(work.run)).oid).toBe(forge.main);
  // Cut, not refused at the door.
  expect((await ended).toString()).not.toContain("403");
  await impatient.close();
});

test("another repository is refused, and forgetting a run deletes its own", async () => {
  const work = await openRun(world, forge, "forget");
  const other = await forge.git(["ls-remote", work.url.replace("acme/site", "acme/other")]);
  expect(other.stderr).toContain("This run works on another repository");
  const { gitDir } = await world.client.closePush(work.run);
  await world.client.forget(work.run);
  expect((await forge.git(["--git-dir", gitDir, "rev-parse", "HEAD"])).code).not.toBe(0);
});

test("two runs that clone at once both get their repository", async () => {
  const both = await Promise.all([openRun(world, forge, "p1"), openRun(world, forge, "p2")]);
  expect(both.map((each) => each.cloned.code)).toEqual([0, 0]);
});
