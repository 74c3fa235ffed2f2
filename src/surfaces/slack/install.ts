import { createHash, randomBytes } from "node:crypto";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { z } from "zod";
import type { WorkspaceStore } from "#ports/workspaces.ts";
import { ATTEMPT_S, asText, attemptCookie } from "#surfaces/web/attempt.ts";
import { PAGE_HEADERS, renderNote } from "#surfaces/web/frame.ts";
import { ownName } from "#surfaces/web/gate.ts";
import { scopesNeeded } from "./needs.ts";
import type { Log } from "./whisper.ts";

export const INSTALL_AT = "/slack/install";
/** Below the public address; the Slack app's settings name it. */
export const INSTALLED_AT = "/slack/oauth_redirect";

/** What we make is 43 letters; Slack's codes are shorter than this. */
const VALUE = /^[A-Za-z0-9_-]{43}$/;
const CODE_MOST = 512;

export interface InstallRoutes {
  /** Who may begin: the operator. */
  readonly gate: readonly MiddlewareHandler[];
  readonly attempts: Pick<WorkspaceStore, "begin" | "redeem">;
  /** Where Slack asks for the yes. */
  readonly address: (o: { readonly state: string; readonly scopes: readonly string[] }) => string;
  /** What comes of a code. Throws when Slack does not answer. */
  readonly install: (
    code: string,
  ) => Promise<
    | { readonly kind: "installed"; readonly id: string; readonly name: string; readonly scopes: readonly string[] }
    | { readonly kind: "org_wide" }
    | { readonly kind: "not_allowed"; readonly id: string; readonly name: string; readonly left: boolean }
    | { readonly kind: "refused"; readonly why: string }
  >;
  /** Where people open us. */
  readonly baseUrl: string;
  readonly log: Log;
}

/** The way into a workspace: off to Slack, and back with its yes. Mount at the root. */
export function installRoutes(o: InstallRoutes): Hono {
  const browsers = attemptCookie({
    name: "countersign_install",
    baseUrl: o.baseUrl,
    holds: asText(z.string().regex(VALUE)),
  });
  const app = new Hono();

  app.use(INSTALL_AT, ...o.gate);
  app.get(INSTALL_AT, async (c) => {
    const [state, browser] = [fresh(), fresh()];
    await o.attempts.begin({ state: digestOf(state), browser: digestOf(browser), ttlMs: ATTEMPT_S * 1_000 });
    browsers.begin(c, browser);
    return c.redirect(o.address({ state, scopes: [...scopesNeeded().keys()] }), 302);
  });

  // Not behind the gate: who holds the cookie has passed it.
  app.get(INSTALLED_AT, ownName(o.baseUrl), async (c) => {
    const [state, browser] = [c.req.query("state") ?? "", browsers.take(c)];
    const ours = VALUE.test(state) && browser !== null;
    if (!ours || !(await o.attempts.redeem({ state: digestOf(state), browser: digestOf(browser) }))) {
      o.log("an installation that was not begun here, or not in time, was refused");
      return say(c, 400, "The installation did not work", [
        "It took too long, was begun in another browser, or was used before. Begin again.",
      ]);
    }
    const [code, error] = [c.req.query("code") ?? "", c.req.query("error")];
    if (error !== undefined || code === "" || code.length > CODE_MOST) {
      o.log("Slack sent somebody back without a code", { error: error?.slice(0, 100) });
      return error === "access_denied"
        ? say(c, 400, "Nothing was installed", ["At Slack somebody said no. The workspace is as it was."])
        : say(c, 400, "Slack did not let it be installed", [
            "Slack sent you back without a code. In many workspaces its owners have to approve an app first: ask them, then begin again.",
          ]);
    }
    return answer(c, code);
  });

  async function answer(c: Context, code: string): Promise<Response> {
    let done: Awaited<ReturnType<InstallRoutes["install"]>>;
    try {
      done = await o.install(code);
    } catch (error) {
      o.log("an installation could not be finished", { level: "error", error: String(error) });
      return say(c, 503, "Slack does not answer", [
        "The yes could not be turned into an installation, and nothing was kept. Begin again in a minute.",
      ]);
    }
    switch (done.kind) {
      case "installed":
        return installed(c, done);
      case "org_wide":
        return say(c, 403, "One workspace at a time", [
          "This was for a whole organisation, and Countersign works in workspaces. Nothing was kept.",
          "Begin again and choose one workspace at the top of Slack's page; then the next.",
        ]);
      case "not_allowed":
        return say(c, 403, "This workspace may not install it", [
          `${done.name} (${done.id}) is not one of the workspaces in COUNTERSIGN_SLACK_WORKSPACES. Nothing was kept.`,
          done.left
            ? "Slack did not let us take the app out again: remove it there, under Manage apps."
            : "The app was taken out of it again.",
        ]);
      case "refused":
        o.log("Slack refused an installation", { why: done.why });
        return say(c, 400, "Slack did not let it be installed", [
          `Slack says ${done.why}. A code is good once and for ten minutes: begin again.`,
          "If it says so again, compare SLACK_CLIENT_ID and SLACK_CLIENT_SECRET with the app's Basic Information.",
        ]);
    }
  }
  return app;
}

function installed(c: Context, done: { readonly name: string; readonly scopes: readonly string[] }): Response {
  const missing = [...scopesNeeded()].filter(([scope]) => !done.scopes.includes(scope));
  return c.body(
    renderNote({
      title: `Countersign is in ${done.name}`,
      words: [
        "Invite it to a channel that policy names: /invite @agent. A request in another channel is refused.",
        ...(missing.length === 0
          ? []
          : [
              `Slack did not grant ${missing.map(([scope]) => scope).join(", ")}; countersign doctor says what is missing with it.`,
            ]),
      ],
      action: { text: "Install it in another workspace", href: INSTALL_AT },
    }),
    200,
    PAGE_HEADERS,
  );
}

const say = (c: Context, status: 400 | 403 | 503, title: string, words: readonly string[]): Response =>
  c.body(renderNote({ title, words, action: { text: "Begin again", href: INSTALL_AT } }), status, PAGE_HEADERS);

const fresh = (): string => randomBytes(32).toString("base64url");

/** What the store keeps: who reads it can finish nothing with it. */
const digestOf = (value: string): string => createHash("sha256").update(`install:${value}`).digest("base64url");
