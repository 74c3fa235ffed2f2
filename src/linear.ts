import type { IdpFile } from "#adapters/directory/idp.ts";
import type { LinearAccess } from "#adapters/ticket/linear/access.ts";
import { route } from "#policy/route.ts";
import type { Chat, Place } from "#ports/chat.ts";
import type { Directory } from "#ports/directory.ts";
import type { Secret } from "#ports/secret.ts";
import { TicketUnavailable } from "#ports/ticket.ts";
import { redeem } from "#runs/account/redeem.ts";
import type { Core } from "#runs/core.ts";
import { mirrorFor } from "#runs/mirror.ts";
import { keepWords, waitingWords } from "#runs/record/waiting.ts";
import { hear } from "#runs/request/hear.ts";
import { stop } from "#runs/request/stop.ts";
import { isFinal, RUN_STATES } from "#runs/state.ts";
import type { View } from "#runs/view.ts";
import type { LinearVerbs } from "#surfaces/linear/verbs.ts";
import type { LinearWebhooks } from "#surfaces/linear/webhooks.ts";
import { permalink } from "#surfaces/slack/permalink.ts";
import type { Config } from "./config.ts";
import { StartError } from "./parts.ts";

/** A Linear app that Linear knows. */
export interface LinearApp {
  readonly access: LinearAccess;
  readonly organization: { readonly id: string; readonly name: string };
  /** Our own user there. */
  readonly appUser: string;
  /** As which people sign in there to link their account; `null`: they do it with a code. */
  readonly oauth: { readonly apiUrl: string; readonly clientId: string; readonly clientSecret: Secret } | null;
}

/** Asked before anything is made: access that does not fit leaves nothing behind. `null`: no tickets. */
export async function examineLinear(config: Pick<Config, "linear">, log: Core["log"]): Promise<LinearApp | null> {
  if (config.linear === null) return null;
  // The SDK takes a while to load, and a start without Linear has no use for it.
  const { linearAccess } = await import("#adapters/ticket/linear/access.ts");
  const access = linearAccess({ ...config.linear, log });
  try {
    const { organization, user, isApp } = await access.identity();
    if (!isApp) {
      throw new StartError(
        `LINEAR_ACCESS_TOKEN is ${user.name}'s own: an app acts as itself. Make a token with actor=app (docs/linear.md), or set LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET`,
      );
    }
    const { oauth, apiUrl } = config.linear;
    return { access, organization, appUser: user.id, oauth: oauth === null ? null : { apiUrl, ...oauth } };
  } catch (cause) {
    if (!(cause instanceof TicketUnavailable)) throw cause;
    const names = "token" in config.linear.access ? "LINEAR_ACCESS_TOKEN" : "LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET";
    throw new StartError(
      cause.code === "unauthorised"
        ? `Linear refuses ${names} (${cause.message}): copy them from the app's page in Linear's settings${"token" in config.linear.access ? "" : ", and switch on client credentials there"}`
        : `Linear cannot be used: ${cause.message}`,
      { cause },
    );
  }
}

const UNKNOWN: View = { kind: "refused", refusal: { code: "directory_unavailable" } };
const RUNS_MOST = 1_000;
const OPEN = RUN_STATES.filter((state) => !isFinal(state));

export interface LinearSide {
  readonly chat: Chat<View>;
  readonly routes: LinearWebhooks["routes"];
  readonly signedIn: LinearWebhooks["signedIn"];
  /** What a crash left is taken up, and sessions whose run goes on are told so. Call it every few seconds. */
  redrive(): Promise<void>;
  drain(): Promise<void>;
}

/** Tickets in, activities out. People are those of the workspace. */
export async function openLinear(o: {
  readonly app: LinearApp;
  readonly core: Core;
  readonly workspace: { readonly id: string; readonly url: string | null; readonly botUserId: string };
  readonly directory: Directory;
  readonly idp: IdpFile | null;
  /** What Slack says of a channel now; `null`: it cannot be known. */
  readonly channelOf: (channel: string) => Promise<{ readonly shared: boolean } | null>;
  /** How long a delivery is ours without a word: see `deliveries`. */
  readonly claimMs?: number;
}): Promise<LinearSide> {
  const { app, core, workspace, directory, idp } = o;
  const [{ linearWebhooks }, { linearChat }, { keepAlive }] = await Promise.all([
    import("#surfaces/linear/webhooks.ts"),
    import("#surfaces/linear/out.ts"),
    import("#surfaces/linear/keep-alive.ts"),
  ]);
  const { tracker, verify } = app.access;
  const now = () => core.clock.now();
  const open = async () =>
    (await core.stores.runs.inStates(core.orgId, OPEN, RUNS_MOST)).filter(
      ({ place }) => place.provider === "linear" && place.workspace === app.organization.id,
    );
  /** Whether people of another organisation read where the run would be followed. `null`: it cannot be known. */
  async function sharedMirror(place: Place): Promise<boolean | null> {
    const current = core.policy();
    const team = current.ok ? route(current.policy, { provider: "linear", team: place.channel }) : null;
    if (!current.ok || team === null || "deny" in team) return false;
    const account = { provider: "slack", workspace: workspace.id };
    const found = mirrorFor(current.policy, team.team, { place, account });
    if ("refused" in found || found.mirror === null) return false;
    return (await o.channelOf(found.mirror.channel))?.shared ?? null;
  }
  const verbs: LinearVerbs = {
    async personOf(user) {
      const on = { provider: "slack", workspace: workspace.id };
      const linked =
        (await core.stores.people.accountOn(user, on)) ?? (await idp?.ofLinear(user.id, workspace.id)) ?? null;
      return linked === null ? null : directory.account(linked);
    },
    async hear(heard) {
      const shared = await sharedMirror(heard.place);
      return shared === null ? UNKNOWN : hear(core, { ...heard, shared });
    },
    stop: (which) => stop(core, which),
    runAt: (place) => core.stores.runs.byPlace(place),
    runsOn: async (ticket) => (await open()).filter((run) => run.ticket?.id === ticket),
    redeem: (written) => redeem(core, { ...written, proof: "code" }),
    keep: (who, words) => keepWords(core, who, words),
    waiting: (who) => waitingWords(core, who),
  };
  const webhooks = linearWebhooks({
    verify,
    ours: { organization: app.organization.id, appUser: app.appUser },
    tracker,
    verbs,
    inbox: core.stores.inbox,
    linkBy: app.oauth === null ? "code" : "sign_in",
    botUrl: workspace.url ? `${workspace.url}/team/${workspace.botUserId}` : null,
    log: core.log,
    ...(o.claimMs === undefined ? {} : { claimMs: o.claimMs }),
  });
  const alive = keepAlive({ tracker, open, now, log: core.log });
  return {
    chat: linearChat({
      tracker,
      now,
      permalink: ({ channel, thread }) => (workspace.url ? permalink(workspace.url, channel, thread) : null),
      log: core.log,
    }),
    routes: webhooks.routes,
    signedIn: webhooks.signedIn,
    redrive: async () => {
      await Promise.all([webhooks.redrive(), alive()]);
    },
    drain: webhooks.drain,
  };
}
