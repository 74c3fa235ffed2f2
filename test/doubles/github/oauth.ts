import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

/** What GitHub gives an App of its own, for people to sign in through it. */
export const OAUTH_APP = { client_id: "Iv23.double", client_secret: "double-client-secret" } as const;

export interface Octocat {
  readonly id: number;
  readonly login: string;
  readonly type?: string;
}

/**
 * GitHub's web flow for user access tokens (docs.github.com, "Generating a user access token for a GitHub App"), with PKCE
 * held to what was announced. `problems`: what GitHub would have had against a request.
 */
export function oauthDouble(problems: string[]) {
  const codes = new Map<string, { who: Octocat; challenge: string; redirect: string }>();
  const tokens = new Map<string, Octocat>();
  let away = false;

  function exchanged(given: Readonly<Record<string, string>>): object {
    if (given.client_id !== OAUTH_APP.client_id || given.client_secret !== OAUTH_APP.client_secret)
      return {
        error: "incorrect_client_credentials",
        error_description: "The client_id and/or client_secret is wrong.",
      };
    const known = codes.get(given.code ?? "");
    codes.delete(given.code ?? "");
    const verifier = createHash("sha256")
      .update(given.code_verifier ?? "")
      .digest("base64url");
    if (known === undefined || known.challenge !== verifier)
      return { error: "bad_verification_code", error_description: "The code passed is incorrect or expired." };
    if (known.redirect !== given.redirect_uri)
      return { error: "redirect_uri_mismatch", error_description: "It differs." };
    const token = `ghu_${randomBytes(18).toString("hex")}`;
    tokens.set(token, known.who);
    return { access_token: token, expires_in: 28_800, scope: "", token_type: "bearer" };
  }

  const asked = (url: string) => {
    const query = new URL(url).searchParams;
    const wrong = [
      new URL(url).pathname === "/login/oauth/authorize" ? [] : ["another page"],
      query.get("client_id") === OAUTH_APP.client_id ? [] : ["another App"],
      query.get("code_challenge_method") === "S256" ? [] : ["no PKCE"],
      /^[\w-]{43}$/.test(query.get("code_challenge") ?? "") ? [] : ["no challenge"],
      (query.get("state") ?? "").length >= 20 ? [] : ["no state"],
    ].flat();
    problems.push(...wrong.map((what) => `GET ${url}: ${what}`));
    return query;
  };

  return {
    /** While set, nobody answers there. */
    cut(is: boolean) {
      away = is;
    },
    /** This person says yes at the address; the address that their browser is sent to. */
    consent(url: string, who: Octocat): string {
      const query = asked(url);
      const [code, redirect] = [randomBytes(10).toString("hex"), query.get("redirect_uri") ?? ""];
      codes.set(code, { who, challenge: query.get("code_challenge") ?? "", redirect });
      return `${redirect}?${new URLSearchParams({ code, state: query.get("state") ?? "" })}`;
    },
    /** The same of a person who says no. */
    decline(url: string): string {
      const query = asked(url);
      return `${query.get("redirect_uri")}?${new URLSearchParams({ error: "access_denied", state: query.get("state") ?? "" })}`;
    },
    /** What of a user's token can be asked here: who they are. */
    api(method: string, target: string, token: string): { status: number; data: unknown } {
      const who = tokens.get(token);
      if (method !== "GET" || target !== "/user") problems.push(`${method} ${target}: with a person's token`);
      if (who === undefined) return { status: 401, data: { message: "Bad credentials" } };
      return { status: 200, data: { type: "User", name: null, ...who } };
    },
    async pages(request: IncomingMessage, response: ServerResponse, at: URL, body: Buffer): Promise<void> {
      if (away) return void request.socket.destroy();
      if (request.method !== "POST" || at.pathname !== "/login/oauth/access_token") {
        response.writeHead(404).end();
        return;
      }
      if (request.headers.accept !== "application/json") problems.push("POST access_token: without accept");
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(exchanged(JSON.parse(body.toString("utf8")) as Record<string, string>)));
    },
  };
}
