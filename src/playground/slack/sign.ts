import { createHmac } from "node:crypto";

/** The two headers by which an app knows that Slack sent this body. `now` in epoch milliseconds. */
function signature(secret: string, body: string, now: number): Record<string, string> {
  const seconds = String(Math.floor(now / 1_000));
  const mac = createHmac("sha256", secret).update(`v0:${seconds}:${body}`).digest("hex");
  return { "x-slack-request-timestamp": seconds, "x-slack-signature": `v0=${mac}` };
}

/** How the app answered one request: its status and body, or why there was none. */
export type Answer =
  | {
      readonly ok: true;
      readonly status: number;
      readonly body: string;
      readonly noRetry: boolean;
      readonly ms: number;
    }
  | {
      readonly ok: false;
      readonly reason: "http_timeout" | "connection_failed";
      readonly detail: string;
      readonly ms: number;
    };

/** Posts one signed request and waits for the whole answer, at most `withinMs`. Follows no redirect, as Slack. */
export async function postSigned(o: {
  url: string;
  body: string;
  contentType: string;
  secret: string;
  now: number;
  withinMs: number;
  headers?: Readonly<Record<string, string>>;
}): Promise<Answer> {
  const started = performance.now();
  const ms = () => Math.round(performance.now() - started);
  try {
    const response = await fetch(o.url, {
      method: "POST",
      body: o.body,
      redirect: "manual",
      headers: {
        "content-type": o.contentType,
        "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        ...signature(o.secret, o.body, o.now),
        ...o.headers,
      },
      signal: AbortSignal.timeout(o.withinMs),
    });
    const body = await response.text();
    return {
      ok: true,
      status: response.status,
      body,
      noRetry: response.headers.get("x-slack-no-retry") === "1",
      ms: ms(),
    };
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    const detail = error instanceof Error ? `${error.message}${cause}` : String(error);
    return { ok: false, reason: timedOut ? "http_timeout" : "connection_failed", detail, ms: ms() };
  }
}
