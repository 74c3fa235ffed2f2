import { generateKeyPairSync, sign } from "node:crypto";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterEach, expect, test } from "vitest";
import { slackSignIn } from "#adapters/directory/slack-sign-in.ts";
import { TOKEN_HEADER } from "#playground/slack/paths.ts";
import { Secret } from "#ports/secret.ts";
import { SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";
import { signInContract } from "#test/contracts/sign-in.ts";
import { openStage, type Stage, TOKEN } from "#test/playground/stage.ts";

const APP = {
  clientId: "25259531569.11152291",
  clientSecret: "client-secret-for-tests",
  redirectUrls: ["https://agents.example.com/signin/slack"],
};

let stage: Stage | undefined;
const close = async () => {
  await stage?.close();
  stage = undefined;
};
afterEach(close);

/** The real client of OpenID Connect, and the local stand-in for Slack that it discovers. */
async function world(o: { clientSecret?: string; redirectUrl?: string; now?: () => number } = {}) {
  await close();
  const opened = await openStage({ openid: APP, ...(o.now && { now: o.now }) });
  stage = opened;
  const signIn = slackSignIn({
    issuer: opened.url,
    clientId: APP.clientId,
    clientSecret: new Secret("slack_client_secret", o.clientSecret ?? APP.clientSecret),
    redirectUrl: o.redirectUrl ?? APP.redirectUrls[0] ?? "",
    workspace: "T0LOCAL",
  });
  const follow = (url: string) => fetch(url, { redirect: "manual", headers: { [TOKEN_HEADER]: TOKEN } });
  /** Reads the page of names and follows the link of one. */
  const press = async (url: string, label: string): Promise<string> => {
    const page = await follow(url);
    const [, href = ""] = new RegExp(`href="([^"]+)">${label}<`).exec(await page.text()) ?? [];
    const back = await follow(new URL(href.replaceAll("&amp;", "&"), opened.url).href);
    return new URL(back.headers.get("location") ?? "").search;
  };
  return { signIn, follow, press, stage: opened };
}

signInContract("Slack", async () => {
  const { signIn, press, stage: opened } = await world();
  return {
    signIn,
    who: { provider: "slack", workspace: "T0LOCAL", id: "U0ANA" },
    consent: (url) => press(url, "Ana"),
    decline: (url) => press(url, "Cancel"),
    cut: async () => {
      stage = undefined;
      await opened.close();
    },
  };
});

test("Slack is asked for a code with state and nonce for our workspace, and no verifier that it would choke on", async () => {
  const { signIn, stage: opened } = await world();
  const { url, state, nonce } = await signIn.begin();
  const asked = new URL(url);
  expect(asked.origin + asked.pathname).toBe(`${opened.url}/openid/connect/authorize`);
  expect(Object.fromEntries(asked.searchParams)).toEqual({
    client_id: APP.clientId,
    redirect_uri: APP.redirectUrls[0],
    response_type: "code",
    scope: "openid profile",
    state,
    nonce,
    team: "T0LOCAL",
  });
});

test("a wrong client secret lets nobody in", async () => {
  const { signIn, press } = await world({ clientSecret: "another" });
  const attempt = await signIn.begin();
  await expect(signIn.finish(await press(attempt.url, "Ana"), attempt)).rejects.toThrow(SignInRefused);
});

test("an address that the app's settings do not name is refused by Slack before anybody consents", async () => {
  const { signIn, follow } = await world({ redirectUrl: "https://evil.example.com/signin/slack" });
  const page = await follow((await signIn.begin()).url);
  expect([page.status, await page.text()]).toEqual([400, expect.stringContaining("redirect_uri did not match")]);
});

test("a word of Slack that is an hour old is no word", async () => {
  const { signIn, press } = await world({ now: () => Date.now() - 3_600_000 });
  const attempt = await signIn.begin();
  await expect(signIn.finish(await press(attempt.url, "Ana"), attempt)).rejects.toThrow(SignInRefused);
});

/** A server that answers every code with an id token of the test's making. */
async function minting(claims: (nonce: string) => object, signed: "by its own key" | "by another key") {
  const keys = [1, 2].map(() => generateKeyPairSync("rsa", { modulusLength: 2_048 }));
  const [published, other] = keys;
  let nonce = "";
  const routes = new Hono();
  routes.get("/.well-known/openid-configuration", (c) => {
    const issuer = new URL(c.req.url).origin;
    const at = {
      issuer,
      authorization_endpoint: `${issuer}/a`,
      token_endpoint: `${issuer}/t`,
      jwks_uri: `${issuer}/k`,
    };
    return c.json({ ...at, response_types_supported: ["code"], id_token_signing_alg_values_supported: ["RS256"] });
  });
  routes.get("/k", (c) =>
    c.json({ keys: [{ ...published?.publicKey.export({ format: "jwk" }), kid: "1", alg: "RS256" }] }),
  );
  routes.post("/t", (c) => {
    const seconds = Math.floor(Date.now() / 1_000);
    const all = {
      iss: new URL(c.req.url).origin,
      aud: APP.clientId,
      sub: "U0ANA",
      iat: seconds,
      exp: seconds + 300,
      ...claims(nonce),
    };
    const body = [{ alg: "RS256", kid: "1" }, all].map((part) =>
      Buffer.from(JSON.stringify(part)).toString("base64url"),
    );
    const key = (signed === "by its own key" ? published : other)?.privateKey;
    if (key === undefined) throw new Error("no key");
    const id_token = [...body, sign("sha256", Buffer.from(body.join(".")), key).toString("base64url")].join(".");
    return c.json({ ok: true, access_token: "xoxp-1", token_type: "Bearer", id_token });
  });
  const { promise: listening, resolve } = Promise.withResolvers<AddressInfo>();
  const server = serve({ fetch: routes.fetch, hostname: "127.0.0.1", port: 0 }, resolve);
  const signIn = slackSignIn({
    issuer: `http://127.0.0.1:${(await listening).port}`,
    clientId: APP.clientId,
    clientSecret: new Secret("slack_client_secret", APP.clientSecret),
    redirectUrl: APP.redirectUrls[0] ?? "",
    workspace: "T0LOCAL",
  });
  const attempt = await signIn.begin();
  nonce = attempt.nonce;
  try {
    return await signIn.finish(`?code=1&state=${attempt.state}`, attempt);
  } finally {
    server.close();
  }
}
const ANA = { "https://slack.com/team_id": "T0LOCAL", "https://slack.com/user_id": "U0ANA" };

test("only an id token that Slack's key signed, for us and for this attempt, says who somebody is", async () => {
  const good = (nonce: string) => ({ ...ANA, nonce });
  expect(await minting(good, "by its own key")).toEqual({ provider: "slack", workspace: "T0LOCAL", id: "U0ANA" });
  await expect(minting(good, "by another key")).rejects.toThrow(SignInRefused);
  for (const wrong of [
    { aud: "another-app" },
    { iss: "https://evil.example.com" },
    { nonce: "" },
    { "https://slack.com/user_id": "../admin" },
    { "https://slack.com/team_id": undefined },
    { exp: 1 },
  ]) {
    await expect(minting((nonce) => ({ ...good(nonce), ...wrong }), "by its own key")).rejects.toThrow(SignInRefused);
  }
});

test("nothing is asked of Slack before the first sign-in, and a Slack that was away is asked again", async () => {
  const signIn = slackSignIn({
    issuer: "http://127.0.0.1:1",
    clientId: APP.clientId,
    clientSecret: new Secret("slack_client_secret", APP.clientSecret),
    redirectUrl: APP.redirectUrls[0] ?? "",
    workspace: "T0LOCAL",
  });
  await expect(signIn.begin()).rejects.toThrow(SignInUnavailable);
  await expect(signIn.begin()).rejects.toThrow("does not say how to sign in");
});
