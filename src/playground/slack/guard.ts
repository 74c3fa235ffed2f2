import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { html } from "hono/html";
import { START_COOKIE, TOKEN_HEADER } from "./paths.ts";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

const hostname = (host: string) => host.replace(/:\d+$/, "");

interface NodeEnv {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
}

/** Why a request is not from this machine's own pages and scripts, or null. */
function foreign(c: Context): string | null {
  const remote = (c.env as NodeEnv | undefined)?.incoming?.socket?.remoteAddress;
  if (remote !== undefined && !/^(::ffff:)?127\.|^::1$/.test(remote)) return `it came from ${remote}`;
  const url = new URL(c.req.url);
  const host = c.req.header("host") ?? url.host;
  // A page of another site can make its own name point at us; the name it uses gives it away.
  if (!LOOPBACK.has(hostname(host)) || !LOOPBACK.has(url.hostname)) return `its Host is "${host}"`;
  const origin = c.req.header("origin");
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
    return `its Origin is "${origin}"`;
  return null;
}

/** Answers only this machine: a loopback address, a loopback Host, and no other site's Origin. */
export const loopbackOnly: MiddlewareHandler = async (c, next) => {
  const why = foreign(c);
  if (why === null) return next();
  return c.json({ ok: false, error: `Refused: ${why}. The playground answers http://127.0.0.1 only.` }, 403);
};

/** The cookie's value. Not the token itself, so that a leaked cookie does not open the control API's header door. */
function startCookie(token: string): string {
  return createHash("sha256").update(`cookie:${token}`).digest("base64url");
}

function same(given: string | undefined, expected: string): boolean {
  if (given === undefined) return false;
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Asks for the start token: `?token=` or the header, or the cookie that the first visit with `?token=` leaves behind.
 * A page is sent on to its address without the token. `as` chooses how a refusal reads.
 */
function startToken(token: string, as: "page" | "json"): MiddlewareHandler {
  const cookie = startCookie(token);
  return async (c, next) => {
    const query = c.req.query("token");
    if (same(query, token) && as === "page") {
      setCookie(c, START_COOKIE, cookie, { httpOnly: true, sameSite: "Strict", path: "/" });
      const url = new URL(c.req.url);
      url.searchParams.delete("token");
      return c.redirect(`${url.pathname}${url.search}`, 303);
    }
    const mayEnter =
      same(query, token) || same(c.req.header(TOKEN_HEADER), token) || same(getCookie(c, START_COOKIE), cookie);
    if (mayEnter) return next();
    if (as === "json") {
      return c.json(
        { ok: false, error: `Send the start token that "npm start" printed: header ${TOKEN_HEADER} or ?token=.` },
        401,
      );
    }
    return c.html(needsToken(), 401);
  };
}

/** Both at once, for other local pages that want the same visitors. */
export function localGate(token: string, as: "page" | "json"): readonly [MiddlewareHandler, MiddlewareHandler] {
  return [loopbackOnly, startToken(token, as)];
}

const needsToken = () => html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Start token needed</title><style>
:root{color-scheme:light dark}body{margin:0;min-height:100vh;display:grid;place-items:center;background:#fbfaf7;color:#1d1c1a;font:16px/1.5 system-ui,sans-serif}
@media(prefers-color-scheme:dark){body{background:#161513;color:#ece9e2}}main{max-width:34rem;padding:2rem}h1{font-size:1.4rem;margin:0 0 .5rem}code{font-family:ui-monospace,monospace}
</style></head><body><main><h1>This page needs its start token.</h1>
<p>Open the address that <code>npm start</code> printed. It ends in <code>?token=</code> and a long word, and is needed once per browser.</p></main></body></html>`;
