import { setTimeout as pause } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { slackAccess, slackIdentity, tokenKind } from "#adapters/directory/slack-access.ts";
import { slackSocket } from "#adapters/directory/slack-socket.ts";
import { type Chat, ChatUnavailable, type Place } from "#ports/chat.ts";
import { Secret } from "#ports/secret.ts";
import type { View } from "#runs/view.ts";
import { examineSlack } from "#surfaces/slack/examine.ts";
import { slackChat } from "#surfaces/slack/out.ts";
import * as story from "#test/fixtures/run-events.ts";
import { views } from "#test/surfaces/slack/views.ts";

/**
 * The surface against the real Slack, in a channel for trials that the bot is in: it looks at what the app may do, opens
 * a socket, posts every card that we can show, and takes all of it away again. Nobody has to press anything.
 */
const { LIVE_SLACK_BOT_TOKEN, LIVE_SLACK_APP_TOKEN, LIVE_SLACK_CHANNEL, LIVE_SLACK_API_URL } = process.env;
const asked = LIVE_SLACK_BOT_TOKEN && LIVE_SLACK_APP_TOKEN && LIVE_SLACK_CHANNEL;
if (!asked) {
  console.warn(
    "skipped: the real Slack was not tried. Set LIVE_SLACK_BOT_TOKEN, LIVE_SLACK_APP_TOKEN and LIVE_SLACK_CHANNEL (the id of a channel for trials that the bot is in).",
  );
}

const PATIENCE_MS = 600_000;
const TRIES_MOST = 20;

describe.skipIf(!asked)("the real Slack", { timeout: PATIENCE_MS }, () => {
  const at = LIVE_SLACK_API_URL === undefined ? {} : { slackApiUrl: LIVE_SLACK_API_URL };
  const [botToken, appToken] = [LIVE_SLACK_BOT_TOKEN, LIVE_SLACK_APP_TOKEN].map(
    (value, n) => new Secret(["slack_bot_token", "slack_app_token"][n] ?? "", value ?? ""),
  ) as [Secret, Secret];
  const channel = LIVE_SLACK_CHANNEL ?? "";
  const complaints: string[] = [];
  const log = (message: string, fields?: Readonly<Record<string, unknown>>) =>
    void complaints.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const access = slackAccess({ botToken, ...at, log });
  const posted: string[] = [];

  async function opened(): Promise<{ chat: Chat<View>; place: Place }> {
    const { workspace, botId } = await slackIdentity(access.reads);
    const { urgent, progress } = access;
    const chat = slackChat({ urgent, progress, botId, now: () => new Date(), log });
    return { chat, place: { provider: "slack", workspace, channel, thread: "" } };
  }

  /** As the outbox does it: later, when Slack says so. */
  async function show(chat: Chat<View>, key: string, place: Place, view: View, before: string | null = null) {
    for (let tries = 1; ; tries += 1) {
      try {
        const { messageId } = await chat.show(key, place, view, before);
        if (before === null && !posted.includes(messageId)) posted.push(messageId);
        return messageId;
      } catch (error) {
        if (!(error instanceof ChatUnavailable) || error.retryAfterMs === null || tries === TRIES_MOST) throw error;
        await pause(error.retryAfterMs);
      }
    }
  }

  afterAll(async () => {
    for (const ts of posted.reverse()) await access.reads.chat.delete({ channel, ts });
  }, PATIENCE_MS);

  test("lets the app do all that it needs", async () => {
    const { probe } = slackSocket({ appToken, ...at, log });
    const findings = await examineSlack({
      client: access.reads,
      botTokenKind: tokenKind(botToken),
      intake: { by: "socket", tokenKind: tokenKind(appToken), probe },
      channels: new Map([[channel, "LIVE_SLACK_CHANNEL"]]),
      usergroups: new Map(),
    });
    expect(findings.filter(({ level }) => level === "wrong")).toEqual([]);
  });

  test("opens a socket and lets it go", async () => {
    const leaving = new AbortController();
    const greeted = Promise.withResolvers<void>();
    const socket = slackSocket({
      ...{ appToken, ...at },
      log: (message) =>
        message === "a socket to Slack is open" ? greeted.resolve() : greeted.reject(new Error(message)),
    });
    const held = socket.hold(async () => {}, leaving.signal);
    await greeted.promise.finally(() => leaving.abort());
    await held;
  });

  test("takes every card that we can show, in full; edits one; and has it found again by a new process", async () => {
    const run = `live-${Date.now()}`;
    const { chat, place } = await opened();
    const key = `slack:${run}:status`;
    const thread = await show(chat, key, place, story.statusOf(story.waiting));
    expect(await show(chat, key, place, story.statusOf(story.merged), thread)).toBe(thread);
    const other = await opened();
    const again = await show(other.chat, key, { ...place, thread }, story.statusOf(story.merged));
    expect(again).toBe(thread);
    for (const [name, view] of Object.entries(views))
      await show(chat, `slack:${run}:${name}`, { ...place, thread }, view);
    expect(posted).toHaveLength(Object.keys(views).length + 1);
    // A refused card would be said here, and shown in its plain form.
    expect(complaints).toEqual([]);
  });
});
