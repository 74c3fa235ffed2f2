import type { Secret } from "#ports/secret.ts";
import { type TicketTracker, TicketUnavailable } from "#ports/ticket.ts";
import { clientToken, fixedToken } from "./token.ts";
import { type Ask, linearTracker, whoAmI } from "./tracker.ts";
import { ask, linearVerifier } from "./vendor.ts";

/** Everything that needs the app's secrets, with the secrets inside. */
export interface LinearAccess {
  readonly tracker: TicketTracker;
  /** What a webhook's body says when Linear signed it just now; `null` otherwise. */
  readonly verify: (raw: Uint8Array, signature: string) => unknown;
  /** Throws `TicketUnavailable`. */
  identity(): Promise<{
    readonly organization: { readonly id: string; readonly name: string };
    readonly user: { readonly id: string; readonly name: string };
    readonly isApp: boolean;
  }>;
}

export interface LinearAccessOptions {
  readonly access: { readonly token: Secret } | { readonly clientId: string; readonly clientSecret: Secret };
  readonly webhookSecret: Secret;
  /** Without a slash at the end. */
  readonly apiUrl: string;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

export function linearAccess({ access, webhookSecret, apiUrl, log }: LinearAccessOptions): LinearAccess {
  const token = "token" in access ? fixedToken(access.token) : clientToken({ ...access, apiUrl, log });
  const send: Ask = async (query, variables) => {
    const url = `${apiUrl}/graphql`;
    const used = await token.current();
    try {
      return await ask({ url, token: used, query, variables });
    } catch (error) {
      const ended = error instanceof TicketUnavailable && error.code === "unauthorised";
      if (!ended || !token.refused(used)) throw error;
      // Its time was up, or somebody rotated the secret: one new one, and then it is what it is.
      return ask({ url, token: await token.current(), query, variables });
    }
  };
  return {
    tracker: linearTracker(send),
    verify: linearVerifier(webhookSecret),
    async identity() {
      const { viewer, organization } = await whoAmI(send);
      return { organization, user: { id: viewer.id, name: viewer.name }, isApp: viewer.app };
    },
  };
}
