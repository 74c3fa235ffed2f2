import type { HomeView as SlackHome } from "@slack/types";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { checkCall } from "#playground/slack/validate.ts";
import type { HomeView } from "#runs/view.ts";
import { homeOf } from "#surfaces/slack/cards/home.ts";
import { title } from "#test/fixtures/run-events.ts";
import { brokenTypes, WORKSPACE } from "#test/fixtures/slack/double.ts";
import { TRANSPORTS } from "#test/playground/stage.ts";
import { EMPTY_HOME, eventBody, newTs, pressedAtHome, slackWorld } from "./world.ts";

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database.close());

const place = { provider: "slack", workspace: WORKSPACE, channel: "C0SHOP", thread: "1700000000.000100" };
const question: HomeView["waiting"][number] = {
  run: title,
  asker: "Ana <b>",
  text: "fix *the* login",
  gate: "start",
  expiresAt: new Date("2026-11-25T14:00:00.000Z"),
  card: { ...place, messageId: "1700000001.000200" },
};
const run: HomeView["runs"][number] = { ...title, state: "working", text: "fix the login", over: false };
const full: HomeView = {
  ...EMPTY_HOME,
  waiting: [question],
  runs: [run, { ...run, id: "other", state: "merged", over: true }],
  teams: ["shop"],
  policy: { commit: "abc", digest: "sha256:0011223344" },
};
const opened = (o: object = {}) =>
  eventBody({ type: "app_home_opened", user: "U0ANA", channel: "D0ANA", tab: "home", event_ts: "1.1", ...o });

describe.each(TRANSPORTS)("over %s", (over) => {
  test("whoever opens the Home finds what waits for them, their runs and their teams", async () => {
    const { post, say, double } = await slackWorld(database, { over });
    say.home = full;
    await post(opened());
    const [published] = double.homes;
    expect(published).toMatchObject({ user_id: "U0ANA", view: { type: "home" } });
    const text = JSON.stringify(published);
    expect(text).toContain("https://acme.slack.test/archives/C0SHOP/p1700000001000200?thread_ts=1700000000.000100");
    expect(text).toContain("Ana &lt;b&gt;");
    expect(text.match(/"home_stop"/g)).toHaveLength(1);
    expect(text).toContain('"value":"shop"');
  });

  test("the messages tab of the app is no Home", async () => {
    const { post, calls, left } = await slackWorld(database, { over });
    await post(opened({ tab: "messages" }));
    expect(calls).toEqual([]);
    expect(await left()).toEqual([]);
  });

  test("Stop in the Home stops that run, and the Home says so", async () => {
    const { post, calls, double } = await slackWorld(database, { over });
    await post(pressedAtHome("home_stop", title.id), { form: true });
    expect(calls).toMatchObject([
      { verb: "stop", with: { runId: title.id, account: { id: "U0ANA" } } },
      { verb: "home" },
    ]);
    expect(JSON.stringify(double.homes[0])).toContain("Stopping");
  });

  test("a Stop in the Home that fails is said in a direct message, and done by the next try", async () => {
    const { post, say, surface, calls, double, left, release } = await slackWorld(database, { over });
    say.throws = 1;
    await post(pressedAtHome("home_stop", title.id), { form: true });
    expect(double.messages[0]?.args).toMatchObject({
      channel: "U0ANA",
      text: expect.stringContaining("we try again by ourselves"),
    });
    await release();
    await surface.redrive();
    expect(calls.map(({ verb }) => verb)).toEqual(["stop", "stop", "home"]);
    expect(await left()).toEqual([]);
  });

  test("the policy of a team opens over the Home, in a form that Slack takes", async () => {
    const { post, say, calls, double } = await slackWorld(database, { over });
    say.view = { kind: "policy", team: "shop", commit: "abc", digest: "sha256:00", says: [] };
    const { actions: _button, ...body } = pressedAtHome("home_policy", "");
    const selected_option = { value: "shop", text: { type: "plain_text", text: "shop" } };
    const action = { type: "static_select", action_id: "home_policy", block_id: "home_5", selected_option };
    await post({ ...body, actions: [{ ...action, action_ts: newTs() }] }, { form: true });
    expect(calls).toMatchObject([{ verb: "teamPolicy", with: { team: "shop" } }]);
    expect(brokenTypes("ModalView", double.views[0]?.view)).toEqual([]);
  });

  test("a policy that came too late says to press again, and is not tried for ever", async () => {
    const { post, double, left } = await slackWorld(database, { over });
    double.fail("views.open", { error: "expired_trigger_id" });
    await post(pressedAtHome("home_policy", "shop"), { form: true });
    expect(JSON.stringify(double.homes[0])).toContain("Press it again");
    expect(await left()).toEqual([]);
  });

  test("accounts elsewhere are linked and taken back from the Home", async () => {
    const { post, say, calls, double } = await slackWorld(database, { over });
    say.home = {
      ...EMPTY_HOME,
      links: { accounts: [{ provider: "linear", name: "ana <b>" }], places: ["github", "linear"] },
    };
    await post(opened());
    const shown = JSON.stringify(double.homes[0]);
    expect(shown).toContain("ana &lt;b&gt; on Linear");
    expect(shown.match(/"home_(?:un)?link"/g)).toEqual(['"home_link"', '"home_unlink"']);
    say.view = {
      kind: "link_page",
      provider: "github",
      url: "https://a.example/identity/github/start",
      until: new Date(0),
    };
    await post(pressedAtHome("home_link", "github"), { form: true });
    expect(calls.at(-1)).toMatchObject({
      verb: "accounts",
      with: { what: "link", place: "github", account: { id: "U0ANA" } },
    });
    expect(brokenTypes("ModalView", double.views[0]?.view)).toEqual([]);
    expect(JSON.stringify(double.views[0])).toContain("https://a.example/identity/github/start");
    say.view = { kind: "unlinked", from: ["linear"] };
    await post(pressedAtHome("home_unlink", "linear"), { form: true });
    expect(calls.at(-2)).toMatchObject({ verb: "accounts", with: { what: "unlink", place: "linear" } });
    expect(JSON.stringify(double.homes.at(-1))).toContain("no longer linked with you");
  });

  test("somebody whom Slack does not know sees nothing of anybody", async () => {
    const { post, calls, double } = await slackWorld(database, { over });
    await post(opened({ user: "U0NOBODY" }));
    expect(calls).toEqual([]);
    expect(JSON.stringify(double.homes[0])).toContain("could not tell us who you are");
  });

  const stopped = (o: object = {}) =>
    eventBody({
      type: "agent_session_stopped",
      user: "U0BO",
      channel: "C0SHOP",
      thread_ts: place.thread,
      streaming_message_ts: [],
      event_ts: `${Date.now()}.1`,
      ...o,
    });

  test("Slack's own Stop is the word stop in that thread, and its person is answered there", async () => {
    const { post, say, calls, double } = await slackWorld(database, { over });
    say.view = { kind: "noted", what: "stopping", run: title };
    await post(stopped());
    expect(calls).toMatchObject([
      { verb: "hear", with: { text: "stop", first: false, place, account: { id: "U0BO" }, shared: false } },
    ]);
    expect(double.ephemerals[0]).toMatchObject({ user: "U0BO", thread_ts: place.thread });
  });

  test("Slack's own Stop told twice is one", async () => {
    const { post, calls } = await slackWorld(database, { over });
    const body = stopped();
    await post(body);
    await post({ ...body, event_id: "EvAGAIN" });
    expect(calls).toHaveLength(1);
  });

  test("a person who cannot be looked up stops nothing and is told", async () => {
    const { post, calls, double, directory } = await slackWorld(database, { over });
    directory.fail("Slack is away");
    await post(stopped());
    expect(calls).toEqual([]);
    expect(double.ephemerals[0]?.text).toContain("nothing was done");
  });
});

const many: HomeView = {
  ...full,
  waiting: Array.from({ length: 60 }, () => ({ ...question, text: "long ".repeat(2_000) })),
  runs: Array.from({ length: 10 }, () => run),
  teams: Array.from({ length: 40 }, (_, i) => `team-${i}-${"x".repeat(90)}`),
  unread: true,
};

test.each([
  ["nothing to show", EMPTY_HOME, null],
  ["something of everything", full, "Run 12: Stopping."],
  ["far too much", many, null],
])("a Home with %s fits Slack's types and lengths", (_what, view, notice) => {
  const made: SlackHome = homeOf(view, { workspaceUrl: "https://acme.slack.test", notice });
  expect(checkCall("views.publish", { user_id: "U0ANA", view: { ...made } })).toMatchObject({ ok: true });
});
