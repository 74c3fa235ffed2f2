import { createHmac, randomUUID } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import { memoryDirectory } from "#adapters/directory/memory.ts";
import { slackAccess, slackHmac } from "#adapters/directory/slack-access.ts";
import type { Database } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import * as work from "#db/schema/work.ts";
import { stores } from "#db/stores.ts";
import { Secret } from "#ports/secret.ts";
import type { InboxStore } from "#runs/stores.ts";
import type { HomeView, View } from "#runs/view.ts";
import { slackSurface } from "#surfaces/slack/app.ts";
import type { Door, SlackWorkspace } from "#surfaces/slack/desk.ts";
import type { LeftWorkspace } from "#surfaces/slack/left.ts";
import { slackChat } from "#surfaces/slack/out.ts";
import type { SlackVerbs } from "#surfaces/slack/verbs.ts";
import { title } from "#test/fixtures/run-events.ts";
import { BOT_ID, BOT_USER, slackDouble, WORKSPACE } from "#test/fixtures/slack/double.ts";
import type { Transport } from "#test/playground/stage.ts";

export const NOW = new Date("2026-11-24T14:00:00.000Z");
const SECRET = "s3cret";

export const EMPTY_HOME: HomeView = {
  kind: "home",
  waiting: [],
  unread: false,
  runs: [],
  teams: [],
  policy: null,
  runsUrl: "http://countersign.test/runs",
  links: { accounts: [], places: [] },
};

export interface VerbCall {
  readonly verb: keyof SlackVerbs;
  readonly with: Readonly<Record<string, unknown>>;
}

/** A surface with a real Bolt App, a real inbox and Slack's double; the verbs note what they are asked and answer. */
export async function slackWorld(
  database: Database,
  o: {
    inbox?: (real: InboxStore) => InboxStore;
    over?: Transport;
    /** Without a signing secret. */
    unsigned?: boolean;
  } = {},
) {
  const { over = "http" } = o;
  const orgId = await ensureOrg(database.db, `org ${randomUUID()}`);
  const real = stores(database, { orgId }).inbox;
  const inbox = o.inbox?.(real) ?? real;
  const double = slackDouble();
  double.channels.set("C0SHOP", { id: "C0SHOP", is_ext_shared: false });
  const directory = memoryDirectory();
  for (const [id, name] of [
    ["U0ANA", "Ana"],
    ["U0BO", "Bo"],
  ] as const) {
    directory.put({ provider: "slack", workspace: WORKSPACE, id, name, kind: "member", email: null });
  }
  const calls: VerbCall[] = [];
  const log: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const say: { view: View | null; throws: number; barred: View | null; home: HomeView } = {
    view: null,
    throws: 0,
    barred: null,
    home: EMPTY_HOME,
  };
  const answer = async (call: VerbCall, view: View): Promise<View> => {
    calls.push(call);
    if (say.throws > 0) {
      say.throws -= 1;
      throw new Error("the store is away");
    }
    return say.view ?? view;
  };
  const noted = (what: "approved" | "stopping" | "asked_again" | "denied"): View => ({
    kind: "noted",
    what,
    run: title,
  });
  const verbs: SlackVerbs = {
    foresee: () => {},
    hear: async (heard) => {
      const view = await answer({ verb: "hear", with: { ...heard } }, noted("stopping"));
      return say.view === null ? null : view;
    },
    vote: (cast) =>
      answer({ verb: "vote", with: { ...cast } }, noted(cast.choice === "approve" ? "approved" : "denied")),
    askAgain: (asked) => answer({ verb: "askAgain", with: { ...asked } }, noted("asked_again")),
    stop: (stopped) => answer({ verb: "stop", with: { ...stopped } }, noted("stopping")),
    choose: (chosen) => answer({ verb: "choose", with: { ...chosen } }, noted("stopping")),
    barred: async (where) => {
      await answer({ verb: "barred", with: { ...where } }, noted("stopping"));
      return say.barred;
    },
    home: async (account) => {
      await answer({ verb: "home", with: { ...account } }, noted("stopping"));
      return say.home;
    },
    accounts: (asked) => answer({ verb: "accounts", with: { ...asked } }, { kind: "unlinked", from: ["github"] }),
    teamPolicy: (asked) => answer({ verb: "teamPolicy", with: { ...asked } }, noted("stopping")),
    stopNumbered: (stopped) => answer({ verb: "stopNumbered", with: { ...stopped } }, noted("stopping")),
  };
  const { urgent, progress, reads } = slackAccess({
    botToken: new Secret("slack_bot_token", "xoxb-test"),
    slackApiUrl: "http://slack.test/api/",
    fetch: double.fetch,
    log: () => {},
  });
  const leavers: LeftWorkspace[] = [];
  /** What becomes of requests of these workspaces; of others they are taken. */
  const doors = new Map<string, Door>();
  const there: SlackWorkspace = {
    urgent,
    reads,
    identity: { workspace: WORKSPACE, botUserId: BOT_USER, botId: BOT_ID, url: "https://acme.slack.test" },
    directory,
    show: slackChat({ urgent, progress, botId: BOT_ID, now: () => NOW, log: () => {} }).show,
  };
  const made = (its: InboxStore = inbox) =>
    slackSurface({
      workspaces: {
        of: async (id) => (doors.has(id) ? null : there),
        door: async ({ workspace }) => doors.get(workspace) ?? "open",
      },
      hmac: o.unsigned === true ? null : slackHmac(new Secret("slack_signing_secret", SECRET)),
      left: async (workspace) => void leavers.push(workspace),
      verbs,
      inbox: its,
      now: () => NOW,
      log: (message, fields = {}) => log.push({ message, fields }),
      claimMs: -1_000,
    });
  const surface = made();

  /** The same over a socket: what is not acknowledged is an answer of 500. */
  async function envelope(body: object | string, interactive: boolean): Promise<Response> {
    let response = new Response("not acknowledged", { status: 500 });
    await surface.take({
      type: interactive ? "interactive" : "command" in Object(body) ? "slash_commands" : "events_api",
      body,
      async ack(answer) {
        response = answer === undefined || answer === "" ? new Response("") : Response.json(answer);
      },
    });
    await surface.drain();
    return response;
  }

  /** Sends as Slack sends, and waits until the listeners have finished. */
  async function post(
    body: object | string,
    o: { form?: boolean; headers?: Record<string, string>; path?: string } = {},
  ) {
    if (over === "socket") return envelope(body, o.form === true);
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const raw = o.form ? new URLSearchParams({ payload: text }).toString() : text;
    const time = String(NOW.getTime() / 1000);
    const response = await surface.routes.request(o.path ?? (o.form ? "/slack/interactivity" : "/slack/events"), {
      method: "POST",
      body: raw,
      headers: {
        "content-type": o.form ? "application/x-www-form-urlencoded" : "application/json",
        "x-slack-request-timestamp": time,
        "x-slack-signature": signature(raw, time),
        ...o.headers,
      },
    });
    await surface.drain();
    return response;
  }

  return {
    surface,
    another: made,
    real,
    double,
    directory,
    calls,
    leavers,
    doors,
    log,
    say,
    post,
    /** A slash command as Slack sends it: a plain form, or an envelope of its own. */
    async command(fields: Readonly<Record<string, string>>) {
      if (over === "socket") return envelope(fields, false);
      const raw = new URLSearchParams(fields).toString();
      const time = String(NOW.getTime() / 1000);
      const response = await surface.routes.request("/slack/commands", {
        method: "POST",
        body: raw,
        headers: {
          "content-type": "application/x-www-form-urlencoded",
          "x-slack-request-timestamp": time,
          "x-slack-signature": signature(raw, time),
        },
      });
      await surface.drain();
      return response;
    },
    click: (o: Parameters<typeof clicked>[0]) => post(clicked(o), { form: true }),
    /** Claims of a dead worker run out. */
    release: () => database.db.execute(sql`update inbox set claimed_until = to_timestamp(0) where org_id = ${orgId}`),
    /** How many deliveries were ever written down. */
    kept: () => database.db.$count(work.inbox, eq(work.inbox.orgId, orgId)),
    left: async () => {
      const rows = await real.unfinished("slack", -1_000, 100);
      await database.db.execute(sql`update inbox set claimed_until = to_timestamp(0) where org_id = ${orgId}`);
      return rows;
    },
  };
}

export const signature = (raw: string, time: string, secret = SECRET): string =>
  `v0=${createHmac("sha256", secret).update(`v0:${time}:${raw}`).digest("hex")}`;

let ticks = 0;
/** A new moment on Slack's clock; the inbox is shared by all tests of a file. */
export const newTs = (): string =>
  `17000${String(process.pid).padStart(7, "0").slice(-5)}.${String(++ticks).padStart(6, "0")}`;

export function mention(
  o: { text?: string; user?: string; ts?: string; thread?: string; event?: object; body?: object } = {},
) {
  const ts = o.ts ?? newTs();
  return {
    token: "verification",
    team_id: WORKSPACE,
    api_app_id: "A0AGENT",
    type: "event_callback",
    event_id: `Ev${ts}`,
    event_time: Math.floor(Number(ts)),
    authorizations: [
      { enterprise_id: null, team_id: WORKSPACE, user_id: BOT_USER, is_bot: true, is_enterprise_install: false },
    ],
    is_ext_shared_channel: false,
    event: {
      type: "app_mention",
      user: o.user ?? "U0ANA",
      text: o.text ?? `<@${BOT_USER}> fix the login`,
      ts,
      channel: "C0SHOP",
      event_ts: ts,
      ...(o.thread === undefined ? {} : { thread_ts: o.thread }),
      ...o.event,
    },
    ...o.body,
  };
}

export const message = (o: Parameters<typeof mention>[0] = {}) =>
  mention({ ...o, event: { type: "message", channel_type: "channel", ...o.event } });

export function clicked(o: { action: string; value?: string; user?: string; at?: string; body?: object }) {
  return {
    type: "block_actions",
    token: "verification",
    trigger_id: "1.2.3",
    response_url: "https://hooks.slack.test/actions/secret",
    team: { id: WORKSPACE, domain: "local" },
    user: { id: o.user ?? "U0BO", team_id: WORKSPACE },
    api_app_id: "A0AGENT",
    container: {
      type: "message",
      message_ts: "1700000001.000100",
      channel_id: "C0SHOP",
      thread_ts: "1700000000.000100",
    },
    channel: { id: "C0SHOP", name: "shop" },
    message: { type: "message", ts: "1700000001.000100", thread_ts: "1700000000.000100", user: BOT_USER },
    actions: [{ type: "button", action_id: o.action, block_id: "b", value: o.value, action_ts: o.at ?? newTs() }],
    ...o.body,
  };
}

export function typed(text: string, o: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    token: "verification",
    team_id: WORKSPACE,
    team_domain: "local",
    channel_id: "C0SHOP",
    channel_name: "shop",
    user_id: "U0ANA",
    user_name: "ana",
    command: "/agent",
    text,
    api_app_id: "A0AGENT",
    is_enterprise_install: "false",
    response_url: "https://hooks.slack.test/commands/secret",
    trigger_id: newTs(),
    ...o,
  };
}

/** A press in the app's Home. */
export const pressedAtHome = (action: string, value: string, user = "U0ANA") => ({
  type: "block_actions",
  token: "verification",
  trigger_id: "1.2.3",
  team: { id: WORKSPACE, domain: "local" },
  user: { id: user, team_id: WORKSPACE },
  api_app_id: "A0AGENT",
  container: { type: "view", view_id: "V1" },
  view: { id: "V1", type: "home", hash: "h" },
  actions: [{ type: "button", action_id: action, block_id: "home_3", value, action_ts: newTs() }],
});

export const eventBody = (event: Readonly<Record<string, unknown>>) => ({
  token: "verification",
  team_id: WORKSPACE,
  type: "event_callback",
  event_id: `Ev${newTs()}`,
  event,
});

export function submitted(o: { reason: string; memory: string; hash?: string }) {
  return {
    type: "view_submission",
    token: "verification",
    team: { id: WORKSPACE, domain: "local" },
    user: { id: "U0BO", team_id: WORKSPACE },
    view: {
      id: `V${newTs()}`,
      hash: o.hash ?? "hash",
      type: "modal",
      callback_id: "deny_reason",
      private_metadata: o.memory,
      state: { values: { reason: { text: { type: "plain_text_input", value: o.reason } } } },
    },
  };
}
