import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import path from "node:path";
import { serve } from "@hono/node-server";
import { App } from "@slack/bolt";
import { WebClient } from "@slack/web-api";
import { Hono } from "hono";
import { playgroundSeed } from "#playground/seed.ts";
import { PATHS } from "#playground/slack/paths.ts";
import { startPlayground } from "#playground/slack/playground.ts";

/**
 * The peer of mention and memory: the least that a careful Bolt app does. It verifies the signature, inserts one row,
 * acknowledges, and posts one sentence into the thread. The same chat page, the same HTTP server, the same kind of
 * database, raw SQL. Started by subject.ts with the product's own variables.
 */
const dataDir = process.env.COUNTERSIGN_DATA ?? "";
const insert = await openInbox(process.env.DATABASE_URL);
const [signingSecret, botToken, token] = [secret(), `xoxb-${secret()}`, secret()];
const seed = playgroundSeed();
const { team, app: identity } = seed;

const pages = new Hono();
const { port } = await new Promise<{ port: number }>((resolve) => {
  serve({ fetch: pages.fetch, port: 0, hostname: "127.0.0.1" }, resolve);
});
const url = `http://127.0.0.1:${port}`;
const client = new WebClient(botToken, { slackApiUrl: `${url}${PATHS.webApi}` });

let bolt: App | null = null;
const app = new App({
  receiver: {
    init: (to) => {
      bolt = to;
    },
    start: async () => {},
    stop: async () => {},
  },
  authorize: async () => ({ botId: identity.botId, botUserId: identity.botUser, teamId: team.id }),
  convoStore: false,
});
app.event("app_mention", async ({ event }) => {
  await client.chat.postMessage({ channel: event.channel, thread_ts: event.thread_ts ?? event.ts, text: "On it." });
});

pages.post("/slack/events", async (c) => {
  const raw = await c.req.text();
  const time = c.req.header("x-slack-request-timestamp") ?? "";
  const given = Buffer.from(c.req.header("x-slack-signature") ?? "");
  const wanted = Buffer.from(`v0=${createHmac("sha256", signingSecret).update(`v0:${time}:${raw}`).digest("hex")}`);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return c.text("bad signature", 401);
  const body = JSON.parse(raw) as Record<string, unknown> & { event_id: string };
  await insert(body.event_id, raw);
  await new Promise<void>((acknowledged, failed) => {
    bolt?.processEvent({ body, ack: async () => acknowledged() }).catch(failed);
  });
  return c.body(null, 200);
});

const playground = startPlayground({
  dataDir: path.join(dataDir, "playground"),
  token,
  signingSecret,
  botToken,
  eventsUrl: `${url}/slack/events`,
  interactivityUrl: `${url}/slack/interactivity`,
  seed,
  realCredentials: [],
});
pages.route("/", playground.app);
playground.begin();
console.log(`${url}/?token=${token}`);
process.once("SIGTERM", () => process.exit(0));

function secret(): string {
  return randomBytes(24).toString("hex");
}

/** One durable row for each delivery. */
async function openInbox(database: string | undefined): Promise<(id: string, body: string) => Promise<unknown>> {
  const table = "create table if not exists bare_inbox (id text primary key, body jsonb not null)";
  const row = "insert into bare_inbox (id, body) values ($1, $2) on conflict do nothing";
  if (database === undefined) {
    const { PGlite } = await import("@electric-sql/pglite");
    const lite = await PGlite.create({ dataDir: path.join(dataDir, "database") });
    await lite.exec(table);
    return (id, body) => lite.query(row, [id, body]);
  }
  const { Pool } = await import("pg");
  const pool = new Pool({ connectionString: database });
  await pool.query(table);
  return (id, body) => pool.query(row, [id, body]);
}
