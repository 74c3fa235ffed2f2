import type * as OpenidClient from "openid-client";
import { z } from "zod";
import type { Secret } from "#ports/secret.ts";
import { type SignIn, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";

const TIMEOUT_S = 10;
/** Clocks differ; Slack's word is good for five minutes. */
const CLOCK_S = 60;
/** "profile" says no more than a name and a picture, which we do not read. */
const SCOPE = "openid profile";

/** What we read of an id token: https://docs.slack.dev/reference/methods/openid.connect.token */
const Claims = z.object({
  "https://slack.com/team_id": z.string().regex(/^[TE][A-Z0-9]{1,20}$/),
  "https://slack.com/user_id": z.string().regex(/^[UW][A-Z0-9]{1,20}$/),
});

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;

export interface SlackSignInOptions {
  /** "https://slack.com", without a slash at the end. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Where Slack sends people back to; the app's settings name it too. */
  readonly redirectUrl: string;
  /** The workspace whose people are meant; Slack asks for its sign-in first. `null`: of several. Who comes back is said, not decided, here. */
  readonly workspace: string | null;
}

/**
 * Sign in with Slack: OpenID Connect's authorization code flow, with state and nonce. Without PKCE: Slack answers
 * `internal_error` to a verifier beside the client's secret (paradigmxyz/centaur#1101), and does not offer it in its
 * discovery document; the nonce already ties the code to the browser's attempt.
 */
export function slackSignIn(o: SlackSignInOptions): SignIn {
  let found: Promise<{ openid: typeof OpenidClient; config: OpenidClient.Configuration }> | null = null;

  /** Loaded and asked for at the first sign-in: most starts need none of it. A failure is not remembered. */
  function provider() {
    found ??= discover(o).catch((cause: unknown) => {
      found = null;
      throw new SignInUnavailable(`${o.issuer} does not say how to sign in: ${words(cause)}`, { cause });
    });
    return found;
  }

  return {
    async begin() {
      const { openid, config } = await provider();
      const [state, nonce] = [openid.randomState(), openid.randomNonce()];
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: o.redirectUrl,
        scope: SCOPE,
        state,
        nonce,
        ...(o.workspace === null ? {} : { team: o.workspace }),
      });
      return { url: url.href, state, nonce };
    },
    async finish(query, expected) {
      const { openid, config } = await provider();
      let claims: unknown;
      try {
        const tokens = await openid.authorizationCodeGrant(config, new URL(`${o.redirectUrl}${query}`), {
          expectedState: expected.state,
          expectedNonce: expected.nonce,
          idTokenExpected: true,
        });
        claims = tokens.claims();
      } catch (cause) {
        if (isAway(cause)) throw new SignInUnavailable(`${o.issuer} does not answer: ${words(cause)}`, { cause });
        throw new SignInRefused(words(cause), { cause });
      }
      const who = Claims.safeParse(claims);
      if (!who.success) throw new SignInRefused("the id token names no person of a workspace", { cause: who.error });
      return {
        provider: "slack",
        workspace: who.data["https://slack.com/team_id"],
        id: who.data["https://slack.com/user_id"],
      };
    },
  };
}

async function discover(o: SlackSignInOptions) {
  const openid = await import("openid-client");
  const issuer = new URL(o.issuer);
  const plain = issuer.protocol === "http:" && LOOPBACK.test(issuer.hostname);
  const config = await openid.discovery(
    issuer,
    o.clientId,
    { [openid.clockTolerance]: CLOCK_S },
    openid.ClientSecretPost(o.clientSecret.reveal()),
    {
      timeout: TIMEOUT_S,
      // The signature is looked at too, although the token comes over TLS from Slack itself.
      execute: [openid.enableNonRepudiationChecks, ...(plain ? [openid.allowInsecureRequests] : [])],
    },
  );
  return { openid, config };
}

/** Nobody answered, or what answered is not well: another try may work, and the person did nothing wrong. */
function isAway(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === "TimeoutError" || cause.name === "AbortError") return true;
    if (cause instanceof TypeError && cause.message === "fetch failed") return true;
    if ("cause" in cause && cause.cause instanceof Response && cause.cause.status >= 429) return true;
  }
  return false;
}

/** Codes and the names of claims, never their values or a token. */
function words(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? `${error.code}: ` : "";
  return `${code}${error.message}`;
}
