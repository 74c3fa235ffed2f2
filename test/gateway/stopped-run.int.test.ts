import { EventEmitter, once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PathRule } from "#policy/paths.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { commit, openRun, PATH_RULES } from "./corpus/git.ts";
import { modelService } from "./corpus/model.ts";
import { type Forge, makeForge } from "./forge.ts";
import { askRelay, moves, oidOf, packOf, wants } from "./relay-wire.ts";
import { basic, readAll } from "./wire.ts";
import { makeWorld, type World } from "./world.ts";

const TYPE = "Content-Type: application/x-git-upload-pack-request";

const hanging = new EventEmitter();

let world: World;
let forge: Forge;
let service: Awaited<ReturnType<typeof modelService>>;
beforeAll(async () => {
  service = await modelService((body, res) => {
    if (!JSON.stringify(body).includes("hang")) res.end("{}");
    hanging.emit("asked");
  });
  const models = { openai: { baseUrl: service.baseUrl, key: null }, anthropic: null };
  world = await makeWorld({ config: { models } });
  forge = await makeForge();
  const seed = path.join(forge.folder, "seed");
  const noise = Array.from({ length: 600_000 }, (_, i) => Math.imul(i + 1, 2_654_435_761).toString(36)).join("\n");
  await writeFile(path.join(seed, "noise.txt"), noise);
  await forge.git(["add", "."], seed);
  await forge.git(["commit", "--quiet", "-m", "large"], seed);
  await forge.git(["push", "--quiet", forge.path, "main"], seed);
}, 60_000);
afterAll(async () => {
  await world.close();
  await service.close();
  await forge.close();
});

/** A request whose body is to come; resolves when the gateway has taken it up and waits for that. */
async function beginning(sandbox: string, target: string, headers: readonly string[], length: number): Promise<Socket> {
  const socket = await world.open(sandbox);
  const head = [`POST ${target} HTTP/1.1`, "Host: g", "Expect: 100-continue", ...headers, `Content-Length: ${length}`];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const [said] = (await once(socket, "data")) as [Buffer];
  expect(said.toString()).toContain("100 Continue");
  return socket;
}

test("a fetch whose body comes after the run was stopped is refused", async () => {
  const work = await openRun(world, forge, "late-fetch");
  const body = wants(forge.main);
  const headers = [`Authorization: ${basic(work.token)}`, "Connection: close", TYPE];
  const socket = await beginning(work.sandbox, "/git/acme/site.git/git-upload-pack", headers, body.length);
  await world.client.revoke(work.sandbox);
  socket.write(body);
  const answer = (await readAll(socket)).toString("latin1");
  expect(answer).toContain("x-countersign-reason: run_over");
  expect(answer).not.toContain("PACK");
});

test("a model call whose body comes after the run was stopped does not go out", async () => {
  await world.client.grant(bareGrant({ sandbox: "m", run: "run-m", tokenHash: hashOf("tok"), models: ["*"] }));
  const body = JSON.stringify({ model: "scripted", messages: [] });
  const headers = ["Authorization: Bearer tok", "Connection: close"];
  const socket = await beginning("m", "/model/openai/v1/chat/completions", headers, body.length);
  await world.client.revoke("m");
  socket.write(body);
  expect((await readAll(socket)).toString()).toContain('"reason":"run_over"');
  expect(service.seen).toEqual([]);
});

test("a model call is held to the budget that stands when its body is there, not when it began", async () => {
  const grant = bareGrant({ sandbox: "n", run: "run-n", tokenHash: hashOf("tok-n"), models: ["*"] });
  await world.client.grant(grant);
  const body = JSON.stringify({ model: "scripted", messages: [] });
  const headers = ["Authorization: Bearer tok-n", "Connection: close"];
  const socket = await beginning("n", "/model/openai/v1/chat/completions", headers, body.length);
  await world.client.grant({ ...grant, models: ["gpt-*"] });
  socket.write(body);
  expect((await readAll(socket)).toString()).toContain('"reason":"model"');
  expect(service.seen).toEqual([]);
});

test("a push is held to the rules that stand when its objects are there, not when it began", async () => {
  const work = await openRun(world, forge, "narrowed");
  await commit(work, { "secret/a.md": "x\n" });
  const oid = oidOf(await work.git(["rev-parse", "HEAD"]));
  const pack = await packOf({ cwd: work.clone, home: forge.folder }, oid, forge.main);
  const start = moves(forge.main, oid, `refs/heads/${work.branch}`);
  const headers = [
    `Authorization: ${basic(work.token)}`,
    "Connection: close",
    "Content-Type: application/x-git-receive-pack-request",
  ];
  const target = "/git/acme/site.git/git-receive-pack";
  const socket = await beginning(work.sandbox, target, headers, start.length + pack.length);
  socket.write(start);
  // A whole exchange behind it: by then the push has begun.
  await work.git(["ls-remote", "origin"]);
  const deny: PathRule = {
    effect: "deny",
    globs: ["secret/**"],
    except: [],
    from: null,
    rule: { at: "teams/t.yaml:4:5", text: "deny git.path secret/**", why: null },
  };
  const git = { repo: forge.name, branch: work.branch, base: forge.main, maxBytes: 5_000_000 };
  const { run, sandbox } = work;
  const grant = bareGrant({
    sandbox,
    run,
    tokenHash: hashOf(work.token),
    git: { ...git, paths: [deny, ...PATH_RULES] },
  });
  await world.client.grant(grant);
  socket.write(pack);
  await readAll(socket);
  const pushes = (await world.auditOf(sandbox)).filter((line) => line.kind === "push");
  expect(pushes).toMatchObject([{ outcome: "deny", rule: "teams/t.yaml:4:5" }]);
  expect((await world.client.closePush(run)).oid).toBe(forge.main);
});

test("a fetch under way ends with its run", async () => {
  const work = await openRun(world, forge, "cut");
  const whole = await askRelay(world, work, { path: "git-upload-pack", body: wants(forge.main) });
  const tip = (await forge.git(["--git-dir", forge.path, "rev-parse", "main"])).stdout.trim();
  const large = await askRelay(world, work, { path: "git-upload-pack", body: wants(tip) });
  expect(large.body.length).toBeGreaterThan(2_000_000 + whole.body.length);
  const socket = await world.open(work.sandbox);
  const body = wants(tip);
  const head = [
    "POST /git/acme/site.git/git-upload-pack HTTP/1.1",
    "Host: g",
    `Authorization: ${basic(work.token)}`,
    "Connection: close",
    TYPE,
    `Content-Length: ${body.length}`,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  let received = 0;
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  // This side hangs up last: a server ends an exchange whose client has left, and that is not what is tried here.
  socket.once("end", () => socket.end());
  const closed = once(socket, "close");
  await once(socket, "data");
  socket.pause();
  await world.client.revoke(work.sandbox);
  socket.resume();
  await closed;
  expect(received).toBeLessThan(large.body.length / 2);
});

test("a sandbox may have a few gits at work at once, and not as many as it likes", async () => {
  const work = await openRun(world, forge, "many");
  const headers = [`Authorization: ${basic(work.token)}`, "Content-Type: application/x-git-receive-pack-request"];
  const first = moves(forge.main, "1".repeat(40), `refs/heads/${work.branch}`);
  const held: Socket[] = [];
  for (let i = 0; i < 8; i += 1) {
    const socket = await beginning(work.sandbox, "/git/acme/site.git/git-receive-pack", headers, 10_000);
    socket.write(first);
    held.push(socket);
  }
  const refused = await askRelay(world, work, { method: "GET", path: "info/refs?service=git-upload-pack" });
  expect(refused.head).toContain("x-countersign-reason: connections");
  const other = await openRun(world, forge, "another");
  expect(other.cloned.code).toBe(0);
  for (const socket of held) socket.destroy();
  let status = 403;
  while (status === 403) {
    ({ status } = await askRelay(world, work, { method: "GET", path: "info/refs?service=git-upload-pack" }));
  }
  expect(status).toBe(200);
});

test("a sandbox may send many model calls at once, and not as many as it likes", async () => {
  await world.client.grant(bareGrant({ sandbox: "o", run: "run-o", tokenHash: hashOf("tok-o"), models: ["*"] }));
  const path = "/model/openai/v1/chat/completions";
  const headers = ["Authorization: Bearer tok-o", "Connection: close"];
  const held = await Promise.all(Array.from({ length: 64 }, () => beginning("o", path, headers, 10_000)));
  const one = await beginning("o", path, headers, 2);
  one.write("{}");
  expect((await readAll(one)).toString()).toContain('"reason":"connections"');
  for (const socket of held) socket.destroy();
});

test("a sandbox may wait for many answers at once, and not for as many as it likes", async () => {
  await world.client.grant(
    bareGrant({
      sandbox: "p",
      run: "run-p",
      tokenHash: hashOf("tok-p"),
      models: ["*"],
      budget: { usd: 1e6, tokens: 1e9 },
    }),
  );
  const hang = { model: "scripted", messages: [{ role: "user", content: "hang" }], max_tokens: 1 };
  const body = JSON.stringify(hang);
  const headers = ["Authorization: Bearer tok-p", "Connection: close"];
  const send = async () => {
    const socket = await beginning("p", "/model/openai/v1/chat/completions", headers, body.length);
    const asked = once(hanging, "asked");
    socket.write(body);
    await asked;
    return socket;
  };
  const held: Socket[] = [];
  for (let i = 0; i < 64; i += 1) held.push(await send());
  const one = await beginning("p", "/model/openai/v1/chat/completions", headers, body.length);
  one.write(body);
  expect((await readAll(one)).toString()).toContain('"reason":"connections"');
  for (const socket of held) socket.destroy();
});

test("of two pushes at once one moves the branch, and both are in the record", async () => {
  const work = await openRun(world, forge, "race");
  const who = { sandbox: work.sandbox, token: work.token };
  const bodies: Buffer[] = [];
  for (const name of ["a.md", "b.md"]) {
    await work.git(["checkout", "--quiet", "--detach", forge.main]);
    await commit(work, { [name]: "x\n" });
    const oid = oidOf(await work.git(["rev-parse", "HEAD"]));
    const pack = await packOf({ cwd: work.clone, home: forge.folder }, oid, forge.main);
    bodies.push(Buffer.concat([Buffer.from(moves(forge.main, oid, `refs/heads/${work.branch}`)), pack]));
  }
  const answers = await Promise.all(bodies.map((body) => askRelay(world, who, { path: "git-receive-pack", body })));
  expect(answers.filter((answer) => /ok refs\/heads/.test(answer.body)).length).toBe(1);
  const pushes = (await world.auditOf(work.sandbox)).filter((line) => line.kind === "push");
  expect(pushes.length).toBe(2);
  const moved = pushes.filter(
    (line) => answers.some((answer) => answer.body.includes("ok refs")) && line.outcome === "allow",
  );
  expect(moved.map((line) => line.kind === "push" && line.oid)).toContain((await world.client.closePush(work.run)).oid);
});
