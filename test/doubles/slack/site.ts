import { randomBytes } from "node:crypto";
import { Hono } from "hono";
import { checkCall } from "#playground/slack/validate.ts";
import { scopesNeeded } from "#surfaces/slack/needs.ts";

/** A workspace at the double. */
export interface SiteWorkspace {
  readonly id: string;
  readonly name: string;
  readonly enterprise?: string;
  /** What `auth.test` says of a token here that the answer to the installation did not. */
  readonly saysOfItself?: {
    readonly team_id?: string;
    readonly enterprise_id?: string;
    readonly is_enterprise_install?: boolean;
  };
  readonly botUser: string;
  readonly botId: string;
  /** Who answers calls that bear one of its tokens; absent: the double, and only `auth.test`. */
  readonly api?: (method: string, body: string, contentType: string) => Promise<Response>;
}

interface Token {
  readonly workspace: string;
  readonly scopes: readonly string[];
  /** Epoch ms; `null`: it does not end. */
  endsAt: number | null;
}

interface Asked {
  readonly method: string;
  /** `null`: no token, or one that nobody has. */
  readonly workspace: string | null;
  readonly error: string | null;
  readonly args: Readonly<Record<string, string>>;
}

type Fault = { readonly error: string } | { readonly lost: "before" | "after" };

export interface SlackSite {
  readonly app: Hono;
  /** The same without a socket. */
  readonly fetch: (url: string | URL, init?: object) => Promise<Response>;
  readonly asked: readonly Asked[];
  /** What came of `method`, in order. */
  of(method: string): readonly Asked[];
  /** The person at Slack's page says yes; where the browser is sent back to. */
  consent(
    address: string,
    o: { readonly workspace: string; readonly orgWide?: boolean; readonly scopes?: readonly string[] },
  ): string;
  decline(address: string): string;
  /** Every access token of the workspace ends now. */
  expire(workspace: string): void;
  /** The next `times` calls of a method are answered with this instead. "after": it is done, and the answer is lost. */
  fail(method: string, fault: Fault, times?: number): void;
  /** Whether a text is a token that this workspace's calls may bear now. */
  takes(workspace: string, token: string): boolean;
  /** The app is no more in that workspace: every token of it is refused. */
  remove(workspace: string): void;
}

const CODE_MS = 10 * 60_000;
/** Slack's: https://docs.slack.dev/authentication/using-token-rotation */
const TOKEN_S = 43_200;

/** Slack as an app meets it that several workspaces install: the page for the yes, OAuth v2, tokens that are rotated, and the Web API by token. */
export function slackSite(o: {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUrl: string;
  readonly workspaces: readonly SiteWorkspace[];
  /** Tokens end and are renewed; default `true`. */
  readonly rotates?: boolean;
  readonly now?: () => number;
}): SlackSite {
  const now = o.now ?? Date.now;
  const rotates = o.rotates ?? true;
  const workspaces = new Map(o.workspaces.map((one) => [one.id, one]));
  const codes = new Map<string, { at: number; workspace: string; orgWide: boolean; scopes: readonly string[] }>();
  const tokens = new Map<string, Token>();
  /** Tokens of workspaces that removed the app. Slack says of them that the account is inactive. */
  const removed = new Set<string>();
  /** Refresh tokens that were not used yet, by workspace. */
  const refreshes = new Map<string, { workspace: string; scopes: readonly string[] }>();
  const asked: Asked[] = [];
  const faults = new Map<string, Fault[]>();

  const random = (prefix: string) => `${prefix}${randomBytes(18).toString("hex")}`;

  function issue(workspace: string, scopes: readonly string[]) {
    const access = random(rotates ? "xoxe.xoxb-1-" : "xoxb-");
    tokens.set(access, { workspace, scopes, endsAt: rotates ? now() + TOKEN_S * 1_000 : null });
    if (!rotates) return { access_token: access };
    const refresh_token = random("xoxe-1-");
    refreshes.set(refresh_token, { workspace, scopes });
    return { access_token: access, refresh_token, expires_in: TOKEN_S };
  }

  function granted(workspace: SiteWorkspace, scopes: readonly string[], orgWide: boolean, pair: object) {
    return {
      ok: true,
      ...pair,
      token_type: "bot",
      scope: scopes.join(","),
      bot_user_id: workspace.botUser,
      app_id: "A0AGENT",
      team: orgWide ? null : { id: workspace.id, name: workspace.name },
      enterprise: workspace.enterprise === undefined ? null : { id: workspace.enterprise, name: "Organisation" },
      is_enterprise_install: orgWide,
      authed_user: { id: "U0INSTALLER" },
    };
  }

  /** https://docs.slack.dev/reference/methods/oauth.v2.access */
  function access(args: Readonly<Record<string, string>>): object {
    if (args.client_id !== o.clientId) return no("invalid_client_id");
    if (args.client_secret !== o.clientSecret) return no("bad_client_secret");
    if (args.grant_type === "refresh_token") {
      const given = args.refresh_token ?? "";
      const known = refreshes.get(given);
      if (known === undefined) return no("invalid_refresh_token");
      refreshes.delete(given);
      const workspace = workspaces.get(known.workspace);
      if (workspace === undefined) return no("invalid_refresh_token");
      return granted(workspace, known.scopes, false, issue(workspace.id, known.scopes));
    }
    const code = codes.get(args.code ?? "");
    codes.delete(args.code ?? "");
    if (code === undefined || now() - code.at > CODE_MS) return no("invalid_code");
    if (args.redirect_uri !== o.redirectUrl) return no("bad_redirect_uri");
    const workspace = workspaces.get(code.workspace);
    if (workspace === undefined) return no("invalid_code");
    return granted(workspace, code.scopes, code.orgWide, issue(workspace.id, code.scopes));
  }

  function remove(id: string): void {
    for (const [token, { workspace }] of tokens) {
      if (workspace !== id) continue;
      tokens.delete(token);
      removed.add(token);
    }
    for (const [token, { workspace }] of refreshes) if (workspace === id) refreshes.delete(token);
  }

  function own(method: string, workspace: SiteWorkspace, args: Readonly<Record<string, string>>): object | null {
    if (method === "apps.uninstall") {
      if (args.client_id !== o.clientId) return no("invalid_client_id");
      if (args.client_secret !== o.clientSecret) return no("bad_client_secret");
      remove(workspace.id);
      return { ok: true };
    }
    if (workspace.api !== undefined) return null;
    if (method !== "auth.test") return no("unknown_method");
    const { id, name, enterprise, botUser, botId, saysOfItself } = workspace;
    return {
      ...{ ok: true, url: `https://${name.toLowerCase()}.slack.test/`, team: name, team_id: id },
      ...{ user_id: botUser, bot_id: botId, is_enterprise_install: false },
      ...(enterprise === undefined ? {} : { enterprise_id: enterprise }),
      ...saysOfItself,
    };
  }

  async function answer(method: string, raw: string, type: string, authorization: string): Promise<Response> {
    const args = Object.fromEntries(new URLSearchParams(raw));
    const bearer = /^Bearer (.+)$/.exec(authorization)?.[1] ?? args.token ?? "";
    const token = tokens.get(bearer);
    const said = (body: object, headers: Readonly<Record<string, string>> = {}) => {
      const error = "error" in body ? String(body.error) : null;
      asked.push({ method, workspace: token?.workspace ?? null, error, args });
      return Response.json(body, { headers });
    };
    const known = method === "oauth.v2.access" || method === "apps.uninstall";
    const checked = known ? checkCall(method, args) : null;
    if (checked?.ok === false) return said(no(checked.error));
    const fault = faults.get(method)?.shift();
    if (fault !== undefined && "error" in fault) return said(no(fault.error));
    if (fault !== undefined && fault.lost === "before") throw new TypeError("fetch failed");
    if (method === "oauth.v2.access") {
      const done = said(access(args));
      if (fault !== undefined) throw new TypeError("the answer was lost");
      return done;
    }
    const workspace = token && workspaces.get(token.workspace);
    if (removed.has(bearer)) return said(no("account_inactive"));
    if (token === undefined || workspace === undefined) return said(no(bearer === "" ? "not_authed" : "invalid_auth"));
    if (token.endsAt !== null && now() >= token.endsAt) return said(no("token_expired"));
    const headers = { "x-oauth-scopes": token.scopes.join(",") };
    const mine = own(method, workspace, args);
    if (mine !== null) return said(mine, headers);
    asked.push({ method, workspace: workspace.id, error: null, args });
    const theirs = await (workspace.api ?? unanswered)(method, raw, type);
    return new Response(await theirs.text(), {
      status: theirs.status,
      headers: { ...Object.fromEntries(theirs.headers.entries()), ...headers },
    });
  }

  const app = new Hono();
  // What is lost is no answer of Slack's, whatever carries it.
  app.onError(() => new Response("", { status: 503 }));
  app.post("/api/:method", async (c) =>
    answer(
      c.req.param("method"),
      await c.req.text(),
      c.req.header("content-type") ?? "",
      c.req.header("authorization") ?? "",
    ),
  );

  /** What Slack's page needs of the address; throws on what Slack would show an error for. */
  function readAddress(address: string): { state: string; scopes: readonly string[] } {
    const { pathname, searchParams } = new URL(address);
    if (pathname !== "/oauth/v2/authorize") throw new Error(`Slack has no page at ${pathname}`);
    if (searchParams.get("client_id") !== o.clientId) throw new Error("Slack knows no such client_id");
    if (searchParams.get("redirect_uri") !== o.redirectUrl) throw new Error("redirect_uri did not match");
    const scopes = (searchParams.get("scope") ?? "").split(",");
    const strange = scopes.filter((scope) => !scopesNeeded().has(scope));
    if (strange.length > 0) throw new Error(`invalid_scope: ${strange.join(", ")}`);
    return { state: searchParams.get("state") ?? "", scopes };
  }

  const back = (query: Readonly<Record<string, string>>) => `${o.redirectUrl}?${new URLSearchParams(query)}`;

  return {
    app,
    fetch: async (url, init) => app.request(String(url), init),
    asked,
    of: (method) => asked.filter((one) => one.method === method),
    consent(address, { workspace, orgWide = false, scopes }) {
      const read = readAddress(address);
      const code = random("code-");
      codes.set(code, { at: now(), workspace, orgWide, scopes: scopes ?? read.scopes });
      return back({ code, state: read.state });
    },
    decline: (address) => back({ error: "access_denied", state: readAddress(address).state }),
    expire(id) {
      for (const token of tokens.values()) if (token.workspace === id) token.endsAt = now();
    },
    fail(method, fault, times = 1) {
      faults.set(method, [...(faults.get(method) ?? []), ...Array<Fault>(times).fill(fault)]);
    },
    takes(id, text) {
      const token = tokens.get(text);
      return token?.workspace === id && (token.endsAt === null || now() < token.endsAt);
    },
    remove,
  };
}

const no = (error: string) => ({ ok: false, error });

const unanswered = (method: string): Promise<Response> => Promise.reject(new Error(`nobody answers ${method}`));
