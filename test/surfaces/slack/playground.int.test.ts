import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { slackDirectory } from "#adapters/directory/slack.ts";
import { slackAccess, slackHmac, slackIdentity } from "#adapters/directory/slack-access.ts";
import { slackSocket } from "#adapters/directory/slack-socket.ts";
import { memoryDatabase } from "#db/memory.ts";
import { ensureOrg } from "#db/orgs.ts";
import { stores } from "#db/stores.ts";
import { playgroundSeed } from "#playground/seed.ts";
import { PATHS, TOKEN_HEADER } from "#playground/slack/paths.ts";
import { startPlayground } from "#playground/slack/playground.ts";
import type { Place } from "#ports/chat.ts";
import { Secret } from "#ports/secret.ts";
import { type SlackSurface, slackSurface } from "#surfaces/slack/app.ts";
import { slackChat } from "#surfaces/slack/out.ts";
import * as story from "#test/fixtures/run-events.ts";
import { APP_TOKEN, TRANSPORTS } from "#test/playground/stage.ts";
import { views } from "./views.ts";
import { EMPTY_HOME } from "./world.ts";

/** The surface against the playground, over HTTP as the first run has it and over sockets; only the core's verbs are stand-ins. */
interface Shown {
  readonly ts: string;
  readonly text: string;
  readonly thread_ts?: string;
}

describe.each(TRANSPORTS)("over %s", (over) => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "surface-"));
  const root = new Hono();
  const asked: { verb: string; with: Readonly<Record<string, unknown>> }[] = [];
  const complaints: string[] = [];
  const closing: (() => unknown)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
  let url = "";
  let chat: ReturnType<typeof slackChat>;
  let surface: SlackSurface;

  beforeAll(async () => {
    const listening = Promise.withResolvers<AddressInfo>();
    const server = serve(
      { fetch: (request) => root.fetch(request), hostname: "127.0.0.1", port: 0 },
      listening.resolve,
    );
    url = `http://127.0.0.1:${(await listening.promise).port}`;
    closing.push(() => server.close());
    const database = await memoryDatabase();
    closing.push(() => database.close());
    const orgId = await ensureOrg(database.db, "surface");
    const playground = startPlayground({
      dataDir,
      token: "start",
      signingSecret: "signing",
      botToken: "xoxb-playground",
      eventsUrl: `${url}/slack/events`,
      interactivityUrl: `${url}/slack/interactivity`,
      seed: playgroundSeed(),
      realCredentials: [],
      ...(over === "socket" ? { appToken: APP_TOKEN } : {}),
    });
    closing.push(() => playground.stop());
    const { urgent, reads, progress } = slackAccess({
      botToken: new Secret("slack_bot_token", "xoxb-playground"),
      slackApiUrl: `${url}${PATHS.webApi}`,
      log: () => {},
    });
    root.route("/", playground.app);
    const identity = await slackIdentity(urgent);
    const now = () => new Date();
    chat = slackChat({ urgent, progress, botId: identity.botId, now, log: (line) => complaints.push(line) });
    const directory = slackDirectory({ client: reads, workspace: identity.workspace });
    const there = { urgent, reads, identity, directory, show: chat.show };
    surface = slackSurface({
      workspaces: { of: async () => there, door: async () => "open" },
      left: async () => {},
      hmac: over === "socket" ? null : slackHmac(new Secret("slack_signing_secret", "signing")),
      inbox: stores(database, { orgId }).inbox,
      now,
      log: () => {},
      verbs: {
        barred: async () => null,
        home: async () => ({
          ...EMPTY_HOME,
          runs: [{ ...story.title, state: "working", text: "make it red", over: false }],
        }),
        accounts: () => Promise.reject(new Error("nobody links anything here")),
        teamPolicy: () => Promise.reject(new Error("nobody asks for a policy here")),
        stopNumbered: () => Promise.reject(new Error("nobody stops by number here")),
        foresee: () => {},
        async hear(heard) {
          asked.push({ verb: "hear", with: { ...heard } });
          if (heard.text === "stop") return { kind: "noted", what: "stopping", run: story.title };
          if (heard.text === "status") return { kind: "list", whose: "shop", runs: [] };
          await chat.show("slack:run:status", heard.place, story.statusOf(story.waiting), null);
          await chat.show("slack:run:approval:1", heard.place, story.approvalOf(story.waiting), null);
          return null;
        },
        async vote(cast) {
          asked.push({ verb: "vote", with: { ...cast } });
          return { kind: "noted", what: cast.choice === "approve" ? "approved" : "denied", run: story.title };
        },
        askAgain: () => Promise.reject(new Error("nobody asks again here")),
        async stop(stopped) {
          asked.push({ verb: "stop", with: { ...stopped } });
          return { kind: "noted", what: "stopping", run: story.title };
        },
        choose: () => Promise.reject(new Error("nobody chooses here")),
      },
    });
    const routes = new Hono();
    routes.route("/", surface.routes);
    surfaceRoutes = routes;
    if (over === "socket") {
      const leaving = new AbortController();
      const held = slackSocket({
        appToken: new Secret("slack_app_token", APP_TOKEN),
        slackApiUrl: `${url}${PATHS.webApi}`,
        log: () => {},
      }).hold(surface.take, leaving.signal);
      closing.push(async () => {
        leaving.abort();
        await held;
      });
    }
    playground.begin();
  }, 60_000);
  afterAll(async () => {
    await surface.drain();
    await chat.settled();
    for (const close of closing.reverse()) await close();
  });

  let surfaceRoutes: Hono | null = null;
  root.post("/slack/*", (c) => surfaceRoutes?.fetch(c.req.raw) ?? c.text("starting", 503));

  async function control(what: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${url}${PATHS.control}/${what}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { [TOKEN_HEADER]: "start", "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, unknown>;
  }

  const shown = async (channel: string) => (await control(`messages/${channel}`)).messages as Shown[];
  const button = (action_id: string, value: string) => ({ type: "button", action_id, value });

  test("a mention leads to cards in its thread, a click to a note for the clicker, a denial to a form and a vote", async () => {
    const { ts } = await control("message", { channel: "C0SHOP", user: "U0ANA", text: "@agent make it red & green" });
    await expect.poll(async () => (await shown("C0SHOP")).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
    expect(asked[0]).toMatchObject({
      verb: "hear",
      with: { text: "make it red & green", first: true, shared: false, account: { id: "U0ANA", kind: "member" } },
    });
    const card = (await shown("C0SHOP")).find((message) => /asks .*leads.* to decide/.test(message.text));
    expect(card?.thread_ts).toBe(ts);

    const digest = `sha256:${"a1b2c3d4".repeat(8)}`;
    const at = { channel: "C0SHOP", messageTs: card?.ts, user: "U0BO" };
    expect(await control("interact", { ...at, action: button("approve", `approval-1 ${digest}`) })).toMatchObject({
      ok: true,
    });
    await surface.drain();
    const note = (await shown("C0SHOP")).find((message) => message.text.includes("Your approval is recorded"));
    expect(note).toMatchObject({ thread_ts: ts });

    expect(await control("interact", { ...at, action: button("deny", `approval-1 ${digest}`) })).toMatchObject({
      ok: true,
    });
    await surface.drain();
    const [view] = (await control("views/U0BO")).views as { id: string }[];
    const submit = (value: string) =>
      control("view", {
        user: "U0BO",
        view_id: view?.id,
        values: { reason: { text: { type: "plain_text_input", value } } },
      });
    expect(JSON.stringify(await submit("   "))).toContain("reason");
    await submit("Not today.");
    await surface.drain();
    expect(asked.filter((one) => one.verb === "vote").map((one) => one.with)).toMatchObject([
      { choice: "approve", approvalId: "approval-1", digest, account: { id: "U0BO" }, reason: null },
      { choice: "deny", approvalId: "approval-1", digest, account: { id: "U0BO" }, reason: "Not today." },
    ]);
    expect((await control("views/U0BO")).views).toEqual([]);
  });

  test("the playground takes every card that we can show, in full", async () => {
    const { ts } = await control("message", { channel: "C0SITE", user: "U0ANA", text: "a place for cards" });
    const place: Place = { provider: "slack", workspace: "T0LOCAL", channel: "C0SITE", thread: String(ts) };
    for (const [name, view] of Object.entries(views)) {
      const { messageId } = await chat.show(`slack:card:${name}`, place, view, null);
      expect(messageId, name).toMatch(/^\d+\.\d+$/);
    }
    const posted = (await shown("C0SITE")).filter((message) => message.thread_ts === ts && message.ts !== ts);
    expect(posted).toHaveLength(Object.keys(views).length);
    // A refused card would be said here, and shown in its plain form.
    expect(complaints).toEqual([]);
  });

  test("a slash command is answered to its person alone, and a request begins a thread", async () => {
    const from = { channel: "C0DATA", user: "U0ANA", command: "/agent" };
    expect(await control("command", { ...from, text: "status" })).toEqual({ ok: true });
    await surface.drain();
    expect((await shown("C0DATA")).at(-1)).toMatchObject({
      text: expect.stringContaining("has no runs"),
      visible_to: ["U0ANA"],
    });
    expect(await control("command", { ...from, text: "run make it <red> & green" })).toEqual({ ok: true });
    await surface.drain();
    const root = (await shown("C0DATA")).find(
      (message) => message.text === "Ana asks: make it &lt;red&gt; &amp; green",
    );
    expect(asked.at(-1)).toMatchObject({ with: { text: "make it <red> & green", place: { thread: root?.ts } } });
    const replies = (await shown("C0DATA")).filter(
      (message) => message.thread_ts === root?.ts && message.ts !== root?.ts,
    );
    expect(replies.length).toBeGreaterThanOrEqual(2);
  });

  test("the Home is published for whoever opens it, and its Stop reaches the run", async () => {
    await control("home", { user: "U0CY" });
    const homeOf = async () => (await control("home/U0CY")).home as { id: string; blocks: object[] } | null;
    await expect.poll(homeOf, { timeout: 10_000 }).not.toBeNull();
    const home = await homeOf();
    const action = button("home_stop", story.title.id);
    expect(await control("interact", { view_id: home?.id, user: "U0CY", action })).toEqual({ ok: true });
    await surface.drain();
    expect(asked.at(-1)).toMatchObject({ verb: "stop", with: { runId: story.title.id, account: { id: "U0CY" } } });
    expect(JSON.stringify((await homeOf())?.blocks)).toContain("Stopping");
  });

  test("while a run works Slack's own Stop is there, and pressing it is the word stop", async () => {
    const { ts } = await control("message", { channel: "C0DATA", user: "U0ANA", text: "a thread of its own" });
    const at: Place = { provider: "slack", workspace: "T0LOCAL", channel: "C0DATA", thread: String(ts) };
    const press = () => control("stop", { channel: "C0DATA", thread_ts: ts, user: "U0BO" });
    expect(await press()).toMatchObject({ ok: false, error: expect.stringContaining("Nothing is working") });
    const { messageId } = await chat.show("slack:native:status", at, story.statusOf(story.working), null);
    await chat.settled();
    expect(await press()).toEqual({ ok: true });
    const heard = () => asked.at(-1)?.with;
    await expect.poll(heard, { timeout: 10_000 }).toMatchObject({ text: "stop", place: at, account: { id: "U0BO" } });
    await chat.show("slack:native:status", at, story.statusOf(story.inReview), messageId);
    await chat.settled();
    expect(await press()).toMatchObject({ ok: false });
  });
});
