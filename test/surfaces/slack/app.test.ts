import type { ModalView } from "@slack/types";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { title } from "#test/fixtures/run-events.ts";
import { BOT_USER, brokenTypes, type SlackDouble, WORKSPACE } from "#test/fixtures/slack/double.ts";
import { TRANSPORTS } from "#test/playground/stage.ts";
import { clicked, mention, message, newTs, slackWorld, submitted } from "./world.ts";

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database.close());

const bo = { provider: "slack", workspace: WORKSPACE, id: "U0BO", name: "Bo", kind: "member" };
const thread = { provider: "slack", workspace: WORKSPACE, channel: "C0SHOP", thread: "1700000000.000100" };
const refused = { kind: "refused", refusal: { code: "no_run_here" } } as const;

function formOf(double: SlackDouble): ModalView {
  const opened = double.views[0];
  if (!opened) throw new Error("no form was opened");
  return opened.view as ModalView;
}

describe.each(TRANSPORTS)("over %s", (over) => {
  test("a mention begins a conversation, under a key that is the message's own", async () => {
    const { post, calls } = await slackWorld(database, { over });
    const ts = newTs();
    await post(mention({ ts, text: `<@${BOT_USER}> make &lt;b&gt; red, see <http://x.example|x.example>` }));
    expect(calls).toMatchObject([
      {
        verb: "hear",
        with: {
          account: { id: "U0ANA", name: "Ana", kind: "member" },
          place: { provider: "slack", workspace: WORKSPACE, channel: "C0SHOP", thread: ts },
          first: true,
          requestKey: `slack:${WORKSPACE}:C0SHOP:${ts}`,
          text: "make <b> red, see x.example",
          shared: false,
        },
      },
    ]);
  });

  test("a mention within a thread belongs to that thread", async () => {
    const { post, calls } = await slackWorld(database, { over });
    await post(mention({ thread: thread.thread, text: `<@${BOT_USER}> and the button too` }));
    expect(calls[0]?.with).toMatchObject({ place: thread, first: false, text: "and the button too" });
  });

  test("an answer for one person goes beside the first message, and into a thread that there is", async () => {
    const { post, say, double } = await slackWorld(database, { over });
    say.view = refused;
    await post(mention());
    await post(mention({ thread: thread.thread }));
    expect(double.ephemerals[0]).toMatchObject({ user: "U0ANA", channel: "C0SHOP" });
    expect(double.ephemerals[0]).not.toHaveProperty("thread_ts");
    expect(double.ephemerals[1]).toMatchObject({ user: "U0ANA", thread_ts: thread.thread });
  });

  test("nothing is whispered when everyone sees what came of it", async () => {
    const { post, double } = await slackWorld(database, { over });
    await post(mention());
    expect(double.ephemerals).toEqual([]);
  });

  test("our own words are not heard", async () => {
    const { post, calls } = await slackWorld(database, { over });
    await post(mention({ user: BOT_USER }));
    expect(calls).toEqual([]);
  });

  test("a bare word for stop in a thread is heard without a mention", async () => {
    const { post, calls, say, double } = await slackWorld(database, { over });
    say.view = { kind: "noted", what: "stopping", run: title };
    await post(message({ text: "Stop!", thread: thread.thread }));
    expect(calls[0]?.with).toMatchObject({ place: thread, text: "Stop!" });
    expect(double.ephemerals[0]?.text).toContain("Stopping");
  });

  test("people who say stop to each other are left alone", async () => {
    const { post, say, double } = await slackWorld(database, { over });
    say.view = refused;
    await post(message({ text: "stop", thread: thread.thread }));
    expect(double.ephemerals).toEqual([]);
  });

  test("a direct message needs no mention", async () => {
    const { post, calls, double } = await slackWorld(database, { over });
    double.channels.set("D0ANA", { id: "D0ANA", is_im: true });
    await post(message({ text: "help", event: { channel_type: "im", channel: "D0ANA" } }));
    expect(calls[0]?.with).toMatchObject({ text: "help", place: { channel: "D0ANA" }, direct: true });
  });

  test("an answer in a direct message is a reply that stays", async () => {
    const { post, say, double } = await slackWorld(database, { over });
    double.channels.set("D0ANA", { id: "D0ANA", is_im: true });
    say.view = { kind: "refused", refusal: { code: "no_membership" } };
    const ts = newTs();
    await post(message({ ts, text: "mend it", event: { channel_type: "im", channel: "D0ANA" } }));
    expect(double.ephemerals).toEqual([]);
    expect(double.messages[0]?.args).toMatchObject({ channel: "D0ANA", thread_ts: ts });
  });

  const chosen = (channel: string, value: string) => ({
    channel: { id: channel, name: "directmessage" },
    actions: [
      {
        type: "static_select",
        action_id: "choose_team",
        block_id: "b",
        action_ts: newTs(),
        selected_option: { text: { type: "plain_text", text: "shop" }, value },
      },
    ],
  });

  test("a choice in a direct message says which words and which team, and who chose", async () => {
    const { click, calls, double } = await slackWorld(database, { over });
    double.channels.set("D0BO", { id: "D0BO", is_im: true });
    await click({ action: "choose_team", body: chosen("D0BO", "choice:slack:T0LOCAL:D0BO:1.2 shop") });
    expect(calls).toMatchObject([
      { verb: "choose", with: { key: "choice:slack:T0LOCAL:D0BO:1.2", team: "shop", account: { id: "U0BO" } } },
    ]);
    expect(double.messages).toHaveLength(1);
  });

  test.each([
    ["in a channel", { id: "C0SHOP", is_ext_shared: false }, "choice:1 shop"],
    ["that is none of ours", { id: "D0BO", is_im: true }, "choice"],
    ["in a direct message that is shared", { id: "D0BO", is_im: true, is_ext_shared: true }, "choice:1 shop"],
  ])("a choice %s chooses nothing, and that is said", async (_what, facts, value) => {
    const { click, calls, double } = await slackWorld(database, { over });
    double.channels.set(facts.id, facts);
    await click({ action: "choose_team", body: chosen(facts.id, value) });
    expect(calls).toEqual([]);
    const said = [...double.ephemerals, ...double.messages.map(({ args }) => args)];
    expect(said.map(({ text }) => text)).toEqual([expect.stringContaining("not open any more")]);
  });

  test.each([
    ["shared now", { id: "C0SHOP", is_ext_shared: true }],
    ["about to be shared", { id: "C0SHOP", is_ext_shared: false, is_pending_ext_shared: true }],
  ])("a channel that is %s is said to be shared", async (_what, facts) => {
    const { post, calls, double } = await slackWorld(database, { over });
    double.channels.set("C0SHOP", facts);
    await post(mention());
    expect(calls[0]?.with.shared).toBe(true);
  });

  test("a channel that Slack marks on the event is shared, whatever else is known", async () => {
    const { post, calls } = await slackWorld(database, { over });
    await post(mention({ body: { is_ext_shared_channel: true } }));
    expect(calls[0]?.with.shared).toBe(true);
  });

  test("a channel that cannot be looked at is not listened to", async () => {
    const { post, calls, double } = await slackWorld(database, { over });
    // Asked when the message comes, and once more before it is acted on.
    double.fail("conversations.info", { retryAfterSec: 5 }, 2);
    await post(mention());
    expect(calls).toEqual([]);
    expect(double.ephemerals[0]?.text).toContain("nothing was done");
  });

  test("a person who cannot be looked up is not listened to, and may not decide", async () => {
    const { post, click, calls, double, directory } = await slackWorld(database, { over });
    directory.fail("Slack is away");
    await post(mention());
    await click({ action: "approve", value: "a d" });
    await click({ action: "stop", value: title.id });
    expect(calls).toEqual([]);
    expect(double.ephemerals.map((one) => one.text)).toEqual(
      Array(3).fill(expect.stringContaining("nothing was done")),
    );
  });

  test("an account that Slack does not know is not listened to", async () => {
    const { post, calls } = await slackWorld(database, { over });
    await post(mention({ user: "U0NOBODY" }));
    expect(calls).toEqual([]);
  });

  test.each(["guest", "external", "bot", "deactivated"] as const)(
    "a %s is told apart for the core to judge",
    async (kind) => {
      const { post, calls, directory } = await slackWorld(database, { over });
      directory.put({ provider: "slack", workspace: WORKSPACE, id: "U0X", name: "X", kind, email: null });
      await post(mention({ user: "U0X" }));
      expect(calls[0]?.with.account).toMatchObject({ id: "U0X", kind });
    },
  );

  test("Approve casts a vote for the bytes that the card showed, and the clicker is told in the thread", async () => {
    const { click, calls, double } = await slackWorld(database, { over });
    await click({ action: "approve", value: "approval-1 sha256:aa" });
    expect(calls).toMatchObject([
      {
        verb: "vote",
        with: {
          approvalId: "approval-1",
          digest: "sha256:aa",
          account: bo,
          choice: "approve",
          reason: null,
          place: thread,
        },
      },
    ]);
    expect(double.ephemerals).toMatchObject([{ user: "U0BO", channel: "C0SHOP", thread_ts: thread.thread }]);
    expect(double.ephemerals[0]?.text).toContain("Your approval is recorded.");
  });

  test("every refusal of a click is answered in words", async () => {
    const { click, say, double } = await slackWorld(database, { over });
    say.view = {
      kind: "refused",
      refusal: {
        code: "own_run",
        from: ["group:leads"],
        rule: "teams/shop.yaml:14:5",
        who: null,
        at: null,
        status: "pending",
      },
    };
    await click({ action: "approve", value: "approval-1 sha256:aa", user: "U0ANA" });
    expect(double.ephemerals[0]?.text).toBe(
      "You asked for this run or added to it, so your own answer does not count (rule `teams/shop.yaml:14:5`). Somebody else from leads has to decide.",
    );
  });

  test("a button whose value is not ours decides nothing and is answered", async () => {
    const { click, calls, double } = await slackWorld(database, { over });
    for (const action of ["approve", "deny", "ask_again"]) await click({ action, value: "not ours at all" });
    expect(calls).toEqual([]);
    expect(double.ephemerals).toHaveLength(3);
  });

  test("Deny asks for a reason first, in a form that Slack takes", async () => {
    const { click, calls, double } = await slackWorld(database, { over });
    await click({ action: "deny", value: "approval-1 sha256:aa" });
    expect(calls).toEqual([]);
    const view = formOf(double);
    expect(brokenTypes("ModalView", view)).toEqual([]);
    for (const text of [view.title, view.submit, view.close]) expect(text?.text.length).toBeLessThanOrEqual(24);
    expect(double.views[0]?.trigger_id).toBe("1.2.3");
  });

  test("the reason becomes a vote against the same bytes, answered in the thread of the card", async () => {
    const { click, post, calls, double } = await slackWorld(database, { over });
    await click({ action: "deny", value: "approval-1 sha256:aa" });
    const memory = formOf(double).private_metadata ?? "";
    const response = await post(submitted({ reason: "  The test is right. ", memory }), { form: true });
    expect([response.status, await response.text()]).toEqual([200, ""]);
    expect(calls).toMatchObject([
      {
        verb: "vote",
        with: {
          approvalId: "approval-1",
          digest: "sha256:aa",
          account: bo,
          choice: "deny",
          reason: "The test is right.",
          place: thread,
        },
      },
    ]);
    expect(double.ephemerals[0]).toMatchObject({ user: "U0BO", thread_ts: thread.thread });
  });

  test("a denial without a reason stays open and says so; with one it then counts, under the same hash", async () => {
    const { click, post, calls, double } = await slackWorld(database, { over });
    await click({ action: "deny", value: "approval-1 sha256:aa" });
    const memory = formOf(double).private_metadata ?? "";
    const blank = submitted({ reason: "   ", memory });
    const response = await post(blank, { form: true });
    expect(await response.json()).toEqual({ response_action: "errors", errors: { reason: "Say why." } });
    expect(calls).toEqual([]);
    const said = { ...blank, view: { ...blank.view, ...submitted({ reason: "No.", memory }).view, id: blank.view.id } };
    await post(said, { form: true });
    expect(calls).toMatchObject([{ with: { choice: "deny", reason: "No." } }]);
  });

  test("a form that is not ours or remembers nothing is not taken", async () => {
    const { post, calls } = await slackWorld(database, { over });
    const response = await post(submitted({ reason: "No.", memory: "{}" }), { form: true });
    expect(await response.json()).toMatchObject({ response_action: "errors" });
    expect(calls).toEqual([]);
  });

  test("a form that came too late says to press again, and is not tried for ever", async () => {
    const { click, double, left } = await slackWorld(database, { over });
    double.fail("views.open", { error: "expired_trigger_id" });
    await click({ action: "deny", value: "approval-1 sha256:aa" });
    expect(double.ephemerals[0]?.text).toContain("Press Deny again");
    expect(await left()).toEqual([]);
  });

  test("Ask again, Stop and Why reach their verbs", async () => {
    const { click, calls } = await slackWorld(database, { over });
    await click({ action: "ask_again", value: "approval-1 sha256:aa" });
    await click({ action: "stop", value: title.id });
    await click({ action: "why", value: title.id });
    expect(calls).toMatchObject([
      { verb: "askAgain", with: { approvalId: "approval-1", account: bo, place: thread } },
      { verb: "stop", with: { runId: title.id, account: bo, place: thread } },
      { verb: "hear", with: { text: "why", account: bo, place: thread, first: false, shared: false } },
    ]);
  });

  test("a click on a note that only one person sees knows its thread from the container", async () => {
    const { post, calls } = await slackWorld(database, { over });
    const { message: _none, ...body } = clicked({ action: "stop", value: title.id });
    await post(
      { ...body, container: { type: "message", message_ts: "1.1", is_ephemeral: true, thread_ts: "9.9" } },
      { form: true },
    );
    expect(calls[0]?.with).toMatchObject({ place: { thread: "9.9" } });
  });

  test("a click is acknowledged although its answer cannot be given now, and answered later", async () => {
    const { click, double, surface, left, release } = await slackWorld(database, { over });
    double.fail("chat.postEphemeral", { retryAfterSec: 1 }, 2);
    expect((await click({ action: "approve", value: "a d" })).status).toBe(200);
    expect(await left()).toHaveLength(1);
    await release();
    await surface.redrive();
    expect(double.ephemerals).toHaveLength(1);
    expect(await left()).toEqual([]);
  });
});
