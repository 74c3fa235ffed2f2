import { timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import type { House } from "./house.ts";
import type { Method } from "./methods/call.ts";
import { CHAT } from "./methods/chat.ts";
import { CONVERSATIONS } from "./methods/conversations.ts";
import { type AppSettings, exportManifest } from "./methods/manifest.ts";
import { PEOPLE } from "./methods/people.ts";
import { STREAM } from "./methods/stream.ts";
import { THREADS } from "./methods/threads.ts";
import { viewMethods } from "./methods/views.ts";
import { EVERY_SCOPE, missingScope } from "./scopes.ts";
import type { Sockets } from "./sockets.ts";
import type { Triggers } from "./triggers.ts";
import { checkCall, knowsMethod } from "./validate.ts";
import type { JsonObject } from "./world.ts";

/** Makes the next calls of a method fail, for tests: 429 as Slack limits, anything else as Slack breaks. */
export interface Fault {
  readonly method: string;
  readonly status: number;
  /** Seconds, for 429. */
  readonly retryAfter: number;
  readonly times: number;
}

export interface WebApi {
  handle(c: Context): Promise<Response>;
  fault(fault: Fault): void;
  clearFaults(): void;
  /** The app was installed without these scopes. */
  withhold(scopes: readonly string[]): void;
}

/** A body as it came: JSON, or the fields of a form. Throws what cannot be read. */
async function readBody(c: Context): Promise<Record<string, unknown>> {
  const type = c.req.header("content-type") ?? "";
  const raw = await c.req.text();
  if (!type.startsWith("application/json")) return Object.fromEntries(new URLSearchParams(raw));
  const body: unknown = raw === "" ? {} : JSON.parse(raw);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new SyntaxError("The body is not an object.");
  return body as Record<string, unknown>;
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Slack's Web API under one path. Whatever is wrong with a call is HTTP 200 and `ok: false`, as Slack does it. */
export function webApi(o: {
  house: House;
  botToken: string;
  triggers: Triggers;
  /** `null`: the app has no app-level token, and Socket Mode is off. */
  socketMode: { readonly appToken: string; readonly sockets: Sockets } | null;
  /** `null`: no token shows the app's settings. */
  settings: AppSettings | null;
}): WebApi {
  const { socketMode } = o;
  let granted = EVERY_SCOPE;
  const methods: Readonly<Record<string, Method>> = {
    ...CHAT,
    ...STREAM,
    ...CONVERSATIONS,
    ...PEOPLE,
    ...THREADS,
    ...viewMethods(o.triggers),
  };
  const faults = new Map<string, Fault>();
  const { journal } = o.house;

  function injected(method: string): Fault | null {
    const fault = faults.get(method) ?? faults.get("*");
    if (!fault) return null;
    if (fault.times <= 1) faults.delete(fault.method);
    else faults.set(fault.method, { ...fault, times: fault.times - 1 });
    return fault;
  }

  /** For an app-level token alone: https://docs.slack.dev/reference/methods/apps.connections.open */
  async function openConnection(bearer: string): Promise<JsonObject> {
    if (sameText(bearer, o.botToken)) return { ok: false, error: "not_allowed_token_type" };
    if (socketMode === null || !sameText(bearer, socketMode.appToken))
      return { ok: false, error: bearer ? "invalid_auth" : "not_authed" };
    return { ok: true, url: await socketMode.sockets.address() };
  }

  async function answer(
    method: string,
    given: Readonly<Record<string, unknown>>,
    authorization: string,
    origin: string,
  ): Promise<JsonObject> {
    const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
    const bearer = /^Bearer (.+)$/.exec(authorization)?.[1] ?? (typeof given.token === "string" ? given.token : "");
    if (method === "apps.connections.open") return openConnection(bearer);
    if (method === "apps.manifest.export")
      return exportManifest({
        settings: o.settings,
        appId: o.house.world.seed.app.id,
        bearer,
        isApps: [o.botToken, socketMode?.appToken ?? o.botToken].some((token) => sameText(bearer, token)),
        given,
        now: o.house.now(),
      });
    if (!run || !knowsMethod(method)) return { ok: false, error: "unknown_method", req_method: method };
    if (socketMode !== null && method !== "auth.test" && sameText(bearer, socketMode.appToken))
      return { ok: false, error: "not_allowed_token_type" };
    if (method !== "api.test" && !sameText(bearer, o.botToken))
      return { ok: false, error: bearer ? "invalid_auth" : "not_authed" };
    const missing = missingScope(method, granted);
    if (missing !== null) return { ok: false, error: "missing_scope", ...missing };
    const checked = checkCall(method, given);
    if (checked.ok) return run({ house: o.house, args: checked.args, origin });
    const { error, messages } = checked;
    return { ok: false, error, ...(messages.length > 0 ? { response_metadata: { messages } } : {}) };
  }

  return {
    fault: (fault) => faults.set(fault.method, fault),
    clearFaults: () => faults.clear(),
    withhold(scopes) {
      granted = EVERY_SCOPE.filter((scope) => !scopes.includes(scope));
    },
    async handle(c) {
      const method = c.req.param("method") ?? "";
      const origin = new URL(c.req.url).origin;
      const fault = injected(method);
      if (fault) {
        journal.log("api", {
          method,
          ok: false,
          error: fault.status === 429 ? "ratelimited" : `http ${fault.status}`,
          injected: true,
        });
        const body = JSON.stringify({ ok: false, error: fault.status === 429 ? "ratelimited" : "internal_error" });
        const headers = {
          "content-type": "application/json",
          ...(fault.status === 429 ? { "retry-after": String(fault.retryAfter) } : {}),
        };
        return new Response(body, { status: fault.status, headers });
      }
      let given: Record<string, unknown>;
      try {
        given = await readBody(c);
      } catch (error) {
        journal.log("api", { method, ok: false, error: "invalid_json", detail: String(error) });
        return c.json({ ok: false, error: "invalid_json" });
      }
      const body = await answer(method, given, c.req.header("authorization") ?? "", origin);
      const { token: _, ...args } = given;
      journal.log("api", {
        method,
        args,
        ok: body.ok,
        ...(body.ok
          ? {}
          : {
              error: body.error,
              ...("response_metadata" in body ? { response_metadata: body.response_metadata } : {}),
            }),
        ...("ts" in body ? { ts: body.ts } : {}),
      });
      return c.json(body, 200, { "x-oauth-scopes": granted.join(",") });
    },
  };
}
