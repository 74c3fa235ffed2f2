import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { csrf } from "hono/csrf";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { type Account, DirectoryUnavailable } from "#ports/directory.ts";
import { type SignIn, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";
import type { LinkRefusal, NotLinked } from "#runs/linkable.ts";
import { asJson, attemptCookie } from "./attempt.ts";
import { PAGE_HEADERS, renderNote, renderPage } from "./frame.ts";
import { h } from "./markup.ts";
import { signInLink } from "./sign-in.ts";

const PATH = "/identity/github";
/** Below the public address; the App's settings name it. */
export const LINKED_AT = `${PATH}/callback`;
const START = `${PATH}/start`;

/** The page of ours that a code opens, for whoever it was made for. `baseUrl`: where people open us. */
export const linkPage =
  (baseUrl: string) =>
  (code: string): string =>
    `${baseUrl}${START}?link=${code}`;

const FORM_MOST_BYTES = 4_096;
const LINK_MOST = 1_000;

const Attempt = z.strictObject({
  state: z.string().max(200),
  nonce: z.string().max(200),
  link: z.string().max(LINK_MOST),
});

/** Who came back from GitHub. */
type Who = Awaited<ReturnType<SignIn["finish"]>>;

export interface IdentityRoutes {
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
  /** Where GitHub's pages are: the one other place that a form of ours may lead to. */
  readonly githubUrl: string;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

/**
 * `/identity/github/start`, which a personal link opens, and where GitHub sends people back to. Opening the link does nothing:
 * a press does, in the browser that must come back. Mount at the root.
 */
export function identityRoutes(o: IdentityRoutes): Hono {
  const home = new URL(o.baseUrl);
  const attempts = attemptCookie({ name: "countersign_link", baseUrl: o.baseUrl, holds: asJson(Attempt) });
  const app = new Hono();

  app.onError((error, c) => {
    // A form from elsewhere, or one that is too large.
    if (error instanceof HTTPException) return error.getResponse();
    if (error instanceof SignInUnavailable || error instanceof DirectoryUnavailable) {
      o.log("nobody could be linked", { error: error.message });
      return say(c, 503, "That cannot be asked now", [
        "GitHub or Slack does not answer right now. Nothing was linked. Open the link again in a minute.",
      ]);
    }
    throw error;
  });

  /** Whose link it is, if this browser may use it; else the page that says why not. */
  async function ownerOf(c: Context, link: string): Promise<Account | Response> {
    const read = link.length > LINK_MOST ? { refused: "code_bad" as const, holder: null } : await o.owner(link);
    if ("refused" in read) return refused(c, read, null);
    if (o.visitor === undefined) return read.owner;
    const visitor = await o.visitor(c.req.raw);
    if (visitor === null) {
      return say(c, 401, "Sign in first", ["Whoever links an account shows first that the link is theirs."], {
        text: "Sign in with Slack",
        href: signInLink(`${START}?link=${link}`),
      });
    }
    const { provider, workspace, id } = read.owner;
    if (visitor.provider === provider && visitor.workspace === workspace && visitor.id === id) return read.owner;
    o.log("somebody opened a link that was made for another person", { visitor: visitor.id });
    return say(c, 403, "This link is somebody else's", [
      `It was made for another person, and you are signed in as ${visitor.name}. Nothing was linked. Say "link github" in Slack for one of your own.`,
    ]);
  }

  app.get(START, async (c) => {
    const link = c.req.query("link") ?? "";
    const owner = await ownerOf(c, link);
    if (owner instanceof Response) return owner;
    const headers = {
      ...PAGE_HEADERS,
      // Browsers hold the address that a form's answer leads to against this too.
      "content-security-policy": (PAGE_HEADERS["content-security-policy"] ?? "").replace(
        "form-action 'self'",
        `form-action 'self' ${new URL(o.githubUrl).origin}`,
      ),
    };
    return c.body(renderStart(owner, link, new URL(o.githubUrl).host), 200, headers);
  });

  const small = bodyLimit({ maxSize: FORM_MOST_BYTES });
  app.post(START, csrf({ origin: home.origin }), small, async (c) => {
    const { link } = await c.req.parseBody();
    const given = typeof link === "string" ? link : "";
    const owner = await ownerOf(c, given);
    if (owner instanceof Response) return owner;
    const { url, state, nonce } = await o.signIn.begin();
    attempts.begin(c, { state, nonce, link: given });
    return c.redirect(url, 303);
  });

  app.get(LINKED_AT, async (c) => {
    const attempt = attempts.take(c);
    if (attempt === null) return again(c);
    const owner = await ownerOf(c, attempt.link);
    if (owner instanceof Response) return owner;
    let who: Who;
    try {
      who = await o.signIn.finish(new URL(c.req.url).search, attempt);
    } catch (error) {
      if (!(error instanceof SignInRefused)) throw error;
      o.log("a link with GitHub was refused", { why: error.message });
      return again(c);
    }
    const came = await o.link({ link: attempt.link, who, once: attempt.state });
    if ("refused" in came) return refused(c, came, who);
    return say(c, 200, "Your GitHub account is linked", [
      `${who.name ?? who.id} on GitHub is ${came.linked.name} in Slack from now on. What waited for it goes on by itself. Say "unlink github" to the app in Slack to take it back.`,
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
const again = (c: Context): Response =>
  say(c, 400, "That did not work", [
    'It took too long, was begun in another browser, was used before, or you said no at GitHub. Nothing was linked. Open your link again, or say "link github" in Slack for another.',
  ]);

type Why = readonly [status: 400 | 403 | 409 | 410 | 503, why: string];
const NOT_LINKED: Readonly<Record<Exclude<LinkRefusal, "theirs">, Why>> = {
  code_bad: [400, "This is no link of ours, or a part of it is missing."],
  code_late: [410, "This link has expired. A link is good for ten minutes."],
  code_used: [410, "This link was used before, and each works once."],
  another: [409, 'You have linked another GitHub account. Say "unlink github" in Slack first.'],
  guest: [403, "Whoever this link is of is no full member of the Slack workspace."],
  directory_unavailable: [503, "Slack could not tell us whose link that is. Open it again in a minute."],
};

/** Who has shown as much as whoever comes now: neither of them is believed more. */
const theirs = (holder: string | null, who: Who | null): Why => [
  409,
  `This GitHub account is linked with ${holder ?? "somebody else"} in Slack already. They can say "unlink github" to the app there. If they do not, ask whoever runs this service for: countersign unlink github ${who?.name ?? who?.id ?? "ACCOUNT"}`,
];

function refused(c: Context, why: NotLinked, who: Who | null): Response {
  const [status, words] = why.refused === "theirs" ? theirs(why.holder, who) : NOT_LINKED[why.refused];
  return say(c, status, "Nothing was linked", [words, 'Say "link github" to the app in Slack for another link.']);
}

const renderStart = (owner: Account, link: string, host: string): string =>
  renderPage({
    title: "Link your GitHub account · Countersign",
    body: h`<section class="note"><h1>Link a GitHub account with ${owner.name}</h1><p>Whoever you are on ${host} is ${owner.name} in Slack from then on: credited in commits as them, and known as an author of what they write. Go on only if you are ${owner.name} and asked for this link yourself.</p><p>We learn the account's number and name, and keep no access to it.</p><form method="post" action="${START}"><input type="hidden" name="link" value="${link}"><button class="btn">Go to ${host}</button></form></section>`,
  });
