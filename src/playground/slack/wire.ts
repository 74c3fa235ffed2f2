import { type Answer, postSigned } from "./sign.ts";
import type { JsonObject } from "./world.ts";

/** What Slack sends to the app; the words are those of a socket's envelopes. */
export interface Sent {
  readonly kind: "events_api" | "interactive" | "slash_commands";
  readonly payload: JsonObject;
  /** Of an event that was sent before. */
  readonly retry?: { readonly num: number; readonly reason: string };
}

/** The way to the app: HTTP, or a socket that the app has opened. */
export interface Wire {
  /** Sends one thing and waits for the app's answer, at most as long as Slack does. Never rejects. */
  send(sent: Sent): Promise<Answer>;
  stop(): void;
}

const FORM = "application/x-www-form-urlencoded";

/** Signed requests: events as JSON, interactions as JSON in a form, slash commands as a plain form. */
export function httpWire(o: {
  readonly eventsUrl: string;
  readonly interactivityUrl: string;
  readonly commandsUrl: string;
  readonly signingSecret: string;
  readonly answerWithinMs: number;
  readonly now: () => number;
}): Wire {
  const bodies = {
    events_api: (payload: JsonObject) => ({
      url: o.eventsUrl,
      body: JSON.stringify(payload),
      contentType: "application/json",
    }),
    interactive: (payload: JsonObject) => ({
      url: o.interactivityUrl,
      body: new URLSearchParams({ payload: JSON.stringify(payload) }).toString(),
      contentType: FORM,
    }),
    slash_commands: (payload: JsonObject) => ({
      url: o.commandsUrl,
      body: new URLSearchParams(
        Object.entries(payload).map(([name, value]): [string, string] => [name, String(value)]),
      ).toString(),
      contentType: FORM,
    }),
  };
  return {
    send: ({ kind, payload, retry }) =>
      postSigned({
        ...bodies[kind](payload),
        secret: o.signingSecret,
        now: o.now(),
        withinMs: o.answerWithinMs,
        headers:
          retry === undefined ? {} : { "x-slack-retry-num": String(retry.num), "x-slack-retry-reason": retry.reason },
      }),
    stop() {},
  };
}
