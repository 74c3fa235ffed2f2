import { afterEach, expect, test } from "vitest";
import type { Grant } from "#ports/gateway.ts";
import { eventsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, DEE, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
const open = async (script: Script = {}) => {
  house = await memoryHouse(script);
  return house;
};
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const ASKED = '["rm -r*", "rm -f*", "git clean*"] }';
const clean = (line: string) => ({ run: line, ask: true, output: `ran ${line}` });
const printed = async (run: Pick<Run, "id">) =>
  (await eventsOf(house.core, run.id)).flatMap(({ body }) => (body.kind === "tool.output" ? [body.text] : []));

test("a guest may not approve, whatever group they are in", async () => {
  await open();
  house.directory.group({ slack_usergroup: "S0LEADS" }, ["U0BO", "U0DEE"]);
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  const start = await house.question(run);
  expect(await house.answer(DEE, start.id)).toMatchObject({ kind: "refused", refusal: { code: "guest" } });
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("waiting");
});

test("a yes for once is used up: the same bytes are asked again", async () => {
  await open({ play: () => [clean("rm -rf build"), clean("rm -rf build"), { say: "Done." }] });
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const first = await house.question(run);
  await house.answer(BO, first.id);
  const second = await house.question(run);
  expect(second).toMatchObject({ digest: first.digest, askNo: 2 });
  expect(await printed(run)).toEqual(["ran rm -rf build"]);
  await house.answer(BO, second.id);
  await house.until("answered");
});

test("a yes for the run covers the same bytes again, and no others", async () => {
  await open({ play: () => [clean("rm -rf build"), clean("rm -rf build"), clean("rm -rf dist"), { say: "Done." }] });
  house.policy.edit(DATA, "grants: { for: once }", "grants: { for: run }");
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  await house.answer(BO, (await house.question(run)).id);
  const other = await house.question(run);
  expect(other.subject).toMatchObject({ command: "rm -rf dist" });
  expect(await printed(run)).toEqual(["ran rm -rf build", "ran rm -rf build"]);
  await house.answer(BO, other.id);
  await house.until("answered");
});

test("a yes that was asked for under milder rules runs no command under stricter ones", async () => {
  await open({ play: () => [clean("rm -rf build"), { say: "Done." }] });
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const first = await house.question(run);
  house.policy.edit(DATA, "    expires: 15m\n", "    expires: 15m\n    quorum: 2\n");
  await house.answer(BO, first.id);
  const again = await house.question(run);
  expect(again).toMatchObject({ digest: first.digest, askNo: 2, asks: [{ quorum: 2 }] });
  expect(await printed(run)).toEqual([]);
});

test("a rule that is narrowed holds at once", async () => {
  await open({
    play(prompt) {
      if (prompt.includes("<note>")) return [{ say: "I leave it." }];
      const narrower = '- deny: { command: "rm -r*" }\n    why: not today\n  - ask: { command: ["rm -f*"] }';
      house.policy.edit(DATA, `- ask: { command: ${ASKED}`, narrower);
      return [clean("rm -rf build"), { say: "Done." }];
    },
  });
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("answered");
  expect(await printed(run)).toEqual([]);
  const turns = await house.core.stores.turns.all(run.id);
  expect(turns.map((turn) => turn.cause)).toEqual(["request", "rejection"]);
  expect(turns[1]?.text).toContain("not today");
});

test("a rule that is widened waits for the next run", async () => {
  await open({
    play() {
      house.policy.edit(DATA, ASKED, '["git clean*"] }');
      return [clean("rm -rf build"), { say: "Done." }];
    },
  });
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  expect((await house.question(run)).subject).toMatchObject({ command: "rm -rf build" });
  expect(await printed(run)).toEqual([]);
});

test("while policy cannot be read, what the agent asks for is refused", async () => {
  await open({
    play(prompt) {
      house.policy.current = { ok: false, problem: "org.yaml:3:1 unknown key" };
      return prompt.includes("<note>") ? [{ say: "I leave it." }] : [clean("ls"), { say: "Done." }];
    },
  });
  await house.say(ANA, "look around", { channel: "C0DATA" });
  const run = await house.until("answered");
  expect(await printed(run)).toEqual([]);
  const refused = (await eventsOf(house.core, run.id)).find(
    ({ body }) => body.kind === "policy.decided" && body.subject === "ls",
  );
  expect(refused?.body).toMatchObject({ outcome: "deny", reason: "policy_unavailable" });
});

test("a path that was changed on the way and changed back still needs its yes", async () => {
  const rule = { at: "teams/shop.yaml:13:5", text: "ask git.path **/package.json", why: null };
  const { repoHost } = await open({ changes: { asks: [{ path: "package.json", from: "group:leads", rule }] } });
  await house.say(ANA, "append a line");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  const run = await house.until("suspended");
  expect(repoHost.pushes).toEqual([]);
  expect(await house.question(run)).toMatchObject({
    gate: "publish",
    subject: { paths: ["README.md", "package.json"] },
  });
});

test("the sandbox of the checks has no model and may not push", async () => {
  const seen: Grant[] = [];
  await open({
    checks() {
      seen.push(...house.gateway.grants.values());
      return 0;
    },
  });
  await house.say(ANA, "append a line");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  const run = await house.until("in_review");
  const of = (slot: string) => seen.find((grant) => grant.sandbox.includes(`:${slot}:`));
  expect(of("agent")).toMatchObject({ models: ["*"], git: { branch: run.branch } });
  expect(of("check")).toMatchObject({ models: [], git: { branch: null } });
});
