import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "#playground/slack/world.ts";
import { eventOf, openStage, type Stage, TRANSPORTS } from "./stage.ts";

describe.each(TRANSPORTS)("over %s", (over) => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage({ over });
  });
  afterEach(() => stage.close());

  const say = async (text: string, more: object = {}) => {
    const { body } = await stage.control("message", { channel: "C0SITE", user: "U0ANA", text, ...more });
    return String(body.ts);
  };
  const messages = async () => (await stage.control("messages/C0SITE")).body.messages as JsonObject[];
  const click = (ts: string, user: string, action_id: string) =>
    stage.control("interact", { channel: "C0SITE", messageTs: ts, user, action: { type: "button", action_id } });

  const card = (extra: JsonObject[] = []) => [
    { type: "section" as const, text: { type: "mrkdwn" as const, text: "*Start this run?*" } },
    {
      type: "actions" as const,
      elements: [
        {
          type: "button" as const,
          action_id: "approve",
          text: { type: "plain_text" as const, text: "Approve" },
          value: "a1",
        },
        {
          type: "button" as const,
          action_id: "deny",
          text: { type: "plain_text" as const, text: "Deny" },
          value: "a1",
        },
      ],
    },
    ...(extra as never[]),
  ];

  /** A small product: a card on mention, a refusal for the asker, a modal for a denial. */
  function install() {
    const { bolt } = stage;
    bolt.event("app_mention", async ({ event, client }) => {
      await client.chat.postMessage({ channel: event.channel, thread_ts: event.ts, text: "Ana asks.", blocks: card() });
    });
    bolt.action("approve", async ({ ack, body, client, respond }) => {
      await ack();
      if (body.type !== "block_actions" || body.container.type !== "message") return;
      if (body.user.id === "U0ANA") {
        await client.chat.postEphemeral({
          channel: "C0SITE",
          thread_ts: body.container.thread_ts,
          user: "U0ANA",
          text: "Not your own.",
        });
        return;
      }
      await client.chat.update({
        channel: "C0SITE",
        ts: body.container.message_ts,
        text: `Approved by <@${body.user.id}>.`,
        blocks: [],
      });
      await respond({ text: "Recorded.", response_type: "ephemeral", replace_original: false });
    });
    bolt.action("deny", async ({ ack, body, client }) => {
      await ack();
      if (body.type !== "block_actions") return;
      await client.views.open({
        trigger_id: body.trigger_id,
        view: {
          type: "modal",
          callback_id: "deny",
          title: { type: "plain_text", text: "Deny" },
          submit: { type: "plain_text", text: "Deny" },
          blocks: [
            {
              type: "input",
              block_id: "reason",
              label: { type: "plain_text", text: "Why" },
              element: { type: "plain_text_input", action_id: "text", multiline: true },
            },
          ],
        },
      });
    });
    bolt.view("deny", async ({ ack, view }) => {
      const reason = view.state.values.reason?.text?.value ?? "";
      if (reason.length < 5) await ack({ response_action: "errors", errors: { reason: "Say a little more." } });
      else await ack();
    });
  }

  const theCard = async () =>
    (await messages()).find((message) => message.user === "U0AGENT" && message.is_ephemeral === false);

  test("a mention reaches Bolt as message and as app_mention, signed, and the card appears in the thread", async () => {
    install();
    const ts = await say('@agent fix the "typo" & more <now>');
    const mention = await stage.hears((heard) => eventOf(heard).type === "app_mention");
    const message = await stage.hears((heard) => eventOf(heard).type === "message" && eventOf(heard).ts === ts);
    expect(eventOf(mention)).toMatchObject({
      text: '<@U0AGENT> fix the "typo" &amp; more &lt;now&gt;',
      user: "U0ANA",
      channel: "C0SITE",
      ts,
      event_ts: ts,
      team: "T0LOCAL",
    });
    expect(eventOf(message)).toMatchObject({ channel_type: "channel" });
    expect(mention.body).toMatchObject({ type: "event_callback", api_app_id: "A0AGENT", team_id: "T0LOCAL" });
    expect(mention.body.event_id).not.toBe(message.body.event_id);
    await stage.playground.idle();
    await expect.poll(theCard).toMatchObject({ thread_ts: ts, parent_user_id: "U0ANA", text: "Ana asks." });
    const root = (await messages()).find((each) => each.ts === ts);
    expect(root).toMatchObject({ reply_count: 1, thread_ts: ts });
  });

  test("talk that does not mention the bot is a message event only", async () => {
    const ts = await say("morning all");
    await stage.hears((heard) => eventOf(heard).ts === ts);
    await stage.playground.idle();
    expect(stage.heard.map((heard) => eventOf(heard).type)).toEqual(["message"]);
  });

  test("the asker's own click is answered by a note that only she sees; another person's click edits the card", async () => {
    install();
    await say("@agent please");
    await expect.poll(theCard).toBeDefined();
    const ts = String((await theCard())?.ts);
    expect((await click(ts, "U0ANA", "approve")).body).toEqual({ ok: true });
    await expect
      .poll(async () => (await messages()).find((message) => message.is_ephemeral))
      .toMatchObject({
        text: "Not your own.",
        visible_to: ["U0ANA"],
      });
    await click(ts, "U0BO", "approve");
    await expect.poll(theCard).toMatchObject({ text: "Approved by <@U0BO>.", edited: { user: "U0AGENT" } });
    expect((await theCard())?.blocks).toBeUndefined();
    await expect
      .poll(async () => (await messages()).find((message) => message.text === "Recorded."))
      .toMatchObject({
        visible_to: ["U0BO"],
      });
    // The card has no buttons any more, but Cy's screen may still show them.
    expect((await click(ts, "U0CY", "approve")).body).toEqual({ ok: true });
  });

  test("a modal opens for the clicker, keeps the app's errors, and closes when the app is content", async () => {
    install();
    await say("@agent please");
    await expect.poll(theCard).toBeDefined();
    await click(String((await theCard())?.ts), "U0BO", "deny");
    const views = async () => (await stage.control("views/U0BO")).body.views as JsonObject[];
    await expect.poll(async () => (await views()).length).toBe(1);
    const view_id = (await views())[0]?.id;
    const submit = (values: object) => stage.control("view", { user: "U0BO", view_id, values });
    expect((await submit({})).body).toMatchObject({
      response_action: "errors",
      errors: { reason: "Please complete this required field." },
    });
    expect((await submit({ reason: { text: "no" } })).body).toMatchObject({ errors: { reason: "Say a little more." } });
    expect(await views()).toHaveLength(1);
    expect((await submit({ reason: { text: "not today" } })).body).toEqual({ ok: true, response_action: "none" });
    expect(await views()).toEqual([]);
  });

  test("a guest cannot speak or click where she is not, and a stranger's id is named", async () => {
    const shop = await stage.control("message", { channel: "C0SHOP", user: "U0DEE", text: "@agent hi" });
    expect(shop).toMatchObject({ status: 400, body: { error: "Dee is not in #shop." } });
    const nobody = await stage.control("message", { channel: "C0SITE", user: "U9", text: "hi" });
    expect(nobody.body.error).toBe('No user "U9". Use one of U0ANA, U0BO, U0CY, U0DEE.');
  });

  test("message metadata comes back to a reader who asks for it", async () => {
    const ts = await say("hello");
    const { client } = stage.bolt;
    const metadata = { event_type: "run_shown", event_payload: { key: "run-1:status" } };
    await client.chat.postMessage({ channel: "C0SITE", thread_ts: ts, text: "Working.", metadata });
    const asked = await client.conversations.replies({ channel: "C0SITE", ts, include_all_metadata: true });
    const plain = await client.conversations.replies({ channel: "C0SITE", ts });
    expect(asked.messages?.map((message) => message.metadata)).toEqual([undefined, metadata]);
    expect(plain.messages?.[1]?.metadata).toBeUndefined();
  });

  test("an ephemeral message is changed through its response_url only, five times at most", async () => {
    stage.bolt.action("open", async ({ ack }) => ack());
    const { client } = stage.bolt;
    const button = { type: "button" as const, action_id: "open", text: { type: "plain_text" as const, text: "Open" } };
    const note = await client.chat.postEphemeral({
      channel: "C0SITE",
      user: "U0ANA",
      text: "A note",
      blocks: [{ type: "actions", elements: [button] }],
    });
    const ts = String(note.message_ts);
    await expect(client.chat.update({ channel: "C0SITE", ts, text: "x" })).rejects.toThrow("message_not_found");
    expect((await click(ts, "U0BO", "open")).body.error).toContain("Bo does not see it");
    await click(ts, "U0ANA", "open");
    const { body } = await stage.hears((heard) => heard.body.type === "block_actions");
    expect(body.message).toBeUndefined();
    const use = (given: object) => fetch(String(body.response_url), { method: "POST", body: JSON.stringify(given) });
    expect((await use({ replace_original: true, text: "Changed" })).status).toBe(200);
    expect((await messages()).find((message) => message.ts === ts)).toMatchObject({
      text: "Changed",
      visible_to: ["U0ANA"],
    });
    expect((await use({ replace_original: true, blocks: [{ type: "nonsense" }] })).status).toBe(400);
    for (const text of ["2", "3", "4"]) await use({ text });
    expect((await use({ delete_original: true })).status).toBe(200);
    expect(await (await use({ text: "6" })).json()).toEqual({ ok: false, error: "used_url" });
  });

  test("reactions are events, and a second one by the same person is refused", async () => {
    const ts = await say("hello");
    const { client } = stage.bolt;
    await client.reactions.add({ channel: "C0SITE", timestamp: ts, name: "eyes" });
    await expect(client.reactions.add({ channel: "C0SITE", timestamp: ts, name: "eyes" })).rejects.toThrow(
      "already_reacted",
    );
    await stage.control("reaction", { channel: "C0SITE", ts, user: "U0CY", name: "x" });
    const added = await stage.hears(
      (heard) => eventOf(heard).type === "reaction_added" && eventOf(heard).user === "U0CY",
    );
    expect(eventOf(added)).toMatchObject({
      reaction: "x",
      item: { type: "message", channel: "C0SITE", ts },
      item_user: "U0ANA",
    });
    const got = await client.reactions.get({ channel: "C0SITE", timestamp: ts });
    expect(got.message?.reactions).toEqual([
      { name: "eyes", users: ["U0AGENT"], count: 1 },
      { name: "x", users: ["U0CY"], count: 1 },
    ]);
  });

  test("the native Stop button tells the app, and only while it is working", async () => {
    const ts = await say("@agent go");
    const stop = () => stage.control("stop", { channel: "C0SITE", thread_ts: ts, user: "U0ANA" });
    expect((await stop()).status).toBe(400);
    await stage.bolt.client.agents.sessions.setStatus({ channel_id: "C0SITE", thread_ts: ts, status: "processing" });
    expect((await stop()).body).toEqual({ ok: true });
    const stopped = await stage.hears((heard) => eventOf(heard).type === "agent_session_stopped");
    expect(eventOf(stopped)).toMatchObject({ channel: "C0SITE", thread_ts: ts, user: "U0ANA" });
  });

  test("a streamed message grows by chunks and ends", async () => {
    const ts = await say("@agent stream");
    const streamer = stage.bolt.client.chatStream({
      channel: "C0SITE",
      thread_ts: ts,
      recipient_team_id: "T0LOCAL",
      recipient_user_id: "U0ANA",
    });
    await streamer.append({ chunks: [{ type: "task_update", id: "t1", title: "Read", status: "in_progress" }] });
    await streamer.append({ chunks: [{ type: "task_update", id: "t1", title: "Read", status: "complete" }] });
    await streamer.stop({ blocks: [{ type: "divider" }] });
    const reply = (await messages()).find((message) => message.thread_ts === ts && message.ts !== ts);
    expect(reply).toMatchObject({
      streaming: false,
      blocks: [{ type: "plan", tasks: [{ task_id: "t1", status: "complete" }] }, { type: "divider" }],
    });
  });

  test("the log tells each act, event, answer and call in order, without tokens", async () => {
    install();
    await say("@agent please");
    await expect.poll(theCard).toBeDefined();
    await stage.playground.idle();
    const { log } = (await stage.control("log")).body as { log: { kind: string; method?: string }[] };
    const kinds = log.map((entry) => entry.kind);
    const ours = log
      .filter((entry) => entry.method !== "auth.test" && entry.method !== "apps.connections.open")
      .map((entry) => entry.kind);
    expect(ours.slice(0, 2)).toEqual(["person", "event"]);
    expect(ours.indexOf("api")).toBeGreaterThan(ours.indexOf("event"));
    expect(log.find((entry) => entry.method === "chat.postMessage")).toMatchObject({ kind: "api", ok: true });
    expect(kinds.filter((kind) => kind === "event.answer").length).toBe(
      kinds.filter((kind) => kind === "event").length,
    );
    expect(JSON.stringify(log)).not.toContain("xoxb-");
  });

  test("a reset leaves an empty workspace", async () => {
    await say("hello");
    expect((await stage.control("reset", {})).body).toEqual({ ok: true });
    expect(await messages()).toEqual([]);
  });

  test("a slash command reaches Bolt, and its answer is for its person alone unless it says otherwise", async () => {
    stage.bolt.command("/agent", async ({ ack, command }) => {
      if (command.text === "everybody") await ack({ response_type: "in_channel", text: "For all." });
      else if (command.text === "nobody") await ack();
      else await ack(`You said ${command.text}`);
    });
    const run = async (text: string) =>
      (await stage.control("command", { channel: "C0SITE", user: "U0ANA", command: "/agent", text })).body;
    expect(await run("fix <it> @bo")).toEqual({ ok: true });
    const { body } = await stage.hears((heard) => heard.body.command === "/agent");
    expect(body).toMatchObject({
      text: "fix &lt;it&gt; <@U0BO>",
      team_id: "T0LOCAL",
      channel_id: "C0SITE",
      user_id: "U0ANA",
      is_enterprise_install: "false",
      trigger_id: expect.stringMatching(/^\d+\./),
      response_url: expect.stringContaining("/slack-response/"),
    });
    await run("everybody");
    await run("nobody");
    const seen = (await messages()).map(({ text, visible_to }) => [text, visible_to]);
    expect(seen).toEqual([
      ["You said fix &lt;it&gt; <@U0BO>", ["U0ANA"]],
      ["For all.", null],
    ]);
    expect(await stage.control("command", { channel: "C0SITE", user: "U0ANA", command: "/other" })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("/other is not a command of this workspace") },
    });
  });

  test("a Home is published for one person, is sent along when they look again, and takes a press", async () => {
    const { bolt } = stage;
    const presses: string[] = [];
    bolt.action("go", async ({ ack, body }) => {
      await ack();
      if (body.type === "block_actions" && body.container.type === "view") presses.push(body.view?.type ?? "");
    });
    const go = { type: "button" as const, action_id: "go", text: { type: "plain_text" as const, text: "Go" } };
    const blocks = [{ type: "actions" as const, elements: [go] }];
    const { view } = await bolt.client.views.publish({ user_id: "U0BO", view: { type: "home", blocks } });
    const publish = (hash: string) =>
      bolt.client.views.publish({ user_id: "U0BO", hash, view: { type: "home", blocks } });
    await expect(publish("old")).rejects.toThrow("hash_conflict");
    await stage.control("home", { user: "U0BO" });
    const opened = await stage.hears((heard) => eventOf(heard).type === "app_home_opened");
    expect(eventOf(opened)).toMatchObject({ user: "U0BO", tab: "home", view: { id: view?.id, type: "home" } });
    const action = { type: "button", action_id: "go" };
    const { body } = await stage.control("interact", { view_id: view?.id, user: "U0BO", action });
    expect([body, presses]).toEqual([{ ok: true }, ["home"]]);
    expect((await stage.control("home/U0ANA")).body).toEqual({ home: null });
    expect((await stage.control("interact", { view_id: view?.id, user: "U0ANA", action })).status).toBe(400);
  });
});
