import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Secret } from "#ports/secret.ts";
import { type SignIn, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";
import { webUrlOf } from "./addresses.ts";

const TIMEOUT_MS = 10_000;
/** Far above what GitHub answers here. */
const ANSWER_MOST_CHARS = 100_000;

/** docs.github.com, "Generating a user access token for a GitHub App"; what is wrong comes with status 200 too. */
const Exchanged = z.union([
  z.object({ access_token: z.string().min(1).max(1_000), token_type: z.string() }),
  z.object({ error: z.string().max(200) }),
]);

/** https://docs.github.com/rest/users/users#get-the-authenticated-user */
const User = z.object({
  id: z.int().positive(),
  login: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,98}$/),
  type: z.string(),
});

export interface GithubSignInOptions {
  /** "https://api.github.com", without a slash at the end. */
  readonly apiUrl: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Where GitHub sends people back to; the App's settings name it too. */
  readonly redirectUrl: string;
  /** A proxy, or a stand-in in tests. */
  readonly fetch?: typeof fetch;
}

/** The names of GitHub accounts' place: ids of two servers are not the same. */
export const githubWorkspace = (apiUrl: string): string => new URL(webUrlOf(apiUrl)).host;

/**
 * Who somebody is on GitHub, by the App's web flow with state and PKCE: the attempt's `nonce` is the verifier, so that a code is
 * of no use to another browser. The token that comes of it is asked who it is of, once, and dropped: it is kept nowhere.
 */
export function githubSignIn(o: GithubSignInOptions): SignIn {
  const web = webUrlOf(o.apiUrl);
  const call = o.fetch ?? fetch;

  /** What GitHub says to a request of ours, as JSON. Neither the request nor the answer is in what is thrown. */
  async function asked(what: string, url: string, init: RequestInit): Promise<{ status: number; body: unknown }> {
    try {
      const reply = await call(url, {
        ...init,
        // Secrets go to the configured addresses and to no other.
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (reply.status === 429 || reply.status >= 500) {
        await reply.body?.cancel();
        throw new SignInUnavailable(`GitHub did not say ${what}: it answered ${reply.status}`);
      }
      const text = await reply.text();
      return { status: reply.status, body: JSON.parse(text.slice(0, ANSWER_MOST_CHARS)) };
    } catch (cause) {
      if (cause instanceof SignInUnavailable) throw cause;
      throw new SignInUnavailable(`GitHub did not say ${what}`, { cause });
    }
  }

  return {
    async begin() {
      const [state, nonce] = [randomBytes(24).toString("base64url"), randomBytes(48).toString("base64url")];
      const url = new URL(`${web}/login/oauth/authorize`);
      url.search = new URLSearchParams({
        client_id: o.clientId,
        redirect_uri: o.redirectUrl,
        state,
        code_challenge: createHash("sha256").update(nonce).digest("base64url"),
        code_challenge_method: "S256",
        allow_signup: "false",
      }).toString();
      return { url: url.href, state, nonce };
    },
    async finish(query, expected) {
      const came = new URLSearchParams(query);
      if (!same(came.get("state") ?? "", expected.state)) throw new SignInRefused("another state");
      const code = came.get("code") ?? "";
      if (code === "" || code.length > 500) throw new SignInRefused(`no code: ${word(came.get("error"))}`);
      const { body } = await asked("whether that code is good", `${web}/login/oauth/access_token`, {
        method: "POST",
        headers: { accept: "application/json", "content-type": "application/json", "user-agent": "countersign" },
        body: JSON.stringify({
          client_id: o.clientId,
          client_secret: o.clientSecret.reveal(),
          code,
          redirect_uri: o.redirectUrl,
          code_verifier: expected.nonce,
        }),
      });
      const exchanged = Exchanged.safeParse(body);
      if (!exchanged.success) throw new SignInUnavailable("GitHub's answer to a code cannot be read");
      if ("error" in exchanged.data) throw new SignInRefused(word(exchanged.data.error));
      const { status, body: whose } = await asked("who that is", `${o.apiUrl}/user`, {
        headers: {
          accept: "application/vnd.github+json",
          "x-github-api-version": "2022-11-28",
          "user-agent": "countersign",
          authorization: `Bearer ${exchanged.data.access_token}`,
        },
      });
      if (status === 401 || status === 403) throw new SignInRefused("the token is not good");
      const user = User.safeParse(whose);
      if (status !== 200 || !user.success)
        throw new SignInUnavailable("GitHub's answer about who that is cannot be read");
      if (user.data.type !== "User") throw new SignInRefused("it is no person");
      const { id, login } = user.data;
      return { provider: "github", workspace: githubWorkspace(o.apiUrl), id: String(id), name: login };
    },
  };
}

function same(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** GitHub's own word for what is wrong, if it is one: "bad_verification_code". */
const word = (said: string | null): string => (/^[a-z_]{1,60}$/.test(said ?? "") ? (said ?? "") : "refused");
