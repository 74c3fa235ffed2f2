import { App } from "@slack/bolt";
import type { Hono } from "hono";
import type { Place } from "#ports/chat.ts";
import type { Account } from "#ports/directory.ts";
import type { InboxStore } from "#runs/stores.ts";
import type { View } from "#runs/view.ts";
import { ACTS, DENY_MODAL, unpackAsked, unpackChoice } from "./acts.ts";
import { boltLogger } from "./bolt-log.ts";
import { card, section } from "./cards/blocks.ts";
import { type Click, clickOf, whereabouts } from "./clicks.ts";
import { hearCommands } from "./command.ts";
import { denyModal, readDeny } from "./deny-modal.ts";
import type { Desk, SlackWorkspaces } from "./desk.ts";
import { openDesks } from "./desks.ts";
import { hearNative } from "./home.ts";
import { installedIn, type LeftWorkspace, leftOf } from "./left.ts";
import { type Envelope, slackReceiver } from "./receiver.ts";
import { speech } from "./speech.ts";
import { spokenOf } from "./spoken.ts";
import type { SlackVerbs } from "./verbs.ts";
import type { Log } from "./whisper.ts";
import { TROUBLE } from "./words.ts";

export interface SlackSurfaceOptions {
  readonly workspaces: SlackWorkspaces;
  /** HMAC-SHA256 of a text under the signing secret; `null`: Slack's requests come over a socket alone. */
  readonly hmac: ((text: string) => Buffer) | null;
  readonly verbs: SlackVerbs;
  /** A workspace has put us out, or a bot's token there was revoked. May be told twice. */
  readonly left: (workspace: LeftWorkspace) => Promise<void>;
  readonly inbox: InboxStore;
  readonly now: () => Date;
  readonly log: Log;
  /** How long a delivery is ours without a word: see `deliveries`. */
  readonly claimMs?: number;
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
  const { workspaces, hmac, verbs, inbox, now, log } = options;

  const { at: deskAt, of: deskOf } = openDesks({ workspaces, verbs, now, log, unknown: REFUSED_UNKNOWN });

  const intake = slackReceiver({
    hmac,
    inbox,
    now,
    log,
    door: (body) => workspaces.door(installedIn(body)),
    onTaken: foresee,
    onTrouble,
    ...(options.claimMs === undefined ? {} : { claimMs: options.claimMs }),
  });
  const app = new App({
    receiver: intake.receiver,
    // Without the token: what is said to a workspace goes through its own desk.
    authorize: async ({ teamId }) => {
      const { workspace, botUserId, botId } = (await deskOf({ teamId })).identity;
      return { botId, botUserId, teamId: workspace };
    },
    convoStore: false,
    logger: boltLogger(log),
  });
  // A failure must reach the receiver: it leaves the row for the next try.
  app.error(async (error) => {
    throw error;
  });

  const tell = (desk: Desk, place: Place, user: string, view: View, inThread = true) =>
    desk.note({ place, user, inThread }, view);

  const say = (desk: Desk, at: { place: Place; user: string; inThread: boolean }, text: string) =>
    desk.note(at, card(text, [section(text)]));

  /** Asks Slack what `listen` will want to know, while the delivery is being kept. */
  function foresee(body: unknown): void {
    const spoken = spokenOf(body);
    if (spoken === null) return;
    const { user, channel, ts, thread } = spoken;
    deskAt(installedIn(body).workspace).then(
      (desk) => {
        if (desk === null) return;
        void desk.accountOf(user).catch(() => undefined);
        void desk.factsOf(channel);
        verbs.foresee(desk.placed(channel, thread ?? ts));
      },
      // Who listens next asks again, and fails aloud.
      () => undefined,
    );
  }

  async function listen(desk: Desk, body: unknown): Promise<void> {
    const spoken = spokenOf(body);
    if (spoken === null) return;
    const { workspace, botUserId } = desk.identity;
    const { user, text, channel, ts, thread, addressed } = spoken;
    const place = desk.placed(channel, thread ?? ts);
    const first = thread === null;
    const [account, facts] = await Promise.all([
      desk.accountOf(user),
      spoken.external ? { shared: true, direct: false } : desk.factsOf(channel),
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
    if (view !== null && (addressed || concerns(view))) await tell(desk, place, user, view, !first);
  }

  /** A click, with who and where, to a verb; its answer to the clicker. `null`: everyone sees what came of it. */
  async function answer(desk: Desk, body: unknown, verb: (by: By) => Promise<View | null>): Promise<void> {
    const click = read(body);
    const place = desk.placed(click.channel, click.thread);
    const account = await desk.accountOf(click.user);
    const view = account === null ? REFUSED_UNKNOWN : await verb({ click, account, place });
    if (view !== null) await tell(desk, place, click.user, view);
  }

  hearCommands(app, deskOf);
  hearNative(app, deskOf);

  app.event("app_mention", async ({ body, context }) => listen(await deskOf(context), body));
  app.event("message", async ({ body, context }) => listen(await deskOf(context), body));
  app.event("app_uninstalled", ({ body }) => leave(body));
  app.event("tokens_revoked", ({ body }) => leave(body));

  async function leave(body: unknown): Promise<void> {
    const left = leftOf(body);
    if (left !== null) await options.left(left);
  }

  app.action(ACTS.approve, async ({ ack, body, context }) => {
    await ack();
    await answer(await deskOf(context), body, async ({ click, account, place }) => {
      const asked = unpackAsked(click.value);
      if (asked === null) return REFUSED_BUTTON;
      return verbs.vote({ ...asked, account, choice: "approve", reason: null, place });
    });
  });

  app.action(ACTS.deny, async ({ ack, body, context }) => {
    await ack();
    const desk = await deskOf(context);
    const click = read(body);
    const place = desk.placed(click.channel, click.thread);
    const asked = unpackAsked(click.value);
    if (asked === null) return tell(desk, place, click.user, REFUSED_BUTTON);
    try {
      await desk.urgent.views.open({ trigger_id: click.triggerId, view: denyModal({ ...asked, place }) });
    } catch (error) {
      // A trigger lives three seconds: no later try of ours can open it.
      log("the form for a denial could not be opened", { error: String(error) });
      await say(desk, { place, user: click.user, inThread: true }, FORM_LATE);
    }
  });

  app.action(ACTS.askAgain, async ({ ack, body, context }) => {
    await ack();
    await answer(await deskOf(context), body, async ({ click, account, place }) => {
      const asked = unpackAsked(click.value);
      if (asked === null) return REFUSED_BUTTON;
      return verbs.askAgain({ approvalId: asked.approvalId, account, place });
    });
  });

  app.action(ACTS.stop, async ({ ack, body, context }) => {
    await ack();
    await answer(await deskOf(context), body, ({ click, account, place }) =>
      verbs.stop({ runId: click.value ?? "", account, place }),
    );
  });

  app.action(ACTS.why, async ({ ack, body, context }) => {
    await ack();
    const desk = await deskOf(context);
    await answer(desk, body, async ({ click, account, place }) => {
      const facts = await desk.factsOf(place.channel);
      if (facts === null) return REFUSED_UNKNOWN;
      const requestKey = `slack:${place.workspace}:${place.channel}:why:${click.user}:${click.at}`;
      const heard = { account, place, first: false, requestKey, text: "why", ...facts };
      return (await verbs.hear(heard)) ?? REFUSED_BUTTON;
    });
  });

  app.action(ACTS.chooseTeam, async ({ ack, body, context }) => {
    await ack();
    const desk = await deskOf(context);
    await answer(desk, body, async ({ click, account, place }) => {
      const facts = await desk.factsOf(place.channel);
      if (facts === null) return REFUSED_UNKNOWN;
      const choice = facts.direct && !facts.shared ? unpackChoice(click.value) : null;
      return choice === null ? STALE_CHOICE : verbs.choose({ ...choice, account });
    });
  });

  app.view(DENY_MODAL, async ({ ack, body, context }) => {
    await ack();
    const desk = await deskOf(context);
    const denial = readDeny(body.view);
    if (denial === null) throw new Error("a denial that passed the door cannot be read");
    const { approvalId, digest, reason } = denial;
    const place = desk.placed(denial.place.channel, denial.place.thread);
    const account = await desk.accountOf(body.user.id);
    const view =
      account === null
        ? REFUSED_UNKNOWN
        : await verbs.vote({ approvalId, digest, account, choice: "deny", reason, place });
    await tell(desk, place, body.user.id, view);
  });

  /** Our failure, said to whoever waits for us. */
  async function onTrouble(body: unknown, forGood: boolean): Promise<void> {
    const who = whereabouts(body);
    if (who === null) return;
    try {
      const desk = await deskAt(installedIn(body).workspace);
      const at = { user: who.user, inThread: who.inThread };
      if (desk !== null)
        await say(
          desk,
          { ...at, place: desk.placed(who.channel, who.thread) },
          forGood ? TROUBLE.forGood : TROUBLE.again,
        );
    } catch (error) {
      log("nor could the person be told", { user: who.user, error: String(error) });
    }
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
