import { z } from "zod";
import type { Secret } from "#ports/secret.ts";
import { TicketUnavailable } from "#ports/ticket.ts";

/** docs: linear.app/developers/oauth-2-0-authentication, linear.app/developers/agents. */
export const SCOPES = ["read", "write", "app:assignable", "app:mentionable"] as const;
const TIMEOUT_MS = 10_000;
/** A token is renewed when a tenth of its life is left, at most a day: nobody waits for a new one then. */
const LEFT = 0.1;
const LEFT_MOST_MS = 24 * 60 * 60_000;

const Answer = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive().optional(),
  scope: z.unknown().optional(),
});

/** What calls go out with. */
export interface LinearToken {
  current(): Promise<string>;
  /** Linear refused this one: the next is another, where another can be had. `false`: it is all there is. */
  refused(token: string): boolean;
}

export const fixedToken = (token: Secret): LinearToken => ({
  current: async () => token.reveal(),
  refused: () => false,
});

/** Asks for a token in the app's own name, and again before it ends. Kept in memory alone: it costs one call. */
export function clientToken(o: {
  readonly apiUrl: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly now?: () => number;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}): LinearToken {
  const now = o.now ?? Date.now;
  let held: { readonly value: string; readonly until: number } | null = null;
  let asking: Promise<string> | null = null;

  async function ask(): Promise<string> {
    let response: Response;
    try {
      response = await fetch(`${o.apiUrl}/oauth/token`, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({
          grant_type: "client_credentials",
          client_id: o.clientId,
          client_secret: o.clientSecret.reveal(),
          scope: SCOPES.join(","),
        }).toString(),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      throw new TicketUnavailable(
        "unreachable",
        `Linear does not answer (${cause instanceof Error ? cause.message : "no reason"})`,
      );
    }
    if (response.status === 429) throw new TicketUnavailable("limited", "Linear limits our calls");
    if (response.status >= 500) throw new TicketUnavailable("unreachable", `Linear answers ${response.status}`);
    if (!response.ok) throw new TicketUnavailable("unauthorised", `Linear gives no token: ${response.status}`);
    const read = Answer.safeParse(await response.json().catch(() => null));
    if (!read.success) throw new TicketUnavailable("unreachable", "Linear's token cannot be read");
    const { access_token, expires_in, scope } = read.data;
    const given = Array.isArray(scope) ? scope.map(String) : typeof scope === "string" ? scope.split(/[\s,]+/) : null;
    const lacks = given === null ? [] : SCOPES.filter((one) => !given.includes(one));
    if (lacks.length > 0)
      o.log("the Linear app lacks scopes: give it those in its settings", { level: "error", lacks });
    const lifeMs = (expires_in ?? 30 * 24 * 60 * 60) * 1_000;
    held = { value: access_token, until: now() + lifeMs - Math.min(lifeMs * LEFT, LEFT_MOST_MS) };
    return access_token;
  }

  return {
    async current() {
      if (held !== null && now() < held.until) return held.value;
      asking ??= ask().finally(() => {
        asking = null;
      });
      return asking;
    },
    refused(token) {
      if (held?.value === token) held = null;
      return true;
    },
  };
}
