import { setTimeout as pause } from "node:timers/promises";
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

/** Replicas end each other's token by asking for their own: a call that meets two of those in a row has a third to go with. */
const TOKENS_MOST = 3;
const APART_MS = 500;

export function linearAccess({ access, webhookSecret, apiUrl, log }: LinearAccessOptions): LinearAccess {
  const token = "token" in access ? fixedToken(access.token) : clientToken({ ...access, apiUrl, log });
  const send: Ask = async (query, variables) => {
    const url = `${apiUrl}/graphql`;
    for (let asked = 1; ; asked += 1) {
      const used = await token.current();
      try {
        return await ask({ url, token: used, query, variables });
      } catch (error) {
        const ended = error instanceof TicketUnavailable && error.code === "unauthorised";
        if (!ended || !token.refused(used) || asked === TOKENS_MOST) throw error;
        // Its time was up, somebody rotated the secret, or another replica has asked: an app has one such token alive.
        if (asked > 1) await pause(Math.random() * APART_MS);
      }
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
