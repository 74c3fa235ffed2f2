import { createHash } from "node:crypto";
import type { WebClient } from "@slack/web-api";
import { type Chat, ChatUnavailable, type Place, type Turn } from "#ports/chat.ts";
import type { View } from "#runs/view.ts";
import { type Budget, budget, type Urgency } from "./budget.ts";
import type { Card } from "./cards/blocks.ts";
import { render } from "./cards/render.ts";
import { failureOf } from "./failure.ts";
import { sessions } from "./sessions.ts";
import { type Log, whisper } from "./whisper.ts";

/** Under this name the key travels in a message's metadata. */
const EVENT_TYPE = "countersign";

/**
 * A message wanted this recently cannot have been claimed, posted and lost by another worker: a claim of the outbox
 * must be longer than this and the clocks' difference. Older ones are looked for before they are posted.
 */
const FRESH_MS = 5_000;
/** Longer than FRESH_MS, so that whoever tries next looks first. */
const AFTER_UNKNOWN_MS = 10_000;
/** An edit or a look-up may be repeated at any time. */
const AFTER_NO_ANSWER_MS = 2_000;
/** Someone has to act before it can work: invite us, reinstall us, unarchive the channel. */
const AFTER_REFUSED_MS = 10 * 60_000;
const HEARTBEAT_MS = 60_000;
/** Messages remembered; a forgotten one costs one edit. */
const REMEMBERED = 2_000;
const PAGE = 200;
/** Slack's clock against ours, where a channel is searched from a moment on. */
const HISTORY_SKEW_SEC = 300;

export interface SlackChatOptions {
  readonly urgent: WebClient;
  readonly progress: WebClient;
  /** `bot_id` of our own messages. */
  readonly botId: string;
  readonly now: () => Date;
  readonly log: Log;
  /** Shared by everything that edits in this workspace; default: one of its own. */
  readonly budget?: Budget;
}

interface Shown {
  readonly hash: string;
  readonly state: string;
  readonly steps: string;
  readonly at: number;
  /** Of the wish that this met; `null`: nobody numbers them. */
  readonly turn: number | null;
}

/** One message, as it is asked for now. */
interface Wanted {
  readonly key: string;
  readonly place: Place;
  readonly view: View;
  readonly card: Card;
  readonly turn: Turn | null;
}

/** The chat port over Slack: one message per key, posted once, edited in place. */
export function slackChat({
  urgent,
  progress,
  botId,
  now,
  log,
  ...options
}: SlackChatOptions): Chat<View> & { readonly settled: () => Promise<void> } {
  const session = sessions({ client: progress, now, log });
  const allowance = options.budget ?? budget(() => now().getTime());
  const shownBefore = new Map<string, Shown>();
  const doubtful = new Set<string>();
  /** What was wanted before may have been posted by whoever was here before, and died before saying so. */
  const since = now();

  function remember({ key, view, card, turn }: Wanted): void {
    shownBefore.delete(key);
    shownBefore.set(key, { hash: hashOf(card), ...signs(view), at: now().getTime(), turn: turn?.now ?? null });
    const oldest = shownBefore.keys().next().value;
    if (shownBefore.size > REMEMBERED && oldest !== undefined) shownBefore.delete(oldest);
  }

  async function edit(wanted: Wanted, ts: string): Promise<"done" | "gone"> {
    const { key, place, view, card, turn } = wanted;
    const before = shownBefore.get(key);
    // Another process may have shown something else since: then people do not see what we remember.
    const ours = turn === null || before?.turn === turn.last;
    const urgency = ours ? urgencyOf(view, before) : atLeastTask(urgencyOf(view, before));
    const young = before !== undefined && now().getTime() - before.at < HEARTBEAT_MS;
    if (before && ours && (before.hash === hashOf(card) || (urgency === "heartbeat" && young))) {
      shownBefore.set(key, { ...before, turn: turn?.now ?? null });
      return "done";
    }
    const waitMs = allowance.take("chat.update", urgency, key);
    if (waitMs > 0) throw new ChatUnavailable("the edits of this minute are spent", { retryAfterMs: waitMs });
    const client = urgency === "state" || urgency === "receipt" ? urgent : progress;
    try {
      await plainer(key, card, (shape) =>
        client.chat.update({ channel: place.channel, ts, ...shape, metadata: metadata(key) }),
      );
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind === "refused" && NO_SUCH_MESSAGE.includes(failure.error)) return "gone";
      throw unavailable(error, "chat.update", { place, key });
    }
    remember(wanted);
    return "done";
  }

  async function post(wanted: Wanted): Promise<string> {
    const { key, place, card } = wanted;
    const waitMs = allowance.take("chat.postMessage", "state", key);
    if (waitMs > 0) throw new ChatUnavailable("Slack takes no posts now", { retryAfterMs: waitMs });
    try {
      const reply = await plainer(key, card, (shape) =>
        urgent.chat.postMessage({
          channel: place.channel,
          ...(place.thread === "" ? {} : { thread_ts: place.thread }),
          ...shape,
          metadata: metadata(key),
          unfurl_links: false,
          unfurl_media: false,
        }),
      );
      if (!reply.ts) throw new Error("Slack posted a message and did not say which");
      doubtful.delete(key);
      remember(wanted);
      return reply.ts;
    } catch (error) {
      if (failureOf(error).kind === "unknown") doubtful.add(key);
      throw unavailable(error, "chat.postMessage", { place, key });
    }
  }

  /** Our message of this key in the thread, or in the channel since it was wanted, if an earlier try got through. */
  async function find(key: string, place: Place, since: Date | null): Promise<string | null> {
    const top = place.thread === "";
    const ask = top ? urgent.conversations.history : urgent.conversations.replies;
    const oldest = since === null ? 0 : Math.floor(since.getTime() / 1000) - HISTORY_SKEW_SEC;
    let cursor: string | undefined;
    do {
      const page = await ask({
        channel: place.channel,
        ...(top ? { oldest: String(oldest) } : { ts: place.thread }),
        include_all_metadata: true,
        limit: PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      } as Parameters<typeof urgent.conversations.replies>[0]).catch((error: unknown) => {
        const failure = failureOf(error);
        if (failure.kind === "refused" && failure.error === "thread_not_found") return null;
        throw unavailable(error, top ? "conversations.history" : "conversations.replies", { place, key });
      });
      const mine = page?.messages?.find((message) => message.bot_id === botId && keyOf(message) === key);
      if (mine?.ts) return mine.ts;
      cursor = page?.response_metadata?.next_cursor || undefined;
    } while (cursor !== undefined);
    return null;
  }

  function mayHaveBeenPosted(key: string, view: View): boolean {
    if (doubtful.has(key)) return true;
    const born = bornAt(view);
    if (born === null || born < since) return true;
    const age = now().getTime() - born.getTime();
    return age > FRESH_MS || age < -FRESH_MS;
  }

  /** Older clients and workspaces refuse newer blocks: then the sentence and the buttons are shown. */
  async function plainer<T>(key: string, card: Card, call: (shape: Card) => Promise<T>): Promise<T> {
    try {
      return await call(card);
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind !== "refused" || failure.error !== "invalid_blocks") throw error;
      log("Slack refused a card; its plain form is shown", { level: "error", key });
      const buttons = card.blocks.filter((block) => block.type === "actions");
      const text = { type: "mrkdwn" as const, text: card.text, verbatim: true };
      return call({ text: card.text, blocks: [{ type: "section", text }, ...buttons] });
    }
  }

  function unavailable(error: unknown, method: string, of: { place: Place; key: string }): ChatUnavailable {
    if (error instanceof ChatUnavailable) return error;
    const failure = failureOf(error);
    const fields = { method, key: of.key, channel: of.place.channel };
    if (failure.kind === "limited") {
      allowance.limited(method, failure.afterMs);
      return new ChatUnavailable(`Slack limits ${method}`, { cause: error, retryAfterMs: failure.afterMs });
    }
    if (failure.kind === "unknown") {
      const retryAfterMs = method === "chat.postMessage" ? AFTER_UNKNOWN_MS : AFTER_NO_ANSWER_MS;
      return new ChatUnavailable(`Slack did not answer ${method}`, { cause: error, retryAfterMs });
    }
    log("Slack refuses what we show", { level: "error", ...fields, error: failure.error });
    return new ChatUnavailable(`Slack refuses ${method}: ${failure.error}`, {
      cause: error,
      retryAfterMs: AFTER_REFUSED_MS,
    });
  }

  async function showOne(wanted: Wanted, given: string | null): Promise<string> {
    const { key, place, view } = wanted;
    // An empty id is of something that had nothing to show before.
    const shown = given || null;
    if (shown !== null && (await edit(wanted, shown)) === "done") return shown;
    if (shown === null && mayHaveBeenPosted(key, view)) {
      const found = await find(key, place, bornAt(view));
      if (found !== null) {
        // When the edit must wait, the key stays in doubt and the next try looks it up again.
        doubtful.add(key);
        const edited = await edit(wanted, found);
        doubtful.delete(key);
        if (edited === "done") return found;
      }
    }
    return post(wanted);
  }

  return {
    async show(key, place, view, shown, turn) {
      const messageId = await showOne({ key, place, view, card: render(view, now()), turn: turn ?? null }, shown);
      session.follow(place, view);
      return { messageId };
    },
    settled: session.settled,
    async whisper(place, to, view) {
      try {
        await whisper(urgent, log, { place, user: to.id, inThread: true }, render(view, now()));
      } catch (error) {
        throw unavailable(error, "chat.postEphemeral", { place, key: "whisper" });
      }
    },
  };
}

/** A person deleted our message: the facts are posted anew. */
const NO_SUCH_MESSAGE: readonly string[] = ["message_not_found", "cant_update_message", "edit_window_closed"];

const metadata = (key: string) => ({ event_type: EVENT_TYPE, event_payload: { key } });

function keyOf(message: object): string | null {
  const found = (message as { metadata?: { event_type?: string; event_payload?: { key?: unknown } } }).metadata;
  return found?.event_type === EVENT_TYPE && typeof found.event_payload?.key === "string"
    ? found.event_payload.key
    : null;
}

const hashOf = (card: Card): string => createHash("sha256").update(JSON.stringify(card)).digest("base64");

/** When this message was first wanted; `null` when the facts do not say. */
function bornAt(view: View): Date | null {
  switch (view.kind) {
    case "status":
      return view.facts.request.at;
    case "approval":
      return view.approval.openedAt;
    case "policy_broken":
    case "policy_mended":
    case "asked":
      return view.at;
    default:
      return null;
  }
}

/** What a reader would call the same: `state` is worth an edit at once, `steps` when there is room. */
function signs(view: View): { state: string; steps: string } {
  if (view.kind !== "status") return { state: "", steps: "" };
  const { facts, tasks } = view;
  const open = facts.approvals.filter((approval) => approval.status === "pending").map((approval) => approval.id);
  return {
    state: JSON.stringify([facts.state, facts.stoppedBy?.id, open, facts.notices.length, facts.pullRequest?.state]),
    steps: JSON.stringify([tasks, facts.hosts.map((host) => [host.host, host.refused > 0])]),
  };
}

/** What another process has shown is not known here, so that nothing of it may be left out. */
const atLeastTask = (urgency: Urgency): Urgency => (urgency === "heartbeat" ? "task" : urgency);

function urgencyOf(view: View, before: Shown | undefined): Urgency {
  if (view.kind === "receipt" || view.kind === "outcome") return "receipt";
  if (view.kind === "blocked") return "task";
  if (view.kind !== "status" || before === undefined) return "state";
  const { state, steps } = signs(view);
  if (state !== before.state) return "state";
  return steps === before.steps ? "heartbeat" : "task";
}
