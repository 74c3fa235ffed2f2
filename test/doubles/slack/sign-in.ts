import type { OpenidApp } from "#playground/slack/openid.ts";
import { TOKEN_HEADER } from "#playground/slack/paths.ts";
import { TOKEN } from "#test/playground/stage.ts";

/** Settings of the app as which people sign in. */
export const SIGN_IN = { SLACK_CLIENT_ID: "1.2", SLACK_CLIENT_SECRET: "client-secret-for-tests" } as const;

/** The same app as Slack's side of it knows it. `home`: where people open the pages. */
export const signInApp = (home: string): OpenidApp => ({
  clientId: SIGN_IN.SLACK_CLIENT_ID,
  clientSecret: SIGN_IN.SLACK_CLIENT_SECRET,
  redirectUrls: [`${home}/signin/slack`],
});

/** What a browser sends back of what it was given. */
export const cookiesOf = (answer: Response): string =>
  answer.headers
    .getSetCookie()
    .map((line) => line.split(";", 1)[0] ?? "")
    .filter((pair) => !pair.endsWith("="))
    .join("; ");

/** A way through Slack and back, with what a test may want to try again. */
export interface SignedIn {
  /** To the browser that came back. */
  readonly answer: Response;
  /** Of its session; "" when it was not let in. */
  readonly cookie: string;
  /** Where Slack sent it. */
  readonly back: string;
  /** The cookie of the attempt. */
  readonly attempt: string;
}

/**
 * What a browser does: our link, Slack's page of names, back to us. `home`: where people open the pages; `slack`: the stand-in's
 * address; `name`: on whom is clicked there; `to`: the page that was wanted.
 */
export async function signIn(o: { home: string; slack: string; name: string; to: string }): Promise<SignedIn> {
  const ask = (url: string, headers: Record<string, string>) => fetch(url, { redirect: "manual", headers });
  const atSlack = (url: string) => ask(url, { [TOKEN_HEADER]: TOKEN });
  const begun = await ask(`${o.home}/signin?to=${encodeURIComponent(o.to)}`, {});
  const attempt = cookiesOf(begun);
  const names = await (await atSlack(begun.headers.get("location") ?? "")).text();
  const [, href = ""] = new RegExp(`href="([^"]+)">${o.name}<`).exec(names) ?? [];
  const consented = await atSlack(new URL(href.replaceAll("&amp;", "&"), o.slack).href);
  const back = consented.headers.get("location") ?? "";
  if (!back.startsWith(o.home)) throw new Error(`Slack sends ${o.name} to "${back}"`);
  const answer = await ask(back, { cookie: attempt });
  return { answer, cookie: cookiesOf(answer), back, attempt };
}
