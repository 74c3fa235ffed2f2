import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commit, openRun } from "./corpus/git.ts";
import { type Forge, makeForge } from "./forge.ts";
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

test("a secret that the next commit takes away is still found", async () => {
  const work = await openRun(world, forge, "taken-away");
  await commit(work, { "k.txt": `${"AKIA"}${"QWERTYUIOPASDFGH"}\n` });
  await commit(work, { "k.txt": "nothing\n" });
  const pushed = await work.git(["push", "origin", `HEAD:refs/heads/${work.branch}`]);
  expect(pushed.code).not.toBe(0);
  expect(pushed.stderr).toContain("k.txt:1: looks like a credential (aws-access-key)");
  expect((await world.client.closePush(work.run)).oid).toBe(forge.main);
});

test("a path that was touched on the way and is nowhere in the result is still refused", async () => {
  const work = await openRun(world, forge, "on-the-way");
  await commit(work, { ".github/workflows/x.yml": "on: push\n" });
  await work.git(["rm", "--quiet", "-r", ".github"]);
  await commit(work, {});
  await commit(work, { "a.md": "x\n" });
  const pushed = await work.git(["push", "origin", `HEAD:refs/heads/${work.branch}`]);
  expect(pushed.code).not.toBe(0);
  expect(pushed.stderr).toContain("org.yaml:17:5");
  expect((await world.client.closePush(work.run)).oid).toBe(forge.main);
});

test("a hook that nobody answers refuses the push", async () => {
  const hook = fileURLToPath(import.meta.resolve("#gateway/git/pre-receive.ts"));
  const child = spawn(process.execPath, ["--no-warnings", hook, `${world.stateDir}/nobody.sock`, "a push", "", ""], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.stdin.end(`${"0".repeat(40)} ${"1".repeat(40)} refs/heads/agent/x\n`);
  expect(await text(child.stderr)).toContain("the push could not be checked, so it is refused");
  expect(await ended).toBe(1);
});

test("a hook is believed only for a push that is under way", async () => {
  const hook = fileURLToPath(import.meta.resolve("#gateway/git/pre-receive.ts"));
  const child = spawn(process.execPath, ["--no-warnings", hook, world.gateway.adminSocket, "no such push", "", ""], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.stdin.end(`${"0".repeat(40)} ${"1".repeat(40)} refs/heads/agent/x\n`);
  expect(await text(child.stderr)).toContain("this push is not known");
  expect(await ended).toBe(1);
});
