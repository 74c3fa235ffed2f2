import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { csrf } from "hono/csrf";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import type { LinkPlace } from "#policy/linked.ts";
import { type Account, DirectoryUnavailable } from "#ports/directory.ts";
import { type SignIn, SignInNoMember, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";
import type { NotLinked } from "#runs/linkable.ts";
import { asJson, attemptCookie } from "./attempt.ts";
import { PAGE_HEADERS, renderNote, renderPage } from "./frame.ts";
import { type LinkedPlace, PLACES, type Who, whyNot } from "./identity-words.ts";
import { h } from "./markup.ts";
import { signInLink } from "./sign-in.ts";

/** Below the public address; the settings of our app at the place name it. */
export const linkedAt = (place: LinkPlace): string => `/identity/${place}/callback`;
const startAt = (place: LinkPlace): string => `/identity/${place}/start`;

/** The page of ours that a code opens, for whoever it was made for. `baseUrl`: where people open us. */
export const linkPage =
  (baseUrl: string, place: LinkPlace) =>
  (code: string): string =>
    `${baseUrl}${startAt(place)}?link=${code}`;

const FORM_MOST_BYTES = 4_096;
const LINK_MOST = 1_000;

const Attempt = z.strictObject({
  state: z.string().max(200),
  nonce: z.string().max(200),
  link: z.string().max(LINK_MOST),
});

export interface IdentityRoutes extends LinkedPlace {
  readonly signIn: SignIn;
  /** Whose link that is, while it is good. Nothing is used up. */
  readonly owner: (link: string) => Promise<{ readonly owner: Account } | NotLinked>;
  /**
   * Links who came back with whoever the link is of, and tells them in their chat. `once`: of this attempt. `from`: what the person is
   * called whose account it was until now; `null`: nobody's.
   */
  readonly link: (o: {
    readonly link: string;
    readonly who: Who;
    readonly once: string;
  }) => Promise<{ readonly linked: Account; readonly from: string | null } | NotLinked>;
  /** Of a browser that has signed in; `null`: nobody. Absent: people do not sign in to the pages. */
  readonly visitor?: (request: Request) => Promise<Account | null>;
  /** Where people open us. */
  readonly baseUrl: string;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

/**
 * `/identity/PLACE/start`, which a personal link opens, and where the place sends people back to. Opening the link does nothing:
 * a press does, in the browser that must come back. Mount at the root.
 */
export function identityRoutes(o: IdentityRoutes): Hono {
  const { place } = o;
  const words = PLACES[place];
  const start = startAt(place);
  const home = new URL(o.baseUrl);
  const there = new URL(o.placeUrl);
  const attempts = attemptCookie({ name: `countersign_link_${place}`, baseUrl: o.baseUrl, holds: asJson(Attempt) });
  const app = new Hono();

  app.onError((error, c) => {
    // A form from elsewhere, or one that is too large.
    if (error instanceof HTTPException) return error.getResponse();
    if (error instanceof SignInUnavailable || error instanceof DirectoryUnavailable) {
      o.log("nobody could be linked", { error: error.message });
      return say(c, 503, "That cannot be asked now", [
        `${words.name} or Slack does not answer right now. Nothing was linked. Open the link again in a minute.`,
      ]);
    }
    throw error;
  });

  /** Whose link it is, if this browser may use it; else the page that says why not. */
  async function ownerOf(c: Context, link: string): Promise<Account | Response> {
    const read = link.length > LINK_MOST ? { refused: "code_bad" as const, holder: null } : await o.owner(link);
    if ("refused" in read) return refused(c, o, read, null);
    if (o.visitor === undefined) return read.owner;
    const visitor = await o.visitor(c.req.raw);
    if (visitor === null) {
      return say(c, 401, "Sign in first", ["Whoever links an account shows first that the link is theirs."], {
        text: "Sign in with Slack",
        href: signInLink(`${start}?link=${link}`),
      });
    }
    const { provider, workspace, id } = read.owner;
    if (visitor.provider === provider && visitor.workspace === workspace && visitor.id === id) return read.owner;
    o.log("somebody opened a link that was made for another person", { visitor: visitor.id });
    return say(c, 403, "This link is somebody else's", [
      `It was made for another person, and you are signed in as ${visitor.name}. Nothing was linked. Say "link ${place}" in Slack for one of your own.`,
    ]);
  }

  app.get(start, async (c) => {
    const link = c.req.query("link") ?? "";
    const owner = await ownerOf(c, link);
    if (owner instanceof Response) return owner;
    const headers = {
      ...PAGE_HEADERS,
      // Browsers hold the address that a form's answer leads to against this too.
      "content-security-policy": (PAGE_HEADERS["content-security-policy"] ?? "").replace(
        "form-action 'self'",
        `form-action 'self' ${there.origin}`,
      ),
    };
    return c.body(renderStart(owner, link, o), 200, headers);
  });

  const small = bodyLimit({ maxSize: FORM_MOST_BYTES });
  app.post(start, csrf({ origin: home.origin }), small, async (c) => {
    const { link } = await c.req.parseBody();
    const given = typeof link === "string" ? link : "";
    const owner = await ownerOf(c, given);
    if (owner instanceof Response) return owner;
    const { url, state, nonce } = await o.signIn.begin();
    attempts.begin(c, { state, nonce, link: given });
    return c.redirect(url, 303);
  });

  app.get(linkedAt(place), async (c) => {
    const attempt = attempts.take(c);
    if (attempt === null) return again(c, place);
    const owner = await ownerOf(c, attempt.link);
    if (owner instanceof Response) return owner;
    let who: Who;
    try {
      who = await o.signIn.finish(new URL(c.req.url).search, attempt);
    } catch (error) {
      if (!(error instanceof SignInRefused)) throw error;
      o.log(`a link with ${words.name} was refused`, { why: error.message });
      if (error instanceof SignInNoMember) return noMember(c, words.name);
      return again(c, place);
    }
    const came = await o.link({ link: attempt.link, who, once: attempt.state });
    if ("refused" in came) return refused(c, o, came, who);
    return say(c, 200, `Your ${words.name} account is linked`, [
      `${who.name ?? who.id} on ${words.name} is ${came.linked.name} in Slack from now on. What waited for it goes on by itself. Say "unlink ${place}" to the app in Slack to take it back.`,
      ...(came.from === null
        ? []
        : [
            `Until now it was linked with ${came.from}, by a code and not by signing in here. ${came.from} is told in Slack.`,
          ]),
      "You can close this page.",
    ]);
  });
  return app;
}

const say = (
  c: Context,
  status: 200 | 400 | 401 | 403 | 409 | 410 | 503,
  title: string,
  words: readonly string[],
  action?: { text: string; href: string },
): Response => c.body(renderNote({ title, words, ...(action && { action }) }), status, PAGE_HEADERS);

/** The same words whatever was wrong: a forged address learns nothing from them. */
const again = (c: Context, place: LinkPlace): Response =>
  say(c, 400, "That did not work", [
    `It took too long, was begun in another browser, was used before, or you said no at ${PLACES[place].name}. Nothing was linked. Open your link again, or say "link ${place}" in Slack for another.`,
  ]);

const noMember = (c: Context, name: string): Response =>
  say(c, 403, "Nothing was linked", [
    `Whoever you are on ${name} is a guest, an app or an account that is closed there. Only accounts of full members are linked. Open your link again, and sign in there as one.`,
  ]);

function refused(c: Context, at: LinkedPlace, why: NotLinked, who: Who | null): Response {
  const [status, words] = whyNot(at, why, who);
  const next = `Say "link ${at.place}" to the app in Slack for another link.`;
  return say(c, status, "Nothing was linked", why.refused === "elsewhere" ? [words] : [words, next]);
}

function renderStart(owner: Account, link: string, { place, within, placeUrl }: LinkedPlace): string {
  const { name, does, learn } = PLACES[place];
  const { host } = new URL(placeUrl);
  const where = within === undefined ? host : `${host}, in ${within},`;
  return renderPage({
    title: `Link your ${name} account · Countersign`,
    body: h`<section class="note"><h1>Link a ${name} account with ${owner.name}</h1><p>Whoever you are on ${where} is ${owner.name} in Slack from then on: ${does}. Go on only if you are ${owner.name} and asked for this link yourself.</p><p>We learn the account's ${learn}, and keep no access to it.</p><form method="post" action="${startAt(place)}"><input type="hidden" name="link" value="${link}"><button class="btn">Go to ${host}</button></form></section>`,
  });
}
