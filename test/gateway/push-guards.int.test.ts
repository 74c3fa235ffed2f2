import { spawn } from "node:child_process";
import path from "node:path";
import { type Duplex, duplexPair, type Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerHook, installHook, type Question } from "#gateway/git/hook.ts";
import { openPushes } from "#gateway/git/pushes.ts";
import type { Wall } from "#gateway/wall.ts";
import type { Grant } from "#ports/gateway.ts";
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

/** Git's hook as git starts it, with `answer` at the other end of its descriptor 3. */
async function hooked(answer: (channel: Duplex) => Promise<void>): Promise<{ code: number | null; said: string }> {
  const folder = await installHook(path.join(world.stateDir, "hooks-alone"));
  const child = spawn(path.join(folder, "pre-receive"), {
    env: { PATH: "/usr/bin:/bin", GIT_OBJECT_DIRECTORY: "/quarantine", GIT_ALTERNATE_OBJECT_DIRECTORIES: "/objects" },
    stdio: ["pipe", "ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  child.stdin?.end(`${"0".repeat(40)} ${"1".repeat(40)} refs/heads/agent/x\n`);
  await answer(child.stdio[3] as Duplex);
  return { said: await text(child.stderr as Readable), code: await ended };
}

const UNCHECKED = "the push could not be checked, so it is refused";

test("a hook asks with all that git has told it, and lets through what is allowed", async () => {
  const asked: Question[] = [];
  const judge = async (question: Question) => {
    asked.push(question);
    return { ok: true, text: "" };
  };
  expect(await hooked((channel) => answerHook(channel, judge))).toEqual({ code: 0, said: "" });
  const lines = `${"0".repeat(40)} ${"1".repeat(40)} refs/heads/agent/x`;
  expect(asked).toEqual([{ objects: "/quarantine", alternates: "/objects", lines }]);
});

test("a hook prints why a push is refused, line by line", async () => {
  const judge = async () => ({ ok: false, text: "countersign: refused\n  [path] %s \\n $(id)\n" });
  expect(await hooked((channel) => answerHook(channel, judge))).toEqual({
    code: 1,
    said: "countersign: refused\n  [path] %s \\n $(id)\n",
  });
});

test("a hook that nobody answers refuses the push", async () => {
  const gone = await hooked(async (channel) => {
    channel.once("data", () => channel.destroy());
  });
  expect(gone).toMatchObject({ code: 1, said: expect.stringContaining(UNCHECKED) });
});

test("a hook that is answered by half refuses the push", async () => {
  const half = await hooked(async (channel) => {
    channel.once("data", () => channel.end("allow"));
  });
  expect(half).toMatchObject({ code: 1, said: expect.stringContaining(UNCHECKED) });
});

test("a push whose judging fails is refused", async () => {
  const judge = async () => {
    throw new Error("git could not be started");
  };
  const failed = await hooked((channel) => answerHook(channel, judge));
  expect(failed).toMatchObject({ code: 1, said: expect.stringContaining(UNCHECKED) });
});

test("a question that is cut short or too long is not judged", async () => {
  const judge = async () => ({ ok: true, text: "" });
  for (const question of ["/quarantine\n/objects\n", "\n\nend\n", "end\n", `${"x".repeat(300_000)}\n`]) {
    const [ours, theirs] = duplexPair();
    const answered = answerHook(ours, judge);
    theirs.end(question);
    expect(await text(theirs)).toMatch(/^refuse\n/);
    await answered;
  }
});

test("a hook is believed only for a push that is under way", async () => {
  const nothing = async () => ({ code: 0, stdout: Buffer.alloc(0), stderr: "", truncated: false });
  const pushes = openPushes({} as Wall, nothing);
  const push = pushes.begin({ grant: {} as Grant, gitDir: "/nowhere", commands: [] });
  pushes.end(push);
  const { ok, text: said } = await pushes.judge(push, { lines: "", objects: "/quarantine", alternates: "/objects" });
  expect({ ok, said }).toEqual({ ok: false, said: "countersign: this push is over.\n" });
});
