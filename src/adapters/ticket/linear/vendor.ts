import { LinearError, LinearErrorType, LinearGraphQLClient, RatelimitedLinearError } from "@linear/sdk";
import { LinearWebhookClient } from "@linear/sdk/webhooks";
import type { Secret } from "#ports/secret.ts";
import { TicketUnavailable } from "#ports/ticket.ts";

/** The only file that names Linear's SDK. */

const TIMEOUT_MS = 10_000;
/** A limit without a time to wait, and one that is unbelievable. */
const LIMITED_MS = 30_000;
const LIMITED_MOST_MS = 60 * 60_000;

/** Not now or never again, in the port's words. What we sent is in the SDK's error, and stays out of ours. */
export function failureOf(error: unknown, now = Date.now()): TicketUnavailable {
  if (error instanceof TicketUnavailable) return error;
  if (!(error instanceof LinearError)) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return new TicketUnavailable(
      "unreachable",
      `Linear does not answer (${error instanceof Error ? error.message : String(error)}${cause})`,
    );
  }
  const { type, status, message } = error;
  const code = error.raw?.response?.errors?.[0]?.extensions as { readonly code?: unknown } | undefined;
  if (error instanceof RatelimitedLinearError || code?.code === "RATELIMITED" || status === 429) {
    const retryAfterMs = error instanceof RatelimitedLinearError ? waitOf(error, now) : LIMITED_MS;
    return new TicketUnavailable("limited", "Linear limits our calls", { retryAfterMs });
  }
  if (status === 401 || type === LinearErrorType.AuthenticationError)
    return new TicketUnavailable("unauthorised", message);
  if (type !== undefined && REFUSED.includes(type)) return new TicketUnavailable("refused", message);
  return new TicketUnavailable("unreachable", message);
}

const REFUSED: readonly LinearErrorType[] = [
  LinearErrorType.FeatureNotAccessible,
  LinearErrorType.InvalidInput,
  LinearErrorType.Forbidden,
  LinearErrorType.UserError,
  LinearErrorType.GraphqlError,
  LinearErrorType.UsageLimitExceeded,
];

/** Until the budget that is spent, of requests or of complexity, is there again: linear.app/developers/rate-limiting. */
function waitOf(error: RatelimitedLinearError, now: number): number {
  if (error.retryAfter !== undefined) return Math.min(LIMITED_MOST_MS, error.retryAfter * 1_000);
  const spent = [
    ...(error.requestsRemaining === 0 ? [error.requestsResetAt] : []),
    ...(error.complexityRemaining === 0 ? [error.complexityResetAt] : []),
  ].flatMap((at) => (at === undefined ? [] : [at - now]));
  return spent.length === 0 ? LIMITED_MS : Math.min(LIMITED_MOST_MS, Math.max(1_000, ...spent));
}

/** One call. Throws `TicketUnavailable`. */
export async function ask(o: {
  readonly url: string;
  readonly token: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}): Promise<unknown> {
  const client = new LinearGraphQLClient(o.url, {
    headers: { authorization: `Bearer ${o.token}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  try {
    return (await client.rawRequest<unknown, Record<string, unknown>>(o.query, { ...o.variables })).data;
  } catch (error) {
    throw failureOf(error);
  }
}

/** Takes a body as Linear signed it, with a time in it of at most a minute ago: what it says, or `null`. */
export function linearVerifier(secret: Secret): (raw: Uint8Array, signature: string) => unknown {
  const client = new LinearWebhookClient(secret.reveal());
  return (raw, signature) => {
    const bytes = Buffer.from(raw);
    try {
      // The signature first: nothing of what anybody sends is read before that.
      return client.verify(bytes, signature) ? JSON.parse(bytes.toString("utf8")) : null;
    } catch {
      return null;
    }
  };
}
