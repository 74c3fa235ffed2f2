import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { LinearUser } from "./payloads.ts";

const LIFE_SEC = 86_399;

/** A code or a pair of tokens that one yes of a person's gave. */
interface Consent {
  readonly who: LinearUser;
  readonly challenge: string;
  readonly redirect: string;
}

interface Reply {
  readonly status: number;
  readonly data: unknown;
  readonly location?: string;
}

/**
 * Linear's authorization code flow for people, with PKCE and refresh tokens, as linear.app/developers/oauth-2-0-authentication has
 * it: where they say yes, the exchange, and the end of what came of it. `problems`: what Linear would have had against a request.
 */
export function oauthDouble(o: {
  readonly apiUrl: string;
  readonly client: { readonly id: string; readonly secret: string };
  readonly callbacks: () => readonly string[];
  readonly userOf: (name: string) => LinearUser;
  /** Whose each token is; what works at the API. */
  readonly tokens: Map<string, LinearUser>;
  readonly problems: string[];
}) {
  const { client, tokens, problems } = o;
  const codes = new Map<string, Consent>();
  /** By the one that renews it. */
  const pairs = new Map<string, string>();
  const given: string[] = [];
  let away = false;
  let keeps = false;

  const text = () => randomBytes(24).toString("hex");
  const formOf = (request: IncomingMessage, body: string) => {
    if (request.headers["content-type"] !== "application/x-www-form-urlencoded")
      problems.push(`POST ${request.url}: not a form`);
    return new URLSearchParams(body);
  };

  /** The page where a person who is signed in, as their cookie says, answers. */
  function authorize(request: IncomingMessage, at: URL): Reply {
    const query = at.searchParams;
    const redirect = query.get("redirect_uri") ?? "";
    const wrong = [
      request.method === "GET" ? [] : ["not a page"],
      query.get("client_id") === client.id ? [] : ["another app"],
      query.get("response_type") === "code" ? [] : ["no code is asked for"],
      query.get("scope") === "read" ? [] : ["more than to read"],
      query.get("actor") === "user" ? [] : ["not as a person"],
      o.callbacks().includes(redirect) ? [] : ["an address that the app's settings do not name"],
      query.get("code_challenge_method") === "S256" ? [] : ["no PKCE"],
      /^[\w-]{43}$/.test(query.get("code_challenge") ?? "") ? [] : ["no challenge"],
      (query.get("state") ?? "").length >= 20 ? [] : ["no state"],
    ].flat();
    problems.push(...wrong.map((what) => `GET ${at.pathname}: ${what}`));
    if (wrong.length > 0)
      return { status: 400, data: { error: "invalid_request", error_description: wrong.join(", ") } };
    const [, name, answer] = /^person=([^;]+); answer=(yes|no)$/.exec(request.headers.cookie ?? "") ?? [];
    if (name === undefined) return { status: 401, data: { error: "Sign in to Linear" } };
    const back = new URL(redirect);
    back.searchParams.set("state", query.get("state") ?? "");
    if (answer === "no") back.searchParams.set("error", "access_denied");
    else {
      const code = text();
      const challenge = query.get("code_challenge") ?? "";
      codes.set(code, { who: o.userOf(decodeURIComponent(name)), challenge, redirect });
      back.searchParams.set("code", code);
    }
    return { status: 302, data: {}, location: back.href };
  }

  function exchange(request: IncomingMessage, body: string): Reply {
    const form = formOf(request, body);
    const refuse = (status: number, error: string) => ({ status, data: { error, error_description: "It is not." } });
    if (form.get("grant_type") !== "authorization_code") return refuse(400, "unsupported_grant_type");
    if (form.get("client_id") !== client.id || form.get("client_secret") !== client.secret)
      return refuse(401, "invalid_client");
    const code = form.get("code") ?? "";
    const known = codes.get(code);
    codes.delete(code);
    const verifier = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    if (known === undefined || known.challenge !== verifier || known.redirect !== form.get("redirect_uri"))
      return refuse(400, "invalid_grant");
    const [access, refresh] = [text(), text()];
    tokens.set(access, known.who);
    pairs.set(refresh, access);
    given.push(access, refresh);
    const life = { token_type: "Bearer", expires_in: LIFE_SEC, scope: "read" };
    return { status: 200, data: { access_token: access, refresh_token: refresh, ...life } };
  }

  /** Either of a pair ends both. */
  function revoke(request: IncomingMessage, body: string): Reply {
    if (keeps) return { status: 503, data: {} };
    const form = formOf(request, body);
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const renewing = form.get("refresh_token");
    const access = (renewing === null ? bearer : pairs.get(renewing)) ?? "";
    if (!given.includes(renewing ?? access)) return { status: 401, data: { error: "It is nobody's" } };
    const was = tokens.delete(access);
    for (const [refresh, of] of pairs) if (of === access) pairs.delete(refresh);
    return was ? { status: 200, data: { success: true } } : { status: 400, data: { error: "It has ended already" } };
  }

  /** What the person's browser is sent to, once they have answered at that address. */
  async function answered(url: string, name: string, answer: "yes" | "no"): Promise<string> {
    const cookie = `person=${encodeURIComponent(name)}; answer=${answer}`;
    const reply = await fetch(url, { headers: { cookie }, redirect: "manual" });
    const location = reply.headers.get("location");
    if (location === null) throw new Error(`Linear says ${reply.status}: ${await reply.text()}`);
    return location;
  }

  return {
    /** While set, nobody answers there. */
    cut(is: boolean) {
      away = is;
    },
    /** While set, nothing can be ended. */
    keep(is: boolean) {
      keeps = is;
    },
    consent: (url: string, name: string) => answered(url, name, "yes"),
    decline: (url: string, name: string) => answered(url, name, "no"),
    /** Everything that was ever given to anybody, and how much of it still works. */
    given: given as readonly string[],
    alive: (): number => given.filter((one) => tokens.has(one) || pairs.has(one)).length,
    answer(request: IncomingMessage, response: ServerResponse, body: string): void {
      if (away) {
        request.socket.destroy();
        return;
      }
      const at = new URL(request.url ?? "/", o.apiUrl);
      const pages: Readonly<Record<string, () => Reply>> = {
        "/oauth/authorize": () => authorize(request, at),
        "/oauth/token": () => exchange(request, body),
        "/oauth/revoke": () => revoke(request, body),
      };
      const { status, data, location } = pages[at.pathname]?.() ?? { status: 404, data: {} };
      const headers = { "content-type": "application/json; charset=utf-8", ...(location && { location }) };
      response.writeHead(status, headers).end(JSON.stringify(data));
    },
  };
}
