import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { parse } from "#runs/say.ts";
import { asked } from "#surfaces/slack/commands.ts";
import { WORKSPACE } from "#test/fixtures/slack/double.ts";
import { TRANSPORTS } from "#test/playground/stage.ts";
import { slackWorld, typed } from "./world.ts";

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database.close());

test.each([
  ["", { kind: "say", text: "" }],
  ["help", { kind: "say", text: "help" }],
  ["status", { kind: "say", text: "status" }],
  ["Policy", { kind: "say", text: "Policy" }],
  ["mine", { kind: "say", text: "mine" }],
  ["why", { kind: "say", text: "why" }],
  ["can I run npm test", { kind: "say", text: "can I run npm test" }],
  ["run fix the login\nand the button", { kind: "run", text: "fix the login\nand the button" }],
  ["RUN repo=acme/shop fix it", { kind: "run", text: "repo=acme/shop fix it" }],
  ["run", { kind: "usage", why: "no_task" }],
  ["link", { kind: "say", text: "link" }],
  ["link github", { kind: "say", text: "link github" }],
  ["unlink linear", { kind: "say", text: "unlink linear" }],
  ["link the docs", { kind: "usage", why: "unknown" }],
  ["stop 142", { kind: "stop", number: 142 }],
  ["cancel #7", { kind: "stop", number: 7 }],
  ["stop", { kind: "usage", why: "no_number" }],
  ["stop the flaky test", { kind: "usage", why: "no_number" }],
  ["fix the login", { kind: "usage", why: "unknown" }],
])("after the command, %j is read as %j", (text, expected) => {
  expect(asked(text)).toEqual(expected);
});

test.each([
  ["Hello!"],
  ["Status?"],
  ["Policy"],
  ["mine."],
  ["why"],
  ["why docs.example.com?"],
  ["may we push to acme/shop"],
  ["delegate to @U0BO"],
  ["Link."],
  ["link my GitHub account"],
  ["unlink   linear!"],
  ["unlink"],
])("%j says the same after the command as after a mention", (text) => {
  expect(parse(text).kind).not.toBe("task");
  expect(asked(text)).toEqual({ kind: "say", text });
});

test.each([["link the docs to github"], ["why is it red"], ["delegate retries to @U0BO"], ["new fix it"]])(
  "%j is a task after a mention, and after the command only behind run",
  (text) => {
    expect(parse(text)).toMatchObject({ kind: "task" });
    expect(asked(text)).toEqual({ kind: "usage", why: "unknown" });
    expect(asked(`run ${text}`)).toEqual({ kind: "run", text });
  },
);

describe.each(TRANSPORTS)("over %s", (over) => {
  test("a request begins a thread of its own, and its run is followed there", async () => {
    const { command, calls, double } = await slackWorld(database, { over });
    const fields = typed("run make &lt;b&gt; red");
    expect((await command(fields)).status).toBe(200);
    const [root] = double.messages;
    expect(root?.args).toMatchObject({ channel: "C0SHOP", text: "Ana asks: make &lt;b&gt; red" });
    expect(root?.args).not.toHaveProperty("thread_ts");
    expect(calls.map(({ verb }) => verb)).toEqual(["barred", "hear"]);
    expect(calls[1]?.with).toMatchObject({
      account: { id: "U0ANA" },
      place: { provider: "slack", workspace: WORKSPACE, channel: "C0SHOP", thread: root?.ts },
      first: true,
      requestKey: `slack:${WORKSPACE}:C0SHOP:command:${fields.trigger_id}`,
      text: "make <b> red",
      shared: false,
    });
  });

  test("a request of somebody who may not ask is refused before anybody else sees it", async () => {
    const { command, say, calls, double } = await slackWorld(database, { over });
    say.barred = { kind: "refused", refusal: { code: "guest" } };
    await command(typed("run fix the login"));
    expect(double.messages).toEqual([]);
    expect(calls.map(({ verb }) => verb)).toEqual(["barred"]);
    expect(double.ephemerals[0]).toMatchObject({ user: "U0ANA", text: expect.stringContaining("full members") });
    expect(double.ephemerals[0]).not.toHaveProperty("thread_ts");
  });

  test("a crash after the request was posted leads to no second post, and to one run", async () => {
    const { command, say, surface, calls, double, release } = await slackWorld(database, { over });
    say.throws = 2;
    await command(typed("run fix the login"));
    for (let n = 0; n < 2; n++) {
      await release();
      await surface.redrive();
    }
    expect(double.messages).toHaveLength(1);
    const heard = calls.filter(({ verb }) => verb === "hear");
    expect(new Set(heard.map((call) => call.with.requestKey)).size).toBe(1);
    expect(heard.at(-1)?.with.place).toMatchObject({ thread: double.messages[0]?.ts });
  });

  test("the same command twice is one", async () => {
    const { command, calls } = await slackWorld(database, { over });
    const fields = typed("status");
    await command(fields);
    await command(fields);
    expect(calls).toHaveLength(1);
  });

  test("a run is stopped by its number", async () => {
    const { command, calls, double } = await slackWorld(database, { over });
    await command(typed("stop 142"));
    expect(calls).toMatchObject([{ verb: "stopNumbered", with: { number: 142, account: { id: "U0ANA" } } }]);
    expect(double.ephemerals[0]?.text).toContain("Stopping");
  });

  test.each([
    ["stop", "/agent stop 142"],
    ["run", "/agent run replace"],
    ["fix the login", "begin with `/agent run`"],
  ])("%j is answered with how it is said right, and does nothing", async (text, usage) => {
    const { command, calls, double } = await slackWorld(database, { over });
    await command(typed(text));
    expect(calls).toEqual([]);
    expect(double.ephemerals[0]?.text).toContain(usage);
  });

  test("in a conversation that we cannot see nothing is done, and its person is told in a direct message", async () => {
    const { command, calls, double } = await slackWorld(database, { over });
    double.fail("conversations.info", { error: "channel_not_found" });
    double.fail("chat.postEphemeral", { error: "channel_not_found" });
    await command(typed("run fix the login", { channel_id: "C0OTHER" }));
    expect(calls).toEqual([]);
    expect(double.messages[0]?.args).toMatchObject({
      channel: "U0ANA",
      text: expect.stringContaining("I cannot see this conversation"),
    });
  });

  test("what is kept of a command holds no token and no address to answer at", async () => {
    const { command, real } = await slackWorld(database, {
      over,
      inbox: (inbox) => ({ ...inbox, done: async () => {} }),
    });
    await command(typed("status"));
    const [row] = await real.unfinished("slack", -1_000, 10);
    expect(JSON.stringify(row?.body)).not.toMatch(/verification|hooks\.slack/);
    expect(row?.body).toMatchObject({ command: "/agent", received_at: "2026-11-24T14:00:00.000Z" });
  });
});
