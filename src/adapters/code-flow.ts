import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Secret } from "#ports/secret.ts";
import { type SignIn, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";

const TIMEOUT_MS = 10_000;
/** Far above what is answered here. */
const ANSWER_MOST_CHARS = 100_000;

/** RFC 6749, 5.1 and 5.2. GitHub says with status 200 what is wrong too. */
const Exchanged = z.union([
  z.object({
    access_token: z.string().min(1).max(1_000),
    token_type: z.string(),
    refresh_token: z.string().min(1).max(1_000).optional(),
  }),
  z.object({ error: z.string().max(200) }),
]);

/** What a code was good for. In memory alone, for as long as it takes to ask whose it is. */
export interface Tokens {
  readonly access: string;
  /** `null`: the place gave none. */
  readonly refresh: string | null;
}

/** One request of ours to the place, and what it says. Throws `SignInUnavailable`, with neither of the two in it. */
export type Send = (
  /** What was wanted, for the log: "who that is". */
  what: string,
  url: string,
  init: RequestInit,
) => Promise<{ readonly status: number; readonly text: string }>;

export interface CodeFlowOptions {
  /** What the place is called in the log: "GitHub". */
  readonly place: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Where people are sent back to; the settings of the app at the place name it too. */
  readonly redirectUrl: string;
  readonly authorize: {
    readonly url: string;
    /** Beside what the flow itself says. */
    readonly params: Readonly<Record<string, string>>;
  };
  readonly exchange: {
    readonly url: string;
    readonly as: "json" | "form";
    readonly params: Readonly<Record<string, string>>;
  };
  /** Whose the token is. Throws `SignInRefused`, `SignInUnavailable`. */
  readonly whose: (tokens: Tokens, send: Send) => ReturnType<SignIn["finish"]>;
  /** Ends the tokens at the place, whatever `whose` said. Must not throw. */
  readonly end?: (tokens: Tokens, send: Send) => Promise<void>;
  /** A proxy, or a stand-in in tests. */
  readonly fetch?: typeof fetch;
}

/**
 * Who somebody is at a place, by OAuth's authorization code flow with state and PKCE: the attempt's `nonce` is the verifier, so
 * that a code is of no use to another browser. The token that comes of it is asked who it is of, once, and dropped: it is kept
 * nowhere.
 */
export function codeFlow(o: CodeFlowOptions): SignIn {
  const call = o.fetch ?? fetch;

  const send: Send = async (what, url, init) => {
    try {
      const reply = await call(url, {
        ...init,
        // Secrets go to the configured addresses and to no other.
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (reply.status === 429 || reply.status >= 500) {
        await reply.body?.cancel();
        throw new SignInUnavailable(`${o.place} did not say ${what}: it answered ${reply.status}`);
      }
      return { status: reply.status, text: (await reply.text()).slice(0, ANSWER_MOST_CHARS) };
    } catch (cause) {
      if (cause instanceof SignInUnavailable) throw cause;
      throw new SignInUnavailable(`${o.place} did not say ${what}`, { cause });
    }
  };

  async function exchanged(code: string, verifier: string): Promise<Tokens> {
    const fields = {
      ...o.exchange.params,
      client_id: o.clientId,
      client_secret: o.clientSecret.reveal(),
      code,
      redirect_uri: o.redirectUrl,
      code_verifier: verifier,
    };
    const json = o.exchange.as === "json";
    const { text } = await send("whether that code is good", o.exchange.url, {
      method: "POST",
      headers: {
        accept: "application/json",
        "content-type": json ? "application/json" : "application/x-www-form-urlencoded",
        "user-agent": "countersign",
      },
      body: json ? JSON.stringify(fields) : new URLSearchParams(fields).toString(),
    });
    const read = Exchanged.safeParse(jsonOf(text));
    if (!read.success) throw new SignInUnavailable(`${o.place}'s answer to a code cannot be read`);
    if ("error" in read.data) throw new SignInRefused(word(read.data.error));
    return { access: read.data.access_token, refresh: read.data.refresh_token ?? null };
  }

  return {
    async begin() {
      const [state, nonce] = [randomBytes(24).toString("base64url"), randomBytes(48).toString("base64url")];
      const url = new URL(o.authorize.url);
      url.search = new URLSearchParams({
        client_id: o.clientId,
        redirect_uri: o.redirectUrl,
        state,
        code_challenge: createHash("sha256").update(nonce).digest("base64url"),
        code_challenge_method: "S256",
        ...o.authorize.params,
      }).toString();
      return { url: url.href, state, nonce };
    },
    async finish(query, expected) {
      const came = new URLSearchParams(query);
      if (!same(came.get("state") ?? "", expected.state)) throw new SignInRefused("another state");
      const code = came.get("code") ?? "";
      if (code === "" || code.length > 500) throw new SignInRefused(`no code: ${word(came.get("error"))}`);
      const tokens = await exchanged(code, expected.nonce);
      try {
        return await o.whose(tokens, send);
      } finally {
        await o.end?.(tokens, send);
      }
    },
  };
}

/** What an answer says; `undefined`: it is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function same(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The place's own word for what is wrong, if it is one: "bad_verification_code". */
const word = (said: string | null): string => (/^[a-z_]{1,60}$/.test(said ?? "") ? (said ?? "") : "refused");
