import type { Place } from "#ports/chat.ts";
import { type Account, DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import { type Activity, type TicketTracker, TicketUnavailable } from "#ports/ticket.ts";
import { hasCode } from "#runs/link-code.ts";
import type { Heard } from "#runs/request/hear.ts";
import { parse } from "#runs/say.ts";
import type { View } from "#runs/view.ts";
import { answerOf } from "./answers.ts";
import type { Delivery } from "./delivery.ts";
import { activityId } from "./ids.ts";
import { said } from "./text.ts";
import type { LinearVerbs } from "./verbs.ts";
import { howToLink, linkedWords, notLinkedWords } from "./words.ts";

type Of<K extends Delivery["kind"]> = Extract<Delivery, { kind: K }>;
type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface HandleOptions {
  readonly organization: string;
  readonly tracker: TicketTracker;
  readonly verbs: LinearVerbs;
  /** Where in Slack people find us; `null`: nobody can say. */
  readonly botUrl: string | null;
  /** How people show that an account here is theirs. */
  readonly linkBy: "code" | "sign_in";
  readonly log: Log;
}

const NOBODY =
  "Only a full member of this workspace may ask, and this was an automation, an app or a guest: somebody answers for every run. Have a member delegate the ticket.";
const NO_TICKET = "I work on tickets: delegate one to me, or mention me on one.";
const UNKNOWN: View = { kind: "refused", refusal: { code: "directory_unavailable" } };

/**
 * What comes of a delivery: who said what where to the core's verbs, and what they return into the session. It decides
 * nothing. Every activity has an id that the delivery gives, so that a delivery which is handled twice says nothing twice.
 */
export function handler({ organization, tracker, verbs, botUrl, linkBy, log }: HandleOptions) {
  const userOf = ({ id }: { readonly id: string }): ExternalId => ({ provider: "linear", workspace: organization, id });
  const placeOf = ({ team, session }: { readonly team: string; readonly session: string }): Place => ({
    provider: "linear",
    workspace: organization,
    channel: team,
    thread: session,
  });

  const post = (delivery: { readonly id: string }, session: string, what: string, activity: Activity) =>
    tracker.post(session, { id: activityId("linear", delivery.id, what), activity });
  const say = (
    delivery: { readonly id: string },
    session: string,
    kind: "thought" | "response" | "error",
    body: string,
  ) => post(delivery, session, "answer", { kind, body });

  /** That we have heard, before anything is looked up: Linear gives us ten seconds. What Linear does not take is not vital. */
  async function acknowledge(delivery: Delivery): Promise<void> {
    if (delivery.kind !== "created" && delivery.kind !== "prompted") return;
    const body = delivery.kind === "created" ? "On it: I look at what policy says." : "I have read it.";
    const id = activityId("linear", delivery.id, "heard");
    try {
      await tracker.post(delivery.session, { id, activity: { kind: "thought", body }, ephemeral: true });
    } catch (error) {
      if (!(error instanceof TicketUnavailable)) throw error;
      log("Linear did not take the first activity", {
        level: "error",
        session: delivery.session,
        error: error.message,
      });
    }
  }

  /** Who that is here. A view: what to answer instead. `null`: nobody knows. */
  async function personOf(user: ExternalId): Promise<Account | View | null> {
    try {
      return await verbs.personOf(user);
    } catch (error) {
      if (!(error instanceof DirectoryUnavailable)) throw error;
      log("the directory could not say who spoke on Linear", { user: user.id, error: error.message });
      return UNKNOWN;
    }
  }

  async function heardBy(account: Account, delivery: Of<"created"> | Of<"prompted">): Promise<View | null> {
    return verbs.hear(await heardOf(delivery, account));
  }

  /** A ticket is never a command. What is said on it may be one, and else adds to the run there is, or to the ticket. */
  async function heardOf(delivery: Of<"created"> | Of<"prompted">, account: Account): Promise<Heard> {
    const place = placeOf(delivery);
    const { kind, text, said: words, ticket } = delivery;
    const requestKey = `linear:${organization}:${kind === "created" ? delivery.session : delivery.id}`;
    const heard = { account, place, first: kind === "created", requestKey, ticket, direct: false, shared: false };
    const asked = words === "" ? null : parse(words);
    if (asked !== null && asked.kind !== "task") return { ...heard, text: words };
    if (kind === "prompted" && (await verbs.runAt(place)) !== null) return { ...heard, text: words };
    return { ...heard, text: words === "" ? text : `${text}\n\n${words}`, asTask: true };
  }

  async function unknownPerson(delivery: Of<"created"> | Of<"prompted"> | Of<"stop">, user: ExternalId): Promise<void> {
    // What another app says is answered with words that ask for none, or the two of us would never stop.
    const there = await tracker.user(user.id);
    if (there?.kind !== "member") return say(delivery, delivery.session, "response", NOBODY);
    let kept = false;
    if (delivery.kind !== "stop") {
      const { place, requestKey, text, asTask = false, ticket } = await heardOf(delivery, NO_ACCOUNT);
      kept = await verbs.keep(user, { place, requestKey, text, asTask, ticket: ticket ?? null });
    }
    const then = kept ? " What you asked for is kept, and goes on by itself then." : "";
    const body = `I do not know whose account this is in Slack, where people ask and answer, so nothing was done. ${howToLink(linkBy)}${then}`;
    await tracker.post(delivery.session, {
      id: activityId("linear", delivery.id, "answer"),
      activity: { kind: "elicitation", body },
      ...(botUrl === null ? {} : { signIn: { url: botUrl, userId: user.id, provider: "Slack" } }),
    });
  }

  /** What they asked for before anybody knew who they are. */
  async function goOn(user: ExternalId, account: Account): Promise<number> {
    const waiting = await verbs.waiting(user);
    for (const { words, settle } of waiting) {
      const { place, requestKey, text, asTask, ticket } = words;
      const first = requestKey === `linear:${organization}:${place.thread}`;
      const view = await verbs.hear({
        ...{ account, place, first, requestKey, text, asTask, direct: false, shared: false },
        ...(ticket === null ? {} : { ticket }),
      });
      if (view !== null) await post({ id: requestKey }, place.thread, "went on", answerOf(view));
      await settle();
    }
    return waiting.length;
  }

  async function linked(
    delivery: Of<"created"> | Of<"prompted">,
    by: { readonly id: string; readonly name: string },
  ): Promise<void> {
    const user = userOf(by);
    const there = await tracker.user(by.id);
    if (there?.kind !== "member") return say(delivery, delivery.session, "response", NOBODY);
    const came = await verbs.redeem({
      text: delivery.said,
      account: { ...user, name: there.name },
      once: delivery.id,
    });
    if ("refused" in came) {
      return post(delivery, delivery.session, "answer", {
        kind: "elicitation",
        body: `${notLinkedWords(came, by.id)} ${howToLink(linkBy)}`,
      });
    }
    const account = came.linked;
    await say(delivery, delivery.session, "thought", linkedWords(account));
    if ((await goOn(user, account)) === 0 && (await verbs.runAt(placeOf(delivery))) === null)
      await post(delivery, delivery.session, "next", {
        kind: "elicitation",
        body: "Say what you want done on this ticket.",
      });
  }

  /** They signed in, on a page of ours. Nothing is there for an account that came to nothing there. */
  async function signedIn(delivery: Of<"linked">): Promise<void> {
    const { by } = delivery;
    const user = userOf(by);
    const account = await verbs.personOf(user);
    if (account === null) return;
    for (const session of new Set((await verbs.waiting(user)).map(({ words }) => words.place.thread)))
      await post(delivery, session, `linked ${session}`, { kind: "thought", body: linkedWords(account) });
    await goOn(user, account);
  }

  async function spoke(delivery: Of<"created"> | Of<"prompted">): Promise<void> {
    const { by, session } = delivery;
    if (by === null) return say(delivery, session, "response", NOBODY);
    // Whatever else is said beside it: a code is handed to no agent.
    if (hasCode(delivery.said)) return linked(delivery, by);
    const user = userOf(by);
    const account = await personOf(user);
    if (account === null) return unknownPerson(delivery, user);
    if (!("id" in account)) return post(delivery, session, "answer", answerOf(account));
    await goOn(user, account);
    const view = await heardBy(account, delivery);
    if (view !== null) await post(delivery, session, "answer", answerOf(view));
  }

  async function stopped(delivery: Of<"stop">): Promise<void> {
    const { by, session } = delivery;
    const place = placeOf(delivery);
    const run = await verbs.runAt(place);
    if (run === null)
      return say(delivery, session, "response", "Nothing runs here. What was started before has ended.");
    if (by === null) return say(delivery, session, "response", NOBODY);
    const user = userOf(by);
    const account = await personOf(user);
    if (account === null) return unknownPerson(delivery, user);
    const view = "id" in account ? await verbs.stop({ runId: run.id, account, place }) : account;
    await post(delivery, session, "answer", answerOf(view));
  }

  async function unassigned(delivery: Of<"unassigned">): Promise<void> {
    const runs = await verbs.runsOn(delivery.ticket.id);
    if (runs.length === 0) return;
    const { by } = delivery;
    const account = by === null ? null : await personOf(userOf(by));
    for (const run of runs) {
      const view =
        account !== null && "id" in account ? await verbs.stop({ runId: run.id, account, place: run.place }) : account;
      const activity: Activity =
        view === null
          ? {
              kind: "response",
              body: `${by === null ? "Something" : said(by.name, 60)} took the ticket from me, and I do not know who that is in Slack, so run ${run.number} goes on. Whoever asked for it can stop it: \`stop\` here, or in Slack.`,
            }
          : answerOf(view);
      await post(delivery, run.place.thread, `unassigned ${run.id}`, activity);
    }
  }

  return {
    acknowledge,
    async handle(delivery: Delivery): Promise<void> {
      switch (delivery.kind) {
        case "created":
        case "prompted":
          return spoke(delivery);
        case "linked":
          return signedIn(delivery);
        case "stop":
          return stopped(delivery);
        case "unassigned":
          return unassigned(delivery);
        case "no_ticket":
          return say(delivery, delivery.session, "response", NO_TICKET);
        case "app":
          log("Linear has changed what we may do there: look at the app's settings in Linear", {
            level: "error",
            what: delivery.what,
            action: delivery.action,
          });
          return;
        default:
          return delivery satisfies never;
      }
    },
  };
}

/** Stands where an account is not known yet: words are put together without one. */
const NO_ACCOUNT: Account = { provider: "slack", workspace: "", id: "", name: "", kind: "external", email: null };
