import { afterEach, beforeEach, expect, test } from "vitest";
import type { JsonObject } from "#playground/slack/world.ts";
import { openStage, type Stage } from "./stage.ts";

/** The control API's promises to scripts, beyond what the round trips use. */

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

const rows = async (name: "users" | "channels") => (await stage.control(name)).body[name] as unknown as JsonObject[];
const views = async () => (await stage.control("views/U0BO")).body.views as unknown as { id: string }[];

const button = (action_id: string) => ({
  type: "actions" as const,
  elements: [{ type: "button" as const, action_id, text: { type: "plain_text" as const, text: action_id } }],
});
const modal = (callback_id: string) => ({
  type: "modal" as const,
  callback_id,
  notify_on_close: true,
  title: { type: "plain_text" as const, text: "Deny" },
  blocks: [button("more")],
});

/** A button opens a modal, and a button in there puts another on top. Resolves with both, the lower one first. */
async function twoModals(): Promise<[string, string]> {
  const { bolt } = stage;
  bolt.action("open", async ({ ack, body, client }) => {
    await ack();
    if (body.type === "block_actions") await client.views.open({ trigger_id: body.trigger_id, view: modal("lower") });
  });
  bolt.action("more", async ({ ack, body, client }) => {
    await ack();
    if (body.type === "block_actions") await client.views.push({ trigger_id: body.trigger_id, view: modal("upper") });
  });
  const { ts } = await bolt.client.chat.postMessage({ channel: "C0SITE", text: "A card", blocks: [button("open")] });
  const press = (place: object, action_id: string) =>
    stage.control("interact", { ...place, user: "U0BO", action: { type: "button", action_id } });
  await press({ channel: "C0SITE", messageTs: ts }, "open");
  await expect.poll(async () => (await views()).length).toBe(1);
  await press({ view_id: (await views())[0]?.id }, "more");
  await expect.poll(async () => (await views()).length).toBe(2);
  const [lower, upper] = await views();
  return [lower?.id ?? "", upper?.id ?? ""];
}

/** What Bolt hears of modals that close, in order. */
function closings(): [string, boolean][] {
  const heard: [string, boolean][] = [];
  for (const name of ["lower", "upper"]) {
    stage.bolt.view({ callback_id: name, type: "view_closed" }, async ({ ack, body }) => {
      await ack();
      if (body.type === "view_closed") heard.push([name, body.is_cleared]);
    });
  }
  return heard;
}

test("people are told with id, name and whether they are a bot", async () => {
  expect((await rows("users")).map(({ id, name, is_bot }) => ({ id, name, is_bot }))).toEqual([
    { id: "U0ANA", name: "ana", is_bot: false },
    { id: "U0BO", name: "bo", is_bot: false },
    { id: "U0CY", name: "cy", is_bot: false },
    { id: "U0DEE", name: "dee", is_bot: false },
    { id: "U0AGENT", name: "agent", is_bot: true },
  ]);
});

test("channels are told with id, name and members", async () => {
  const team = ["U0ANA", "U0BO", "U0CY"];
  expect((await rows("channels")).map(({ id, name, members }) => ({ id, name, members }))).toEqual([
    { id: "C0SHOP", name: "shop", members: [...team, "U0AGENT"] },
    { id: "C0SITE", name: "website", members: [...team, "U0DEE", "U0AGENT"] },
    { id: "C0DATA", name: "data", members: [...team, "U0AGENT"] },
  ]);
});

test("closing a modal shows the one below it, and the app that asked for it hears which was closed", async () => {
  const heard = closings();
  const [lower, upper] = await twoModals();
  const close = (view_id: string) => stage.control("view", { user: "U0BO", view_id, values: {}, close: true });
  expect((await close(upper)).body).toEqual({ ok: true, response_action: "closed" });
  expect((await views()).map(({ id }) => id)).toEqual([lower]);
  expect((await close(upper)).status).toBe(400);
  await close(lower);
  expect(await views()).toEqual([]);
  expect(heard).toEqual([
    ["upper", false],
    ["lower", false],
  ]);
});

test("closing all of them leaves none, and the app hears of each, from the top, that it was cleared", async () => {
  const heard = closings();
  const [, upper] = await twoModals();
  const closed = await stage.control("view", { user: "U0BO", view_id: upper, values: {}, close: "all" });
  expect(closed.body).toEqual({ ok: true, response_action: "closed" });
  expect(await views()).toEqual([]);
  expect(heard).toEqual([
    ["upper", true],
    ["lower", true],
  ]);
});

test("a reset takes messages, modals, Homes, changed groups, faults and missing scopes away", async () => {
  const { client } = stage.bolt;
  await twoModals();
  await client.views.publish({ user_id: "U0BO", view: { type: "home", blocks: [button("go")] } });
  await stage.control("group", { group: "S0LEADS", users: ["U0CY"] });
  const leads = async () => (await client.usergroups.users.list({ usergroup: "S0LEADS" })).users;
  expect(await leads()).toEqual(["U0CY"]);
  expect((await stage.control("home/U0BO")).body.home).not.toBeNull();
  await stage.control("fault", { method: "users.info", times: 100 });
  await stage.control("scopes", { missing: ["chat:write"] });
  expect((await stage.control("reset", {})).body).toEqual({ ok: true });
  expect((await stage.control("messages/C0SITE")).body).toEqual({ messages: [] });
  expect(await views()).toEqual([]);
  expect((await stage.control("home/U0BO")).body).toEqual({ home: null });
  expect(await leads()).toEqual(["U0BO"]);
  expect((await client.users.info({ user: "U0ANA" })).ok).toBe(true);
  expect((await client.chat.postMessage({ channel: "C0SITE", text: "x" })).ok).toBe(true);
});
