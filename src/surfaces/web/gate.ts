import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { DirectoryUnavailable } from "#ports/directory.ts";
import { PAGE_HEADERS, renderNote } from "./frame.ts";

const COOKIE = "countersign_pages";
const COOKIE_DAYS = 90;
const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

/**
 * Answers under our own name and this machine's alone: a page of another site can make its own name point at us, and the
 * name it uses gives it away. `baseUrl`: where people open us.
 */
export function ownName(baseUrl: string): MiddlewareHandler {
  const home = new URL(baseUrl);
  return async (c, next) => {
    const host = c.req.header("host") ?? "";
    if (host === home.host || LOOPBACK.test(host)) return next();
    const words = `This was opened as "${host}". Countersign answers as ${home.host}; PUBLIC_URL names another address.`;
    return c.body(renderNote({ title: "Not at this address", words: [words] }), 403, PAGE_HEADERS);
  };
}

const NOBODY_SAYS = {
  title: "Slack does not answer",
  words: ["Who you are is asked of Slack, and it does not answer right now. Nothing is shown until it does."],
};

/**
 * Who opens a page, else the page that says how to show it. `why`: why it is not for everybody. `signIn`: where a person goes who
 * is not signed in, from a path; `null` when the way in is the link printed at the start.
 */
export async function visitorOr<V extends object | string>(
  c: Context,
  o: {
    readonly visitor: (request: Request) => Promise<V | null>;
    readonly why: string;
    readonly signIn: ((path: string) => { text: string; href: string }) | null;
  },
): Promise<V | Response> {
  let visitor: V | null;
  try {
    visitor = await o.visitor(c.req.raw);
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    return c.body(renderNote(NOBODY_SAYS), 503, PAGE_HEADERS);
  }
  if (visitor !== null) return visitor;
  const open = "Open the link that was printed where Countersign was started. This page opens after that.";
  const page =
    o.signIn === null
      ? renderNote({ title: "This page needs the start link", words: [o.why, open] })
      : renderNote({ title: "Sign in to see this page", words: [o.why], action: o.signIn(c.req.path) });
  return c.body(page, 401, PAGE_HEADERS);
}

/**
 * Lets in who has opened the printed start link once in this browser, under our own name or this machine's. For pages
 * beside a real workspace; whatever may act as somebody else asks for more. `baseUrl`: where people open us.
 */
export function startGate(o: { token: string; baseUrl: string }): readonly [MiddlewareHandler, MiddlewareHandler] {
  const home = new URL(o.baseUrl);
  // Not the token itself: a cookie that leaks does not become a link.
  const kept = createHash("sha256").update(`pages:${o.token}`).digest("base64url");

  const startToken: MiddlewareHandler = async (c, next) => {
    if (c.req.method === "GET" && same(c.req.query("token"), o.token)) {
      setCookie(c, COOKIE, kept, {
        httpOnly: true,
        // On this machine the address is plain http.
        secure: home.protocol === "https:" && c.req.header("host") === home.host,
        // Not "Strict": that would ask again of everybody who follows a link in the workspace.
        sameSite: "Lax",
        path: "/",
        maxAge: COOKIE_DAYS * 86_400,
      });
      const url = new URL(c.req.url);
      url.searchParams.delete("token");
      return c.redirect(`${url.pathname}${url.search}`, 303);
    }
    if (same(getCookie(c, COOKIE), kept)) return next();
    const words = ["Open the link that was printed where Countersign was started, once in this browser."];
    return c.body(renderNote({ title: "This page needs the start link", words }), 401, PAGE_HEADERS);
  };

  return [ownName(o.baseUrl), startToken];
}

function same(given: string | undefined, expected: string): boolean {
  if (given === undefined) return false;
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
