import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterAll, beforeAll, expect, test } from "vitest";
import { slackDirectory } from "#adapters/directory/slack.ts";
import { slackAccess, slackHmac, slackIdentity } from "#adapters/directory/slack-access.ts";
import { playgroundSeed } from "#playground/seed.ts";
import { PATHS, TOKEN_HEADER } from "#playground/slack/paths.ts";
import { startPlayground } from "#playground/slack/playground.ts";
import { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import { choose } from "#runs/request/choose.ts";
import { hear } from "#runs/request/hear.ts";
import { home, teamPolicy } from "#runs/request/home.ts";
import { barred } from "#runs/request/standing.ts";
import { stop, stopNumbered } from "#runs/request/stop.ts";
import { vote } from "#runs/request/vote.ts";
import { type SlackSurface, slackSurface } from "#surfaces/slack/app.ts";
import { slackChat } from "#surfaces/slack/out.ts";
import { memoryHouse } from "#test/runs/memory-house.ts";

/** A direct message over Slack's protocol and Bolt, with the core's own verbs behind it. */
const dataDir = mkdtempSync(path.join(tmpdir(), "direct-"));
const root = new Hono();
const closing: (() => unknown)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
let url = "";
let surface: SlackSurface;
let house: Awaited<ReturnType<typeof memoryHouse>>;

beforeAll(async () => {
  const listening = Promise.withResolvers<AddressInfo>();
  const server = serve({ fetch: (request) => root.fetch(request), hostname: "127.0.0.1", port: 0 }, listening.resolve);
  url = `http://127.0.0.1:${(await listening.promise).port}`;
  closing.push(() => server.close());
  house = await memoryHouse();
  closing.push(() => house.close());
  const dm = { id: "D0ANA", name: "agent", topic: "", members: ["U0ANA", "U0AGENT"], examples: [] };
  const playground = startPlayground({
    dataDir,
    token: "start",
    signingSecret: "signing",
    botToken: "xoxb-playground",
    eventsUrl: `${url}/slack/events`,
    interactivityUrl: `${url}/slack/interactivity`,
    seed: playgroundSeed([dm]),
    realCredentials: [],
  });
  closing.push(() => playground.stop());
  const { urgent, progress, reads } = slackAccess({
    botToken: new Secret("slack_bot_token", "xoxb-playground"),
    slackApiUrl: `${url}${PATHS.webApi}`,
    log: () => {},
  });
  root.route("/", playground.app);
  const identity = await slackIdentity(urgent);
  const directory = slackDirectory({ client: reads, workspace: identity.workspace });
  const core: Core = { ...house.core, directory };
  const { show } = slackChat({ urgent, progress, botId: identity.botId, now: () => new Date(), log: () => {} });
  const there = { urgent, reads, identity, directory, show };
  surface = slackSurface({
    workspaces: { of: async () => there, door: async () => "open" },
    left: async () => {},
    hmac: slackHmac(new Secret("slack_signing_secret", "signing")),
    inbox: core.stores.inbox,
    now: () => new Date(),
    log: () => {},
    verbs: {
      foresee: () => {},
      accounts: () => Promise.reject(new Error("nobody links anything here")),
      hear: (heard) => hear(core, heard),
      vote: (cast) => vote(core, cast),
      askAgain: (ask) => askAgain(core, ask),
      stop: (which) => stop(core, which),
      choose: (choice) => choose(core, choice),
      barred: (where) => barred(core, where),
      home: (account) => home(core, account),
      teamPolicy: (of) => teamPolicy(core, of),
      stopNumbered: (which) => stopNumbered(core, which),
    },
  });
  const routes = new Hono();
  routes.route("/", surface.routes);
  surfaceRoutes = routes;
  playground.begin();
}, 120_000);
afterAll(async () => {
  await surface.drain();
  for (const close of closing.reverse()) await close();
});

let surfaceRoutes: Hono | null = null;
root.post("/slack/*", (c) => surfaceRoutes?.fetch(c.req.raw) ?? c.text("starting", 503));

interface Shown {
  readonly ts: string;
  readonly text: string;
  readonly thread_ts?: string;
  readonly is_ephemeral: boolean;
  readonly blocks?: readonly unknown[];
}

async function control(what: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}${PATHS.control}/${what}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { [TOKEN_HEADER]: "start", "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as Record<string, unknown>;
}

const write = async (text: string, thread?: string): Promise<string> =>
  String((await control("message", { channel: "D0ANA", user: "U0ANA", text, thread_ts: thread })).ts);
/** What we answered in a thread of the direct message, once there are so many. */
async function answers(thread: string, count: number): Promise<readonly Shown[]> {
  const all = async () =>
    ((await control("messages/D0ANA")).messages as (Shown & { user: string })[]).filter(
      (message) => message.thread_ts === thread && message.user === "U0AGENT",
    );
  await expect.poll(async () => (await all()).length, { timeout: 20_000 }).toBe(count);
  return all();
}
const pick = async (messageTs: string, value: string) => {
  const action = { type: "static_select", action_id: "choose_team", value };
  return control("interact", { channel: "D0ANA", messageTs, user: "U0ANA", action });
};

test("a direct message is answered with a menu in its thread; the choice starts the run, once; why explains it there", async () => {
  const ts = await write("append a line to README.md");
  const [menu] = await answers(ts, 1);
  expect(menu).toMatchObject({ text: expect.stringContaining("You are in several teams"), is_ephemeral: false });
  const options = [...JSON.stringify(menu?.blocks).matchAll(/"value":"([^"]+ (\w+))"/g)];
  const valueFor = (team: string) => options.find(([, , name]) => name === team)?.[1] ?? "";
  expect(options.map(([, , team]) => team)).toEqual(expect.arrayContaining(["data", "marketing", "shop"]));

  expect(await pick(menu?.ts ?? "", valueFor("data"))).toMatchObject({ ok: true });
  await surface.drain();
  const run = await house.until("in_review");
  expect(run).toMatchObject({
    team: "data",
    text: "append a line to README.md",
    place: { channel: "D0ANA", thread: ts },
  });

  expect(await pick(menu?.ts ?? "", valueFor("shop"))).toMatchObject({ ok: true });
  const [, stale] = await answers(ts, 2);
  expect(stale?.text).toContain("You chose team data for this message already");

  await write("why", ts);
  const [, , why] = await answers(ts, 3);
  const card = JSON.stringify(why?.blocks);
  expect(why?.text).toMatch(/^Run 1 waits for a review; \d+ policy decisions? led here\./);
  expect(card).toContain("You chose team data for this message");
  expect(card).toMatch(/`teams\/data\.yaml:\d+@test`\\n```\\n- allow: /);
});

test("a question about policy in a direct message is answered there for the team that is chosen", async () => {
  const ts = await write("policy");
  const [menu] = await answers(ts, 1);
  const value = /"value":"([^"]+ shop)"/.exec(JSON.stringify(menu?.blocks))?.[1] ?? "";
  await pick(menu?.ts ?? "", value);
  const [, policy] = await answers(ts, 2);
  expect(policy?.text).toContain("The policy of team shop says");
});
