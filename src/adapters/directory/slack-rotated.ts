import type { FetchFunction } from "@slack/web-api";
import type { Secret } from "#ports/secret.ts";

/** A token that may be another one at the next call. */
export interface RotatedToken {
  /** Throws `SlackTokenGone`, or why it cannot be known. */
  current(): Promise<Secret>;
  /** Slack refused it, for the reason that it says: the one to try in its place, once; `null`: there is none. */
  after(refused: Secret, why: string): Promise<Secret | null>;
}

/** There is no token, and none will come by itself. */
export class SlackTokenGone extends Error {
  override readonly name = "SlackTokenGone";
  /** As Slack would say it: "token_expired", "not_installed". */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A refusal is short; what people wrote is not read twice for it. */
const REFUSAL_MOST_BYTES = 2_000;

/** Sends each call with the token of its moment. A call that Slack refused for its token did nothing, and is sent again once. */
export function withToken(token: RotatedToken, fetch: FetchFunction): FetchFunction {
  return async (url, init) => {
    const bearing = (secret: Secret) =>
      fetch(url, { ...init, headers: { ...init?.headers, Authorization: `Bearer ${secret.reveal()}` } });
    let first: Secret;
    try {
      first = await token.current();
    } catch (error) {
      if (!(error instanceof SlackTokenGone)) throw error;
      return Response.json({ ok: false, error: error.code });
    }
    const answer = await bearing(first);
    const text = await answer.text();
    const why = text.length > REFUSAL_MOST_BYTES ? null : refusalIn(text);
    const next = why === null ? null : await token.after(first, why);
    if (next !== null) return bearing(next);
    return new Response(text === "" ? null : text, {
      status: answer.status,
      headers: Object.fromEntries(answer.headers.entries()),
    });
  };
}

function refusalIn(text: string): string | null {
  try {
    const { ok, error } = JSON.parse(text) as { ok?: unknown; error?: unknown };
    return ok === false && typeof error === "string" ? error : null;
  } catch {
    return null;
  }
}
