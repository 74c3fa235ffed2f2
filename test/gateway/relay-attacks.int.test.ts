import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { deflateSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { commit, openRun, PATH_RULES } from "./corpus/git.ts";
import { type Forge, makeForge } from "./forge.ts";
import { askRelay, moves, oidOf, packet, packOfObjects, wants, writeObject } from "./relay-wire.ts";
import { makeWorld, type World } from "./world.ts";

let world: World;
let forge: Forge;
/** Tip of a branch of the forge that no run was given. */
let elsewhere: string;
beforeAll(async () => {
  world = await makeWorld();
  forge = await makeForge();
  const seed = path.join(forge.folder, "seed");
  await forge.git(["checkout", "--quiet", "-b", "embargo"], seed);
  await writeFile(path.join(seed, "unpublished.md"), "do not read\n");
  await forge.git(["add", "."], seed);
  await forge.git(["commit", "--quiet", "-m", "a fix under embargo"], seed);
  await forge.git(["push", "--quiet", forge.path, "embargo"], seed);
  elsewhere = oidOf(await forge.git(["rev-parse", "embargo"], seed));
});
afterAll(async () => {
  await world.close();
  await forge.close();
});

test("what a run is not given is not named to it, neither to fetch nor to push on top of", async () => {
  const work = await openRun(world, forge, "named");
  for (const service of ["git-upload-pack", "git-receive-pack"]) {
    const refs = await askRelay(world, work, { method: "GET", path: `info/refs?service=${service}` });
    expect(refs.status).toBe(200);
    expect(refs.body).toContain(forge.main);
    expect(refs.body).not.toContain(elsewhere);
  }
});

test("a commit that the run's refs do not reach is not served, whoever knows its id", async () => {
  const work = await openRun(world, forge, "by-id");
  for (const version of ["0", "1", "2"]) {
    const fetched = await work.git(["-c", `protocol.version=${version}`, "fetch", "--quiet", "origin", elsewhere]);
    expect(fetched.code).not.toBe(0);
    expect((await work.git(["cat-file", "-e", elsewhere])).code).not.toBe(0);
  }
  const second = `${packet("command=fetch")}0001${packet(`want ${elsewhere}\n`)}${packet("done\n")}0000`;
  for (const body of [wants(elsewhere), second]) {
    const headers = ["Git-Protocol: version=2"];
    expect((await askRelay(world, work, { path: "git-upload-pack", headers, body })).body).not.toContain("PACK");
  }
});

test("an older commit that the run's refs do reach is served", async () => {
  const work = await openRun(world, forge, "older");
  const older = oidOf(await work.git(["rev-parse", "HEAD~1"]));
  const fetched = await askRelay(world, work, { path: "git-upload-pack", body: wants(older) });
  expect(fetched.body).toContain("PACK");
});

test("a push may not build on a commit that the run was not given, whoever knows its id", async () => {
  const work = await openRun(world, forge, "borrowed");
  const git = { cwd: work.clone, home: forge.folder };
  const tree = oidOf(await work.git(["rev-parse", "HEAD^{tree}"]));
  const person = "A <a@x.test> 1700000000 +0000";
  const parents = [forge.main, elsewhere].map((parent) => `parent ${parent}\n`).join("");
  const merge = await writeObject(
    git,
    "commit",
    `tree ${tree}\n${parents}author ${person}\ncommitter ${person}\n\nmerge\n`,
  );
  const body = Buffer.concat([
    Buffer.from(moves(forge.main, merge, `refs/heads/${work.branch}`)),
    await packOfObjects(git, [merge]),
  ]);
  await askRelay(world, work, { path: "git-receive-pack", body });
  expect((await world.client.closePush(work.run)).oid).toBe(forge.main);
  const lines = (await world.auditOf(work.sandbox)).filter((line) => line.kind === "push");
  const detail = expect.stringContaining(`${elsewhere.slice(0, 12)} is not of this run`);
  expect(lines).toMatchObject([{ outcome: "deny", reason: "base", detail }]);
});

test("a run goes on from its own branch as the forge has it, and from the default branch", async () => {
  const first = await openRun(world, forge, "resumed");
  await commit(first, { "a.md": "one\n" });
  await first.git(["push", "--quiet", "origin", `HEAD:refs/heads/${first.branch}`]);
  const { gitDir } = await world.client.closePush(first.run);
  await forge.git(["--git-dir", gitDir, "push", "--quiet", forge.path, first.branch]);
  await world.client.forget(first.run);
  // The sandbox has what the relay has long forgotten; the forge has it too.
  const again = await openRun(world, forge, "resumed-again");
  await world.client.forget(again.run);
  const git = { repo: forge.name, branch: first.branch, base: forge.main, paths: PATH_RULES, maxBytes: 5_000_000 };
  await world.client.grant(bareGrant({ sandbox: first.sandbox, run: first.run, tokenHash: hashOf(first.token), git }));
  await world.client.openRepository(first.run, forge.name, first.branch, forge.main);
  await commit(first, { "b.md": "two\n" });
  expect(await first.git(["push", "--quiet", "origin", `HEAD:refs/heads/${first.branch}`])).toMatchObject({ code: 0 });
});

const pushed = (work: Awaited<ReturnType<typeof openRun>>) =>
  work.git(["push", "origin", `HEAD:refs/heads/${work.branch}`]);

test("a pack of kilobytes that holds a file larger than may be pushed is refused, also when a later commit takes it away", async () => {
  const work = await openRun(world, forge, "bomb");
  await commit(work, { "zeros.txt": "0\n".repeat(3_000_000) });
  await commit(work, { "zeros.txt": "0\n" });
  const answer = await pushed(work);
  expect(answer.code).not.toBe(0);
  expect(answer.stderr).toContain("zeros.txt: 6000000 bytes, 5000000 may be pushed");
  const lines = (await world.auditOf(work.sandbox)).filter((line) => line.kind === "push");
  expect(lines).toMatchObject([{ outcome: "deny", reason: "limit" }]);
});

test.each([
  ["message", ["-m", `uses ${"AKIA"}${"QWERTYUIOPASDFGH"}`]],
  ["author", ["-m", "work", "--author", `${"AKIA"}${"QWERTYUIOPASDFGH"} <a@x.test>`]],
])("a credential in a commit's %s is found", async (where, args) => {
  const work = await openRun(world, forge, `said-${where}`);
  await work.git(["commit", "--quiet", "--allow-empty", ...args]);
  await commit(work, { "a.md": "x\n" });
  const answer = await pushed(work);
  expect(answer.stderr).toMatch(/\(the message of commit [0-9a-f]{12}\):0: looks like a credential \(aws-access-key\)/);
});

test("a credential in the name of an empty file is found, and not repeated", async () => {
  const work = await openRun(world, forge, "name");
  await commit(work, { [`${"AKIA"}${"QWERTYUIOPASDFGH"}.txt`]: "" });
  await pushed(work);
  const [line] = (await world.auditOf(work.sandbox)).filter((each) => each.kind === "push");
  expect(line).toMatchObject({ outcome: "deny", reason: "secret" });
  expect(JSON.stringify(line)).not.toContain("QWERTY");
});

/** A pack's number: seven bits a byte, the lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0 || bytes.length === 0; rest = Math.floor(rest / 128))
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
  return Buffer.from(bytes);
}

/** An entry's head: three bits of type, then its size, four bits first and seven bits a byte. */
function entry(type: number, body: Buffer, before = Buffer.alloc(0)): Buffer {
  const more = body.length >= 16;
  const first = Buffer.from([(more ? 128 : 0) + type * 16 + (body.length % 16)]);
  const rest = more ? varint(Math.floor(body.length / 16)) : Buffer.alloc(0);
  return Buffer.concat([first, rest, before, deflateSync(body)]);
}

test("a delta of a kilobyte that says it makes gigabytes is refused before it has them", async () => {
  const work = await openRun(world, forge, "delta");
  const base = Buffer.alloc(16_000_000);
  const id = createHash("sha1").update(`blob ${base.length}\0`).update(base).digest();
  const times = 400;
  const copy = Buffer.from([0x80 | 0x70, base.length & 255, (base.length >> 8) & 255, (base.length >> 16) & 255]);
  const delta = Buffer.concat([varint(base.length), varint(base.length * times), ...Array(times).fill(copy)]);
  const entries = Buffer.concat([entry(3, base), entry(7, delta, id)]);
  const head = Buffer.concat([Buffer.from("PACK"), Buffer.from([0, 0, 0, 2, 0, 0, 0, 2])]);
  const pack = Buffer.concat([head, entries]);
  const sum = createHash("sha1").update(pack).digest();
  const start = Buffer.from(moves(forge.main, "1".repeat(40), `refs/heads/${work.branch}`));
  const answer = await askRelay(world, work, { path: "git-receive-pack", body: Buffer.concat([start, pack, sum]) });
  expect(answer.body).toMatch(/unpack (?!ok)/);
  const lines = (await world.auditOf(work.sandbox)).filter((line) => line.kind === "push");
  expect(lines).toMatchObject([{ outcome: "deny", reason: "unsound" }]);
  expect((await world.client.closePush(work.run)).oid).toBe(forge.main);
});
