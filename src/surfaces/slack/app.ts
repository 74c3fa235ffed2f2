import { App } from "@slack/bolt";
import { LogLevel, type WebClient } from "@slack/web-api";
import type { Hono } from "hono";
import type { Chat, Place } from "#ports/chat.ts";
import { type Account, type Directory, DirectoryUnavailable } from "#ports/directory.ts";
import type { InboxStore } from "#runs/stores.ts";
import type { View } from "#runs/view.ts";
import { ACTS, DENY_MODAL, unpackAsked, unpackChoice } from "./acts.ts";
import { type Card, card, section } from "./cards/blocks.ts";
import { render } from "./cards/render.ts";
import { channelFacts } from "./channel-facts.ts";
import { type Click, clickOf, whereabouts } from "./clicks.ts";
import { hearCommands } from "./command.ts";
import { denyModal, readDeny } from "./deny-modal.ts";
import type { Desk } from "./desk.ts";
import { hearNative } from "./home.ts";
import { type Envelope, slackReceiver } from "./receiver.ts";
import { speech } from "./speech.ts";
import { spokenOf } from "./spoken.ts";
import type { SlackVerbs } from "./verbs.ts";
import { type Log, whisper } from "./whisper.ts";
import { TROUBLE } from "./words.ts";

export interface SlackSurfaceOptions {
  /** For answers to people, modals and channel facts. */
  readonly urgent: WebClient;
  readonly reads: WebClient;
  /** HMAC-SHA256 of a text under the signing secret; `null`: Slack's requests come over a socket alone. */
  readonly hmac: ((text: string) => Buffer) | null;
  /** Who we are: `auth.test`. */
  readonly identity: Desk["identity"];
  readonly verbs: SlackVerbs;
  /** Of the chat port: what a command began is posted once, whatever happens between. */
  readonly show: Chat<View>["show"];
  readonly inbox: InboxStore;
  readonly directory: Directory;
  readonly now: () => Date;
  readonly log: Log;
  /** When a delivery counts as left behind by a process that is gone; default 30 s. */
  readonly leftBehindMs?: number;
}

export interface SlackSurface {
  /** POST /slack/events, /slack/interactivity and /slack/commands. */
  readonly routes: Hono;
  /** The same over a socket. Never rejects. */
  take(envelope: Envelope): Promise<void>;
  /** Takes up what a crash left in the inbox; how many deliveries. Call it every few seconds on a worker. */
  redrive(): Promise<number>;
  /** Resolves when every listener that runs now has finished. */
  drain(): Promise<void>;
}

const REFUSED_UNKNOWN: View = { kind: "refused", refusal: { code: "directory_unavailable" } };
const FORM_LATE = "Slack could not open the form in time. Press Deny again.";
const STALE_CHOICE: View = { kind: "refused", refusal: { code: "stale_menu" } };
const REFUSED_BUTTON: View = { kind: "refused", refusal: { code: "unknown_approval" } };

/** Slack in: says who did what where to the core's verbs, and whispers what they return. It decides nothing. */
export function slackSurface(options: SlackSurfaceOptions): SlackSurface {
  const { urgent, reads, hmac, identity, verbs, inbox, directory, now, log } = options;
  const { workspace, botUserId, botId } = identity;

  const factsOf = channelFacts(reads, now, log);
  const intake = slackReceiver({
    hmac,
    inbox,
    now,
    log,
    onTaken: foresee,
    onTrouble,
    ...(options.leftBehindMs === undefined ? {} : { leftBehindMs: options.leftBehindMs }),
  });
  const app = new App({
    receiver: intake.receiver,
    authorize: async () => ({ botId, botUserId, teamId: workspace }),
    convoStore: false,
    logger: boltLogger(log),
  });
  // A failure must reach the receiver: it leaves the row for the next try.
  app.error(async (error) => {
    throw error;
  });

  const placed = (channel: string, thread: string): Place => ({ provider: "slack", workspace, channel, thread });

  const note = (at: { place: Place; user: string; inThread: boolean }, what: View | Card) =>
    whisper(urgent, log, at, "blocks" in what ? what : render(what, now()));

  const tell = (place: Place, user: string, view: View, inThread = true) => note({ place, user, inThread }, view);

  const say = (at: { place: Place; user: string; inThread: boolean }, text: string) =>
    note(at, card(text, [section(text)]));

  /** `null`: it cannot be known who this is, so nothing may be done. */
  async function accountOf(user: string): Promise<Account | null> {
    try {
      return await directory.account({ provider: "slack", workspace, id: user });
    } catch (error) {
      if (!(error instanceof DirectoryUnavailable)) throw error;
      log("the directory could not say who spoke", { user, error: error.message });
      return null;
    }
  }

  /** Asks Slack what `listen` will want to know, while the delivery is being kept. */
  function foresee(body: unknown): void {
    const spoken = spokenOf(body);
    if (spoken === null) return;
    const { user, channel, ts, thread } = spoken;
    void directory.account({ provider: "slack", workspace, id: user }).catch(() => undefined);
    void factsOf(channel);
    verbs.foresee(placed(channel, thread ?? ts));
  }

  async function listen(body: unknown): Promise<void> {
    const spoken = spokenOf(body);
    if (spoken === null) return;
    const { user, text, channel, ts, thread, addressed } = spoken;
    const place = placed(channel, thread ?? ts);
    const first = thread === null;
    const [account, facts] = await Promise.all([
      accountOf(user),
      spoken.external ? { shared: true, direct: false } : factsOf(channel),
    ]);
    const view =
      account === null || facts === null
        ? REFUSED_UNKNOWN
        : await verbs.hear({
            account,
            place,
            first,
            requestKey: `slack:${workspace}:${channel}:${ts}`,
            text: speech(text, botUserId),
            shared: facts.shared,
            direct: facts.direct || spoken.direct,
          });
    if (view !== null && (addressed || concerns(view))) await tell(place, user, view, !first);
  }

  /** A click, with who and where, to a verb; its answer to the clicker. `null`: everyone sees what came of it. */
  async function answer(body: unknown, verb: (by: By) => Promise<View | null>): Promise<void> {
    const click = read(body);
    const place = placed(click.channel, click.thread);
    const account = await accountOf(click.user);
    const view = account === null ? REFUSED_UNKNOWN : await verb({ click, account, place });
    if (view !== null) await tell(place, click.user, view);
  }

  const desk: Desk = {
    ...{ urgent, verbs, identity, log, now, placed, accountOf, factsOf, note },
    show: options.show,
    unknown: REFUSED_UNKNOWN,
  };
  hearCommands(app, desk);
  hearNative(app, desk);

  app.event("app_mention", ({ body }) => listen(body));
  app.event("message", ({ body }) => listen(body));

  app.action(ACTS.approve, async ({ ack, body }) => {
    await ack();
    await answer(body, async ({ click, account, place }) => {
      const asked = unpackAsked(click.value);
      if (asked === null) return REFUSED_BUTTON;
      return verbs.vote({ ...asked, account, choice: "approve", reason: null, place });
    });
  });

  app.action(ACTS.deny, async ({ ack, body }) => {
    await ack();
    const click = read(body);
    const place = placed(click.channel, click.thread);
    const asked = unpackAsked(click.value);
    if (asked === null) return tell(place, click.user, REFUSED_BUTTON);
    try {
      await urgent.views.open({ trigger_id: click.triggerId, view: denyModal({ ...asked, place }) });
    } catch (error) {
      // A trigger lives three seconds: no later try of ours can open it.
      log("the form for a denial could not be opened", { error: String(error) });
      await say({ place, user: click.user, inThread: true }, FORM_LATE);
    }
  });

  app.action(ACTS.askAgain, async ({ ack, body }) => {
    await ack();
    await answer(body, async ({ click, account, place }) => {
      const asked = unpackAsked(click.value);
      if (asked === null) return REFUSED_BUTTON;
      return verbs.askAgain({ approvalId: asked.approvalId, account, place });
    });
  });

  app.action(ACTS.stop, async ({ ack, body }) => {
    await ack();
    await answer(body, ({ click, account, place }) => verbs.stop({ runId: click.value ?? "", account, place }));
  });

  app.action(ACTS.why, async ({ ack, body }) => {
    await ack();
    await answer(body, async ({ click, account, place }) => {
      const facts = await factsOf(place.channel);
      if (facts === null) return REFUSED_UNKNOWN;
      const requestKey = `slack:${workspace}:${place.channel}:why:${click.user}:${click.at}`;
      const heard = { account, place, first: false, requestKey, text: "why", ...facts };
      return (await verbs.hear(heard)) ?? REFUSED_BUTTON;
    });
  });

  app.action(ACTS.chooseTeam, async ({ ack, body }) => {
    await ack();
    await answer(body, async ({ click, account, place }) => {
      const facts = await factsOf(place.channel);
      if (facts === null) return REFUSED_UNKNOWN;
      const choice = facts.direct && !facts.shared ? unpackChoice(click.value) : null;
      return choice === null ? STALE_CHOICE : verbs.choose({ ...choice, account });
    });
  });

  app.view(DENY_MODAL, async ({ ack, body }) => {
    await ack();
    const denial = readDeny(body.view);
    if (denial === null) throw new Error("a denial that passed the door cannot be read");
    const { approvalId, digest, place, reason } = denial;
    const account = await accountOf(body.user.id);
    const view =
      account === null
        ? REFUSED_UNKNOWN
        : await verbs.vote({ approvalId, digest, account, choice: "deny", reason, place });
    await tell(place, body.user.id, view);
  });

  /** Our failure, said to whoever waits for us. */
  async function onTrouble(body: unknown, forGood: boolean): Promise<void> {
    const who = whereabouts(body);
    if (who === null) return;
    const at = { place: placed(who.channel, who.thread), user: who.user, inThread: who.inThread };
    await say(at, forGood ? TROUBLE.forGood : TROUBLE.again).catch((error: unknown) =>
      log("nor could the person be told", { user: who.user, error: String(error) }),
    );
  }

  return { routes: intake.routes, take: intake.take, redrive: intake.redrive, drain: intake.drain };
}

/** Words that nobody addressed to us are answered only when they did something here. */
const concerns = (view: View): boolean =>
  view.kind === "noted" || (view.kind === "refused" && view.refusal.code === "not_yours_to_stop");

interface By {
  readonly click: Click;
  readonly account: Account;
  readonly place: Place;
}

function read(body: unknown): Click {
  const click = clickOf(body);
  if (click === null) throw new Error("a click that passed the door cannot be read");
  return click;
}

/** Bolt logs bodies at debug; only what went wrong passes. */
function boltLogger(log: Log) {
  const pass =
    (level: string) =>
    (...parts: unknown[]) =>
      log(parts.map(String).join(" "), { from: "bolt", level });
  return {
    debug: () => {},
    info: () => {},
    warn: pass("warn"),
    error: pass("error"),
    setLevel: () => {},
    getLevel: () => LogLevel.INFO,
    setName: () => {},
  };
}
