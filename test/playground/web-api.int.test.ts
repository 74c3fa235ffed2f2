import { afterAll, beforeAll, expect, test } from "vitest";
import { eventOf, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let human: string;
beforeAll(async () => {
  stage = await openStage();
  const { body } = await stage.control("message", { channel: "C0SITE", user: "U0ANA", text: "hello" });
  human = String(body.ts);
});
afterAll(() => stage.close());

const call = async (method: string, args: Record<string, string>, token = "xoxb-for-tests") => {
  const response = await fetch(`${stage.url}/slack-api/${method}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(args),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

const REFUSED: readonly [string, string, (human: string) => Record<string, string>, string][] = [
  ["a channel that is not there", "chat.postMessage", () => ({ channel: "C9", text: "x" }), "channel_not_found"],
  [
    "a thread that is not there",
    "chat.postMessage",
    () => ({ channel: "C0SITE", text: "x", thread_ts: "1.2" }),
    "thread_not_found",
  ],
  [
    "a person's message to update",
    "chat.update",
    (ts) => ({ channel: "C0SITE", ts, text: "x" }),
    "cant_update_message",
  ],
  ["a person's message to delete", "chat.delete", (ts) => ({ channel: "C0SITE", ts }), "cant_delete_message"],
  [
    "a message that is not there",
    "chat.update",
    () => ({ channel: "C0SITE", ts: "1.2", text: "x" }),
    "message_not_found",
  ],
  [
    "a note to somebody outside",
    "chat.postEphemeral",
    () => ({ channel: "C0SHOP", user: "U0DEE", text: "x" }),
    "user_not_in_channel",
  ],
  ["no such user", "users.info", () => ({ user: "U9" }), "user_not_found"],
  ["no such group", "usergroups.users.list", () => ({ usergroup: "S9" }), "no_such_subteam"],
  ["no such thread to read", "conversations.replies", () => ({ channel: "C0SITE", ts: "1.2" }), "thread_not_found"],
  [
    "a reaction that is not there",
    "reactions.remove",
    (ts) => ({ channel: "C0SITE", timestamp: ts, name: "x" }),
    "no_reaction",
  ],
  [
    "text and markdown together",
    "chat.postMessage",
    () => ({ channel: "C0SITE", text: "x", markdown_text: "y" }),
    "markdown_text_conflict",
  ],
  ["a method that is not there", "chat.fax", () => ({}), "unknown_method"],
];

test.each(REFUSED)("%s is refused with HTTP 200", async (_, method, args, error) => {
  expect(await call(method, args(human))).toMatchObject({ status: 200, body: { ok: false, error } });
});

test("a wrong token is invalid_auth and none is not_authed", async () => {
  expect((await call("auth.test", {}, "xoxb-wrong")).body).toEqual({ ok: false, error: "invalid_auth" });
  const none = await fetch(`${stage.url}/slack-api/auth.test`, { method: "POST" });
  expect(await none.json()).toEqual({ ok: false, error: "not_authed" });
});

test("mistakes in blocks come back with Slack's messages", async () => {
  const { body } = await call("chat.postMessage", { channel: "C0SITE", text: "x", blocks: '[{"type":"nonsense"}]' });
  expect(body).toEqual({
    ok: false,
    error: "invalid_blocks",
    response_metadata: { messages: ["[ERROR] unsupported type: nonsense [json-pointer:/blocks/0]"] },
  });
});

test("the bot knows itself, its team, its people and their groups", async () => {
  const { client } = stage.bolt;
  expect(await client.auth.test()).toMatchObject({ user_id: "U0AGENT", bot_id: "B0AGENT", team_id: "T0LOCAL" });
  expect((await client.users.info({ user: "U0DEE" })).user).toMatchObject({ is_restricted: true, is_bot: false });
  expect((await client.users.list({})).members?.map((user) => user.id)).toEqual([
    "U0ANA",
    "U0BO",
    "U0CY",
    "U0DEE",
    "U0AGENT",
  ]);
  const groups = await client.usergroups.list({ include_users: true });
  expect(groups.usergroups?.find((group) => group.id === "S0LEADS")?.users).toEqual(["U0BO"]);
  await stage.control("group", { group: "S0LEADS", users: ["U0CY"] });
  expect((await client.usergroups.users.list({ usergroup: "S0LEADS" })).users).toEqual(["U0CY"]);
  expect((await client.conversations.list({})).channels?.map((channel) => channel.name)).toEqual([
    "shop",
    "website",
    "data",
  ]);
  expect((await client.conversations.members({ channel: "C0SITE" })).members).toContain("U0DEE");
  expect((await client.conversations.info({ channel: "C0SITE" })).channel).toMatchObject({
    is_member: true,
    is_ext_shared: false,
  });
  expect((await client.bots.info({ bot: "B0AGENT" })).bot).toMatchObject({ app_id: "A0AGENT", user_id: "U0AGENT" });
  expect((await client.team.info({})).team?.id).toBe("T0LOCAL");
});

test("an update keeps the blocks it does not name and removes those it empties", async () => {
  const { client } = stage.bolt;
  const sent = await client.chat.postMessage({ channel: "C0SITE", text: "one", blocks: [{ type: "divider" }] });
  const ts = String(sent.ts);
  const kept = await client.chat.update({ channel: "C0SITE", ts, text: "two" });
  expect(kept.message).toMatchObject({ text: "two", blocks: [{ type: "divider" }] });
  const emptied = await client.chat.update({ channel: "C0SITE", ts, text: "three", blocks: [] });
  expect(emptied.message?.blocks).toBeUndefined();
  const changed = await stage.hears((heard) => eventOf(heard).subtype === "message_changed");
  expect(eventOf(changed)).toMatchObject({ message: { ts, text: "two" }, previous_message: { text: "one" } });
  await client.chat.delete({ channel: "C0SITE", ts });
  await expect(client.chat.getPermalink({ channel: "C0SITE", message_ts: ts })).rejects.toThrow("message_not_found");
});

test("blocks without ids get the same ones again after an edit at the same place", async () => {
  const { client } = stage.bolt;
  const blocks = [
    {
      type: "actions" as const,
      elements: [{ type: "button" as const, text: { type: "plain_text" as const, text: "Go" } }],
    },
  ];
  const sent = await client.chat.postMessage({ channel: "C0SITE", text: "x", blocks });
  const edited = await client.chat.update({ channel: "C0SITE", ts: String(sent.ts), text: "y", blocks });
  expect(sent.message?.blocks?.[0]).toMatchObject({
    block_id: expect.any(String),
    elements: [{ action_id: expect.any(String) }],
  });
  expect(edited.message?.blocks).toEqual(sent.message?.blocks);
});

test("a permalink leads to the page", async () => {
  const { permalink } = await stage.bolt.client.chat.getPermalink({ channel: "C0SITE", message_ts: human });
  expect(permalink).toBe(`${stage.url}/archives/C0SITE/p${human.replace(".", "")}`);
});

test("history and replies are read page by page", async () => {
  const { client } = stage.bolt;
  for (const text of ["1", "2", "3"]) await client.chat.postMessage({ channel: "C0DATA", text });
  const first = await client.conversations.history({ channel: "C0DATA", limit: 2 });
  expect(first.messages?.map((message) => message.text)).toEqual(["3", "2"]);
  const second = await client.conversations.history({
    channel: "C0DATA",
    cursor: String(first.response_metadata?.next_cursor),
  });
  expect([second.messages?.map((message) => message.text), second.has_more]).toEqual([["1"], false]);
});

test("a method whose scope was not granted is missing_scope, and every answer says what was", async () => {
  await stage.control("scopes", { missing: ["chat:write"] });
  const { client } = stage.bolt;
  await expect(client.chat.postMessage({ channel: "C0SITE", text: "x" })).rejects.toMatchObject({
    data: { error: "missing_scope", needed: "chat:write", provided: expect.not.stringContaining("chat:write") },
  });
  const { response_metadata } = await client.auth.test();
  expect(response_metadata?.scopes).not.toContain("chat:write");
  await stage.control("scopes", { missing: [] });
  expect((await client.auth.test()).response_metadata?.scopes).toContain("chat:write");
  await expect(client.chat.postMessage({ channel: "C0SITE", text: "x" })).resolves.toMatchObject({ ok: true });
});

test("no token of the app shows its settings", async () => {
  const settings = async (token: string) => (await call("apps.manifest.export", { app_id: "A0AGENT" }, token)).body;
  expect(await settings("xoxb-for-tests")).toEqual({ ok: false, error: "not_allowed_token_type" });
  expect(await settings("xoxe.xoxp-1")).toEqual({ ok: false, error: "invalid_auth" });
});

test("without Socket Mode there is no connection for any token", async () => {
  expect((await call("apps.connections.open", {})).body).toEqual({ ok: false, error: "not_allowed_token_type" });
  expect((await call("apps.connections.open", {}, "xapp-1")).body).toEqual({ ok: false, error: "invalid_auth" });
});

test("a home is published and a modal is opened, never the other way round", async () => {
  const { client } = stage.bolt;
  const home = { type: "home" as const, blocks: [{ type: "divider" as const }] };
  const modal = { ...home, type: "modal" as const, title: { type: "plain_text" as const, text: "Hi" } };
  await expect(client.views.publish({ user_id: "U0BO", view: modal })).rejects.toThrow("invalid_arguments");
  await expect(client.views.open({ trigger_id: "1.2.3", view: home })).rejects.toThrow("invalid_arguments");
  await expect(client.views.publish({ user_id: "U9", view: home })).rejects.toThrow("user_not_found");
  const long = { ...home, blocks: Array.from({ length: 101 }, () => ({ type: "divider" as const })) };
  await expect(client.views.publish({ user_id: "U0BO", view: long })).rejects.toThrow("invalid_arguments");
});

test("a person is found by their address", async () => {
  const { client } = stage.bolt;
  expect((await client.users.lookupByEmail({ email: "bo@example.com" })).user?.id).toBe("U0BO");
  await expect(client.users.lookupByEmail({ email: "no@example.com" })).rejects.toThrow("users_not_found");
});
