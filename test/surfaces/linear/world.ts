import { createHmac, randomUUID } from "node:crypto";
import { linearVerifier } from "#adapters/ticket/linear/vendor.ts";
import { type MemoryTracker, memoryTracker } from "#adapters/ticket/memory.ts";
import { sql } from "#db/drizzle.ts";
import { openDatabase } from "#db/open.ts";
import { rows } from "#db/store.ts";
import { openLinear } from "#linear.ts";
import type { Chat, Place } from "#ports/chat.ts";
import type { Account } from "#ports/directory.ts";
import { Secret } from "#ports/secret.ts";
import { deliver } from "#runs/life/deliver.ts";
import type { Linkable } from "#runs/linkable.ts";
import { hear } from "#runs/request/hear.ts";
import type { View } from "#runs/view.ts";
import { linkPage } from "#surfaces/web/identity.ts";
import { until } from "#test/chaos/until.ts";
import type { LinearIssue, LinearSession, LinearUser } from "#test/doubles/linear/payloads.ts";
import * as payloads from "#test/doubles/linear/payloads.ts";
import { freshDatabase } from "#test/postgres.ts";
import { memoryHouse, type Script } from "#test/runs/memory-house.ts";

export const SECRET = "linear-webhook-secret";
/** Where people open the pages. */
export const HOME = "https://agents.example.com";
const URL = "http://127.0.0.1:3000/linear/webhooks";

const user = (name: string, o: Partial<LinearUser> = {}): LinearUser => ({
  id: randomUUID(),
  name,
  active: true,
  guest: false,
  app: false,
  ...o,
});

/** The core over memory adapters with Linear's surface in front of it; what Linear sends is signed and posted as Linear does. */
export async function linearWorld(script: Script = {}, o: { readonly signsIn?: boolean } = {}) {
  const clientSecret = new Secret("linear_client_secret", "unused");
  const own = await freshDatabase();
  const database = await openDatabase(own.url);
  const house = await memoryHouse(script, { database });
  const tracker: MemoryTracker = memoryTracker();
  const people = {
    ana: user("Ana"),
    bo: user("Bo"),
    mallory: user("Mallory"),
    robot: user("Robot", { app: true }),
    gil: user("Gil", { guest: true }),
  };
  for (const { id, name, app, guest } of Object.values(people))
    tracker.put({ id, name, kind: app ? "app" : guest ? "guest" : "member" });
  const ours = { organization: randomUUID(), appUser: randomUUID() };
  const core = {
    ...house.core,
    ...(o.signsIn ? { baseUrl: HOME } : {}),
    linkable: [
      {
        ...{ provider: "linear", workspace: ours.organization },
        ...(o.signsIn ? { by: "sign_in", page: linkPage(HOME, "linear") } : { by: "code" }),
      },
    ] satisfies readonly Linkable[],
    linkMac: (text: string) => createHmac("sha256", "installation").update(text).digest("base64url"),
  };
  const sender = { ...ours, now: () => Date.now() };

  /** What Slack shows: the newest view of each message, and where. */
  const slackShown = new Map<string, { readonly place: Place; readonly view: View }>();
  const told: { readonly to: string; readonly view: View }[] = [];
  const world = { slackAway: false, unknownChannels: false, sharedChannels: [] as string[] };
  const slack: Chat<View> = {
    async show(key, place, view, shown) {
      if (world.slackAway) throw new Error("Slack is away");
      slackShown.set(key, { place, view });
      return { messageId: shown || `${slackShown.size}.000` };
    },
    async whisper(_place, to, view) {
      if (world.slackAway) throw new Error("Slack is away");
      told.push({ to: to.id, view });
    },
  };
  const open = () =>
    openLinear({
      app: {
        access: {
          tracker,
          verify: linearVerifier(new Secret("linear_webhook_secret", SECRET)),
          identity: async () => ({
            organization: { id: ours.organization, name: "Acme" },
            user: { id: ours.appUser, name: "Countersign" },
            isApp: true,
          }),
        },
        organization: { id: ours.organization, name: "Acme" },
        appUser: ours.appUser,
        oauth: o.signsIn ? { apiUrl: "https://api.linear.app", clientId: "unused", clientSecret } : null,
      },
      core,
      workspace: { id: "T0LOCAL", url: "https://acme.slack.com", botUserId: "U0AGENT" },
      directory: house.directory,
      idp: null,
      channelOf: async (channel) => (world.unknownChannels ? null : { shared: world.sharedChannels.includes(channel) }),
      claimMs: -1_000,
    });
  let side = await open();
  const chat: Chat<View> = {
    show: (key, place, view, shown, turn) =>
      (place.provider === "linear" ? side.chat : slack).show(key, place, view, shown, turn),
    whisper: (place, to, view) => slack.whisper(place, to, view),
  };

  async function send(request: Request): Promise<number> {
    const { status } = await side.routes.fetch(request);
    await side.drain();
    return status;
  }
  const post = (payload: unknown, o: { delivery?: string } = {}) =>
    send(payloads.signedRequest(URL, SECRET, payload, o));
  let issues = 0;

  /** Shows what is due now, and what is due at once because of it. */
  async function showOnce(): Promise<void> {
    const done = new AbortController();
    await deliver(core, chat, async () => done.abort(), done.signal);
  }

  return {
    house,
    core,
    tracker,
    people,
    sender,
    slackShown,
    told,
    world,
    url: URL,
    send,
    post,
    /** A process that begins anew over the same database. */
    async restart() {
      await side.drain();
      side = await open();
    },
    redrive: () => side.redrive(),
    /** As `front.ts` has it. */
    signedIn: <T>(by: { user: string; once: string; act: () => Promise<T> }) => side.signedIn(by),
    drain: () => side.drain(),
    issue(title: string, description = "", key = "SHOP"): LinearIssue {
      issues += 1;
      const identifier = `${key}-${issues}`;
      return {
        id: randomUUID(),
        identifier,
        title,
        description,
        url: `https://linear.app/acme/issue/${identifier}`,
        team: { id: randomUUID(), key, name: key },
      };
    },
    session: (issue: LinearIssue, by: LinearUser | null, comment: string | null = null): LinearSession => ({
      id: randomUUID(),
      creator: by,
      issue,
      comment: comment === null ? null : { id: randomUUID(), body: comment, userId: by?.id ?? null },
    }),
    created: (session: LinearSession) => post(payloads.created(sender, session)),
    prompt: (session: LinearSession, by: LinearUser, body: string, o: { id?: string; stop?: boolean } = {}) =>
      post(payloads.prompted(sender, session, { by, body, ...o })),
    unassign: (issue: LinearIssue, by: LinearUser | null) => post(payloads.unassigned(sender, issue, by)),
    /** As said to us in Slack; what only the speaker sees. */
    inSlack: (account: Account, text: string, place?: Place): Promise<View | null> =>
      hear(core, {
        account,
        place: place ?? { provider: "slack", workspace: "T0LOCAL", channel: "C0SHOP", thread: randomUUID() },
        first: place === undefined,
        requestKey: randomUUID(),
        text,
        direct: false,
        shared: false,
      }),
    /** A code of this person, as only they see it. */
    async code(account: Account): Promise<string> {
      const view = await this.inSlack(account, "link linear");
      if (view?.kind !== "link_code") throw new Error(`it is a ${view?.kind}`);
      return view.code;
    },
    /** Words of a session's activities, in order, those included that the next one replaces. */
    said: (session: LinearSession): readonly string[] =>
      tracker.posted
        .filter((one) => one.session === session.id)
        .map(({ activity }) =>
          activity.kind === "action"
            ? `${activity.action} ${activity.parameter}: ${activity.result}`
            : `${activity.kind}: ${activity.body}`,
        ),
    showOnce,
    /** Shows everything that is wanted, and what is wanted because of it. */
    async show(): Promise<void> {
      await until("everything is shown", async () => {
        await showOnce();
        const wanted = await database.db.execute(sql`select key from outbox where version > shown_version`);
        return rows(wanted).length === 0;
      });
    },
    async close(): Promise<void> {
      await side.drain();
      await house.close();
      await own.drop();
    },
  };
}
export type LinearWorld = Awaited<ReturnType<typeof linearWorld>>;
