import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { csrf } from "hono/csrf";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { type Account, type Directory, DirectoryUnavailable } from "#ports/directory.ts";
import { type SignIn, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";
import { asJson, attemptCookie } from "./attempt.ts";
import { PAGE_HEADERS, renderNote, renderPage } from "./frame.ts";
import { h } from "./markup.ts";
import type { WebSessions } from "./session.ts";

export const SIGN_IN = "/signin";
/** Below the public address; the Slack app's settings name it. */
export const SIGNED_IN_AT = "/signin/slack";

/** Where a sign-in may lead: to pages of ours, never to an address that somebody wrote into a link. */
const TO =
  /^\/code(?:(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){2}(?:\/pull\/[1-9][0-9]{0,8})?)?$|^\/runs(?:\/[A-Za-z0-9_-]{1,64})?$|^\/identity\/(?:github|linear)\/start\?link=cslink_[A-Za-z0-9_-]{20,600}\.[A-Za-z0-9_-]{20,100}$/;
const FORM_MOST_BYTES = 4_096;

const Attempt = z.strictObject({ state: z.string().max(200), nonce: z.string().max(200), to: z.string().regex(TO) });

export interface SignInRoutes {
  readonly signIn: SignIn;
  readonly sessions: WebSessions;
  readonly directory: Pick<Directory, "account">;
  /** Whether people of this workspace may come in. */
  readonly admits: (workspace: string) => Promise<boolean>;
  /** Where people open us. */
  readonly baseUrl: string;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

/** The link that brings a browser back to the page it wanted. */
export const signInLink = (path: string): string =>
  TO.test(path) ? `${SIGN_IN}?to=${encodeURIComponent(path)}` : SIGN_IN;

/** `/signin`, where the identity provider sends people back to, and the way out. Mount at the root. */
export function signInRoutes(o: SignInRoutes): Hono {
  const home = new URL(o.baseUrl);
  const attempts = attemptCookie({ name: "countersign_attempt", baseUrl: o.baseUrl, holds: asJson(Attempt) });
  const app = new Hono();

  app.onError((error, c) => {
    // A form from elsewhere, or one that is too large.
    if (error instanceof HTTPException) return error.getResponse();
    if (error instanceof SignInUnavailable || error instanceof DirectoryUnavailable) {
      o.log("nobody could be signed in", { error: error.message });
      return say(c, 503, "Slack does not answer", [
        "Who you are is asked of Slack, and it does not answer right now. Nothing is shown until it does.",
      ]);
    }
    throw error;
  });

  app.get(SIGN_IN, async (c) => {
    const visitor = await o.sessions.visitor(c.req.raw);
    const wanted = c.req.query("to");
    const to = wanted !== undefined && TO.test(wanted) ? wanted : "/runs";
    if (visitor !== null) {
      if (wanted !== undefined) return c.redirect(to, 303);
      return c.body(renderSignedIn(visitor, o.sessions.formToken(c.req.raw, "sign out")), 200, PAGE_HEADERS);
    }
    const { url, state, nonce } = await o.signIn.begin();
    attempts.begin(c, { state, nonce, to });
    return c.redirect(url, 302);
  });

  app.get(SIGNED_IN_AT, async (c) => {
    const attempt = attempts.take(c);
    if (attempt === null) return again(c);
    let who: Awaited<ReturnType<SignIn["finish"]>>;
    try {
      who = await o.signIn.finish(new URL(c.req.url).search, attempt);
    } catch (error) {
      if (!(error instanceof SignInRefused)) throw error;
      o.log("a sign-in was refused", { why: error.message });
      return again(c);
    }
    const account = (await o.admits(who.workspace)) ? await o.directory.account(who) : null;
    if (account?.kind !== "member") {
      o.log("a sign-in of somebody who is no member was refused", { workspace: who.workspace, id: who.id });
      return say(c, 403, "Only members of the workspace can sign in", [
        "Slack says that you are a guest here, belong to another workspace, or have left. Runs are not shown to you.",
      ]);
    }
    await o.sessions.begin(c, account);
    return c.redirect(attempt.to, 303);
  });

  const small = bodyLimit({ maxSize: FORM_MOST_BYTES });
  app.post(`${SIGN_IN}/out`, csrf({ origin: home.origin }), small, async (c) => {
    const { token } = await c.req.parseBody();
    if (!o.sessions.isFormOf(c.req.raw, "sign out", token)) {
      return say(c, 403, "This form is out of date", ["Open the page again and press the button there."], {
        text: "Your sign-in",
        href: SIGN_IN,
      });
    }
    await o.sessions.end(c);
    return c.redirect(`${SIGN_IN}/over`, 303);
  });

  app.get(`${SIGN_IN}/over`, (c) =>
    say(c, 200, "You are signed out", ["This browser shows no runs any more."], {
      text: "Sign in with Slack",
      href: SIGN_IN,
    }),
  );
  return app;
}

const say = (
  c: Context,
  status: 200 | 400 | 403 | 503,
  title: string,
  words: readonly string[],
  action?: { text: string; href: string },
): Response => c.body(renderNote({ title, words, ...(action && { action }) }), status, PAGE_HEADERS);

/** The same words whatever was wrong: a forged address learns nothing from them. */
const again = (c: Context): Response =>
  say(
    c,
    400,
    "The sign-in did not work",
    ["It took too long, was begun in another browser, was used before, or you said no. Begin again."],
    { text: "Sign in with Slack", href: SIGN_IN },
  );

const renderSignedIn = (who: Account, token: string): string =>
  renderPage({
    title: "Your sign-in · Countersign",
    body: h`<section class="note"><h1>You are signed in as ${who.name}</h1><p>You see the runs of your channels, those you are asked about, and all of them if policy names you an auditor.</p><div class="acts"><a class="btn" href="/runs">Your runs</a><form method="post" action="${SIGN_IN}/out"><input type="hidden" name="token" value="${token}"><button class="btn quiet">Sign out</button></form></div></section>`,
  });
