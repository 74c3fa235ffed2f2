import { createHash, createPublicKey, generateKeyPair, type KeyObject, randomBytes, sign } from "node:crypto";
import { promisify } from "node:util";
import type { OpenIDConnectTokenArguments } from "@slack/web-api";
import { type Context, Hono } from "hono";
import { html } from "hono/html";
import { z } from "zod";
import { localGate, loopbackOnly } from "./guard.ts";
import type { House } from "./house.ts";
import { PATHS } from "./paths.ts";
import { findUser, type SeedUser } from "./world.ts";

/** The app as its settings at Slack name it. */
export interface OpenidApp {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where people may be sent back to, exactly. */
  readonly redirectUrls: readonly string[];
}

const CODE_MS = 10 * 60_000;
/** As in the example of Slack's documentation. */
const ID_TOKEN_S = 300;
const KEY_ID = "playground";
const PLACE = "/openid/connect";

const Asked = z.object({
  client_id: z.string(),
  redirect_uri: z.string(),
  response_type: z.string(),
  scope: z.string(),
  state: z.string().optional(),
  nonce: z.string().optional(),
  team: z.string().optional(),
  code_challenge: z.string().optional(),
});
type Asked = z.infer<typeof Asked>;

/** Slack's own arguments, and `code_verifier`, which its types lack; nothing else. */
const Exchange = z.strictObject({
  client_id: z.string(),
  client_secret: z.string(),
  code: z.string(),
  grant_type: z.literal("authorization_code"),
  redirect_uri: z.string(),
  code_verifier: z.string().optional(),
} satisfies Partial<Record<keyof OpenIDConnectTokenArguments | "code_verifier", z.ZodType>>);

interface Grant {
  readonly user: SeedUser;
  readonly asked: Asked;
  readonly at: number;
}

/**
 * Sign in with Slack as https://slack.com/.well-known/openid-configuration describes it, under our own address: consent by
 * a click on a name, codes that are good once, tokens signed by a key of this process. What is wrong with an exchange is
 * HTTP 200 and `ok: false`, as everywhere at Slack.
 */
export function openidRoutes(o: { house: House; app: OpenidApp; token: string }): Hono {
  const { house, app } = o;
  const { team } = house.world.seed;
  const grants = new Map<string, Grant>();
  const people = new Map<string, SeedUser>();
  let made: Promise<KeyObject> | undefined;
  const key = (): Promise<KeyObject> => {
    made ??= promisify(generateKeyPair)("rsa", { modulusLength: 2_048 }).then(({ privateKey }) => privateKey);
    return made;
  };
  const routes = new Hono();

  routes.get("/.well-known/openid-configuration", loopbackOnly, (c) => {
    const issuer = originOf(c);
    return c.json({
      issuer,
      authorization_endpoint: `${issuer}${PLACE}/authorize`,
      token_endpoint: `${issuer}${PATHS.webApi}openid.connect.token`,
      userinfo_endpoint: `${issuer}${PATHS.webApi}openid.connect.userInfo`,
      jwks_uri: `${issuer}${PLACE}/keys`,
      scopes_supported: ["openid", "profile", "email"],
      response_types_supported: ["code"],
      response_modes_supported: ["query"],
      grant_types_supported: ["authorization_code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
      claims_supported: ["sub", "auth_time", "iss"],
      claims_parameter_supported: false,
      request_parameter_supported: false,
      request_uri_parameter_supported: true,
      token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic"],
    });
  });

  routes.get(`${PLACE}/keys`, loopbackOnly, async (c) => {
    const jwk = createPublicKey(await key()).export({ format: "jwk" });
    return c.json({ keys: [{ ...jwk, kid: KEY_ID, use: "sig", alg: "RS256" }] });
  });

  /** What Slack says on a page of its own, since it does not trust where to send the person. */
  const wrong = (asked: Asked): string | null => {
    if (asked.client_id !== app.clientId) return "Invalid client_id parameter";
    if (!app.redirectUrls.includes(asked.redirect_uri)) return "redirect_uri did not match any configured URIs";
    if (asked.response_type !== "code") return "Invalid response_type parameter";
    if (!asked.scope.split(" ").includes("openid")) return "invalid_scope";
    return asked.team !== undefined && asked.team !== team.id ? "Invalid team parameter" : null;
  };
  const askedOf = (c: Context): Asked | string => {
    const asked = Asked.safeParse(c.req.query());
    if (!asked.success) return `Missing parameter ${String(asked.error.issues[0]?.path[0] ?? "")}`;
    return wrong(asked.data) ?? asked.data;
  };
  const backTo = ({ redirect_uri, state }: Asked, more: Readonly<Record<string, string>>): string => {
    const url = new URL(redirect_uri);
    for (const [name, value] of Object.entries({ ...more, ...(state === undefined ? {} : { state }) }))
      url.searchParams.set(name, value);
    return url.href;
  };

  routes.use(`${PLACE}/:step{authorize|allow|deny}`, ...localGate(o.token, "page"));
  routes.get(`${PLACE}/authorize`, (c) => {
    const asked = askedOf(c);
    if (typeof asked === "string") return c.html(said(asked), 400);
    const { search } = new URL(c.req.url);
    return c.html(consent(house, search));
  });
  routes.get(`${PLACE}/allow`, (c) => {
    const asked = askedOf(c);
    if (typeof asked === "string") return c.html(said(asked), 400);
    const user = findUser(house.world, c.req.query("user") ?? "");
    if (user === undefined || user.isBot) return c.html(said("There is no such person here."), 400);
    const code = randomBytes(24).toString("hex");
    grants.set(code, { user, asked, at: house.now() });
    house.journal.log("person", { act: "sign in", user: user.id });
    return c.redirect(backTo(asked, { code }), 302);
  });
  routes.get(`${PLACE}/deny`, (c) => {
    const asked = askedOf(c);
    return typeof asked === "string"
      ? c.html(said(asked), 400)
      : c.redirect(backTo(asked, { error: "access_denied" }), 302);
  });

  routes.post(`${PATHS.webApi}openid.connect.token`, loopbackOnly, async (c) => {
    const given = Exchange.safeParse(await c.req.parseBody());
    if (!given.success) return refused(c, "invalid_arguments");
    const { code, client_id, client_secret, redirect_uri, code_verifier } = given.data;
    if (client_id !== app.clientId) return refused(c, "invalid_client_id");
    if (client_secret !== app.clientSecret) return refused(c, "bad_client_secret");
    const grant = grants.get(code);
    // Once, whatever comes of it.
    grants.delete(code);
    if (grant === undefined || house.now() - grant.at > CODE_MS) return refused(c, "invalid_code");
    if (redirect_uri !== grant.asked.redirect_uri) return refused(c, "bad_redirect_uri");
    // A verifier beside the client's secret: https://github.com/paradigmxyz/centaur/pull/1101
    if (grant.asked.code_challenge !== undefined || code_verifier !== undefined) return refused(c, "internal_error");
    const token = `xoxp-${randomBytes(24).toString("hex")}`;
    people.set(token, grant.user);
    const seconds = Math.floor(house.now() / 1_000);
    const claims = {
      iss: originOf(c),
      aud: app.clientId,
      exp: seconds + ID_TOKEN_S,
      iat: seconds,
      auth_time: seconds,
      // Slack sends an empty one where none was asked for (panva/oauth4webapi#186).
      nonce: grant.asked.nonce ?? "",
      at_hash: createHash("sha256").update(token).digest().subarray(0, 16).toString("base64url"),
      ...about(grant.user),
    };
    const body = [{ typ: "JWT", alg: "RS256", kid: KEY_ID }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const signature = sign("sha256", Buffer.from(body), await key()).toString("base64url");
    house.journal.log("api", { method: "openid.connect.token", ok: true });
    return c.json({ ok: true, access_token: token, token_type: "Bearer", id_token: `${body}.${signature}` });
  });

  routes.on(["GET", "POST"], `${PATHS.webApi}openid.connect.userInfo`, loopbackOnly, (c) => {
    const user = people.get(/^Bearer (.+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? "");
    return user === undefined ? refused(c, "invalid_auth") : c.json({ ok: true, ...about(user) });
  });

  const about = (user: SeedUser) => ({
    sub: user.id,
    "https://slack.com/user_id": user.id,
    "https://slack.com/team_id": team.id,
    name: user.realName,
    locale: "en-US",
  });
  const refused = (c: Context, error: string): Response => {
    house.journal.log("api", { method: "openid.connect", ok: false, error });
    return c.json({ ok: false, error });
  };
  return routes;
}

const originOf = (c: Context): string => new URL(c.req.url).origin;

const page = (title: string, body: unknown) => html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title></head><body><main><h1>${title}</h1>${body}</main></body></html>`;

const said = (problem: string) => page("Something went wrong", html`<p>${problem}</p>`);

const consent = (house: House, search: string) =>
  page(
    `Sign in to ${house.world.seed.team.name}`,
    html`<p>The app asks who you are. You are:</p><ul>${house.world.seed.users
      .filter((user) => !user.isBot)
      .map((user) => html`<li><a href="${PLACE}/allow${search}&user=${user.id}">${user.realName}</a></li>`)}</ul>
<p><a href="${PLACE}/deny${search}">Cancel</a></p>`,
  );
