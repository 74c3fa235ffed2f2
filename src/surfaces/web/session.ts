import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import { parse } from "hono/utils/cookie";
import type { Account, Directory } from "#ports/directory.ts";
import type { SessionStore } from "#runs/stores.ts";

/** A working day; who left the workspace is out at the next page all the same. */
const SESSION_MS = 12 * 3_600_000;

/** Browsers that are signed in. The cookie is opaque; sign-outs and restarts are the store's matter. */
export interface WebSessions {
  /** Of a member who is one now; `null`: signed out, over, or no member any more. Throws `DirectoryUnavailable`. */
  visitor(request: Request): Promise<Account | null>;
  /** Signs this browser in, whoever it was before. */
  begin(c: Context, account: Account): Promise<void>;
  end(c: Context): Promise<void>;
  /** For a form of this browser's pages that does `act` and nothing else. */
  formToken(request: Request, act: string): string;
  isFormOf(request: Request, act: string, given: unknown): boolean;
}

/** `https`: whether people open us so; then the cookie is for that alone, and for this host name alone. */
export function webSessions(o: {
  readonly store: SessionStore;
  readonly directory: Pick<Directory, "account">;
  readonly https: boolean;
}): WebSessions {
  const name = `${o.https ? "__Host-" : ""}countersign_session`;
  const cookie = { path: "/", httpOnly: true, secure: o.https, sameSite: "Lax" } as const;
  const held = (request: Request): string | null => {
    const value = parse(request.headers.get("cookie") ?? "", name)[name] ?? "";
    return /^[A-Za-z0-9_-]{43}$/.test(value) ? value : null;
  };
  const formToken = (request: Request, act: string): string =>
    createHmac("sha256", held(request) ?? "")
      .update(`form:${act}`)
      .digest("base64url");

  return {
    formToken,
    isFormOf(request, act, given) {
      if (typeof given !== "string" || held(request) === null) return false;
      const [a, b] = [Buffer.from(formToken(request, act)), Buffer.from(given)];
      return a.length === b.length && timingSafeEqual(a, b);
    },
    async visitor(request) {
      const value = held(request);
      const id = value === null ? null : await o.store.account(digestOf(value));
      if (id === null) return null;
      const account = await o.directory.account(id);
      return account?.kind === "member" ? account : null;
    },
    async begin(c, account) {
      const before = held(c.req.raw);
      if (before !== null) await o.store.end(digestOf(before));
      // Made here and now: what a browser brought along is never made a session.
      const value = randomBytes(32).toString("base64url");
      await o.store.open({ digest: digestOf(value), account, ttlMs: SESSION_MS });
      setCookie(c, name, value, { ...cookie, maxAge: SESSION_MS / 1_000 });
    },
    async end(c) {
      const value = held(c.req.raw);
      if (value !== null) await o.store.end(digestOf(value));
      deleteCookie(c, name, cookie);
    },
  };
}

/** What the store keeps: who reads it cannot sign in with it. */
const digestOf = (value: string): string => createHash("sha256").update(`session:${value}`).digest("base64url");
