import { codeFlow, type Send, type Tokens } from "#adapters/code-flow.ts";
import type { Secret } from "#ports/secret.ts";
import { type SignIn, SignInNoMember, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";
import { TicketUnavailable } from "#ports/ticket.ts";
import { linearWebUrl } from "./addresses.ts";
import { kindOf, whoAmI } from "./tracker.ts";
import { ask } from "./vendor.ts";

/** Longer than any name that Linear takes; what is longer is no answer of Linear's. */
const NAME_MOST = 1_000;
const ID_MOST = 100;

export interface LinearSignInOptions {
  /** "https://api.linear.app", without a slash at the end. */
  readonly apiUrl: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Where Linear sends people back to; the app's settings name it among its callback URLs. */
  readonly redirectUrl: string;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** A proxy, or a stand-in in tests; of the flow's own requests. */
  readonly fetch?: typeof fetch;
}

/**
 * Who somebody is on Linear, as themselves (`actor=user`) and only to be read: linear.app/developers/oauth-2-0-authentication. The
 * account is of the workspace that they chose there, which the caller compares with its own.
 */
export function linearSignIn({ apiUrl, log, ...of }: LinearSignInOptions): SignIn {
  /** A token of Linear's is good for a day, and what renews it for longer: neither is to be good for anything once we know. */
  async function end({ access, refresh }: Tokens, send: Send): Promise<void> {
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const bearer = { headers: { ...form, authorization: `Bearer ${access}` }, body: "" };
    const renewing =
      refresh === null ? [] : [{ headers: form, body: `${new URLSearchParams({ refresh_token: refresh })}` }];
    let ended = false;
    for (const one of [...renewing, bearer]) {
      try {
        const { status } = await send("that a token has ended", `${apiUrl}/oauth/revoke`, { method: "POST", ...one });
        // 400 and 401 after an end: the one before has ended this one as well.
        if (status !== 200 && !(ended && [400, 401].includes(status)))
          throw new SignInUnavailable(`Linear answered ${status}`);
        ended = true;
      } catch (error) {
        if (!(error instanceof SignInUnavailable)) throw error;
        log("a person's token of Linear could not be ended: it is kept nowhere", { error: error.message });
      }
    }
  }

  return codeFlow({
    ...of,
    place: "Linear",
    authorize: {
      url: `${linearWebUrl(apiUrl)}/oauth/authorize`,
      // "consent": whoever is in several workspaces is asked which.
      params: { response_type: "code", scope: "read", actor: "user", prompt: "consent" },
    },
    exchange: { url: `${apiUrl}/oauth/token`, as: "form", params: { grant_type: "authorization_code" } },
    async whose({ access }) {
      const { viewer, organization } = await asked(() =>
        whoAmI((query, variables) => ask({ url: `${apiUrl}/graphql`, token: access, query, variables })),
      );
      const kind = kindOf(viewer);
      if (kind !== "member") throw new SignInNoMember(`it is a ${kind}`);
      const { id, name } = viewer;
      if (id.length > ID_MOST || name.length > NAME_MOST || organization.id.length > ID_MOST)
        throw new SignInUnavailable("Linear's answer about who that is cannot be read");
      return { provider: "linear", workspace: organization.id, id, name };
    },
    end,
  });
}

/** In the sign-in's words. What Linear does not do for the person's own token is refused, all else may work later. */
async function asked<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (!(cause instanceof TicketUnavailable)) throw cause;
    if (cause.code === "unauthorised" || cause.code === "refused")
      throw new SignInRefused("the token is not good", { cause });
    throw new SignInUnavailable(`Linear did not say who that is: ${cause.message}`, { cause });
  }
}
