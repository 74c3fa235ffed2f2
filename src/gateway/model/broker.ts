import type { IncomingMessage, ServerResponse } from "node:http";
import type { Broker } from "#gateway/data.ts";
import { type Denial, refuse } from "#gateway/denial.ts";
import { drained } from "#gateway/drained.ts";
import type { ModelUpstream } from "#gateway/settings.ts";
import { tokenOf } from "#gateway/token.ts";
import { turnstile } from "#gateway/turnstile.ts";
import { below, callUpstream } from "#gateway/upstream.ts";
import { admit, record, type Wall } from "#gateway/wall.ts";
import { matchesAnyText } from "#policy/match/glob.ts";
import type { Grant } from "#ports/gateway.ts";
import { plainAnswer } from "./answer.ts";
import { openBills } from "./bills.ts";
import { outgoingBody, readCall } from "./call.ts";
import type { ModelApi } from "./dialect.ts";
import type { InFlight } from "./in-flight.ts";
import type { Ledger } from "./ledger.ts";
import { openPurse, shortOf } from "./purse.ts";
import { reachesOut } from "./reach.ts";
import { streamAnswer } from "./stream.ts";

interface Route {
  readonly service: "openai" | "anthropic";
  readonly method: "GET" | "POST";
  /** Below the upstream's base URL. */
  readonly path: string;
  /** `null`: free of charge, passed on as it is. */
  readonly api: ModelApi | null;
}

/** All that a sandbox may ask of a model service. Files, batches, assistants and the rest are not here on purpose. */
const ROUTES: Readonly<Record<string, Route>> = {
  "/model/openai/v1/chat/completions": { service: "openai", method: "POST", path: "chat/completions", api: "chat" },
  "/model/openai/v1/responses": { service: "openai", method: "POST", path: "responses", api: "responses" },
  "/model/openai/v1/models": { service: "openai", method: "GET", path: "models", api: null },
  "/model/anthropic/v1/messages": { service: "anthropic", method: "POST", path: "v1/messages", api: "messages" },
  "/model/anthropic/v1/messages/count_tokens": {
    service: "anthropic",
    method: "POST",
    path: "v1/messages/count_tokens",
    api: null,
  },
};

/** Requests of one sandbox that are read at once, and answers that are under way: of a cheap model a budget pays many. */
const AT_ONCE = 64;
const PASSED_ON = ["accept", "user-agent", "anthropic-version"];
/** The beta whose header alone makes tokens dearer: above 200,000 of input Anthropic doubles the price. */
const DEARER_BETA = /^context-1m-/;

/**
 * The model services under base URLs of ours. The real key is added here, usage is metered on the way back, and every
 * refusal is a 403: agents stop at once on it, and retry for a minute on 401, 429 or a cut connection.
 */
export function modelBroker(wall: Wall, ledger: Ledger, inFlight: InFlight): Broker {
  const reading = turnstile(AT_ONCE);
  const answering = turnstile(AT_ONCE);
  const bills = openBills(wall);
  return async ({ carrier, req, res, target }) => {
    const path = target.split("?", 1)[0] ?? "";
    const route = ROUTES[path];
    const service = route?.service ?? (path.startsWith("/model/anthropic/") ? "anthropic" : "openai");
    const upstream = wall.config.models[service];
    const token = tokenOf(req.headers.authorization) ?? keyHeader(req);
    const admission = admit(wall, token, carrier);
    const { run, sandbox } = admission.ok ? admission.grant : admission;
    const deny = async (denial: Denial) => {
      const line = { run, sandbox, ...placeOf(upstream), method: req.method ?? null, outcome: "deny" } as const;
      const { reason, rule } = denial;
      const written = await record(wall, { kind: "egress", via: "model", ...line, reason, rule });
      refuse(res, written ? denial : { status: 403, reason: "fail_closed", rule: null });
    };
    if (!admission.ok) return await deny({ status: 403, reason: admission.reason, rule: null });
    if (!route) return await deny({ status: 403, reason: "path", rule: null });
    if (req.method !== route.method) return await deny({ status: 403, reason: "method", rule: null });
    if (!upstream) return await deny({ status: 403, reason: "not_configured", rule: null });
    if (admission.grant.models.length === 0) return await deny({ status: 403, reason: "model", rule: null });

    const bytes = await reading(admission.grant.sandbox, () => readBody(req, wall.world.limits.modelBodyBytes));
    if (bytes === "busy") return await deny({ status: 403, reason: "connections", rule: null });
    if (bytes === "left") return await deny({ status: 400, reason: "bad_request", rule: null });
    if (bytes === null) return await deny({ status: 413, reason: "limit", rule: null });
    // Its body may have taken its time: the grant that stands now is the one that counts.
    const still = admit(wall, token, carrier);
    if (!still.ok) return await deny({ status: 403, reason: still.reason, rule: null });
    const { grant } = still;
    const send = (body: string | null, signal: AbortSignal) =>
      callUpstream(below(upstream.baseUrl, route.path), {
        method: route.method,
        headers: upstreamHeaders(req, route.service, upstream, body),
        body,
        signal,
      });
    const free = { grant, res, upstream, method: route.method };
    if (route.method === "GET") return await passOn(wall, free, (signal) => send(null, signal));

    const call = readCall(route.api ?? "messages", bytes);
    if (!call) return await deny({ status: 400, reason: "bad_request", rule: null });
    if (!matchesAnyText(grant.models, call.model)) {
      return await deny({ status: 403, reason: "model", rule: null, detail: `It was "${call.model}".` });
    }
    const reach = reachesOut(call);
    if (reach) return await deny({ status: 403, reason: "model_tool", rule: null, detail: `It was ${reach}.` });
    // As we have read it, not as it came: of a doubled field the service might read the other one.
    if (route.api === null) return await passOn(wall, free, (signal) => send(JSON.stringify(call.body), signal));
    if (!(await bills.areWritten())) return await deny({ status: 403, reason: "fail_closed", rule: null });
    const answered = await answering(grant.sandbox, async () => {
      const purse = openPurse(ledger, grant, call);
      if (!purse)
        return await deny({ status: 403, reason: "budget", rule: null, detail: shortOf(ledger, grant, call) });
      const body = outgoingBody(call, purse.maxOutput, isOpenAi(upstream));
      const place = placeOf(upstream);
      const books = { inFlight, bills, key: upstream.key };
      try {
        await streamAnswer(wall, ledger, {
          ...books,
          grant,
          call,
          purse,
          place,
          res,
          send: (signal) => send(body, signal),
        });
      } finally {
        purse.release();
      }
    });
    if (answered === "busy") await deny({ status: 403, reason: "connections", rule: null });
  };
}

const isOpenAi = (upstream: ModelUpstream): boolean =>
  /(?:^|\.)openai(?:\.azure)?\.com$/.test(new URL(upstream.baseUrl).hostname);

function keyHeader(req: IncomingMessage): string | null {
  const value = req.headers["x-api-key"];
  return typeof value === "string" && value !== "" ? value : null;
}

function placeOf(upstream: ModelUpstream | null): { host: string; port: number } {
  if (!upstream) return { host: "", port: 0 };
  const url = new URL(upstream.baseUrl);
  return { host: url.hostname, port: Number(url.port) || (url.protocol === "https:" ? 443 : 80) };
}

function upstreamHeaders(
  req: IncomingMessage,
  service: "openai" | "anthropic",
  upstream: ModelUpstream,
  body: string | null,
): Record<string, string> {
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  for (const name of PASSED_ON) {
    const value = req.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  const betas = String(req.headers["anthropic-beta"] ?? "").split(",");
  const kept = betas.map((beta) => beta.trim()).filter((beta) => beta !== "" && !DEARER_BETA.test(beta));
  if (kept.length > 0) headers["anthropic-beta"] = kept.join(",");
  if (body !== null) {
    // What goes out was written here, whatever the client called what it sent.
    headers["content-type"] = "application/json";
    headers["content-length"] = String(Buffer.byteLength(body));
  }
  if (upstream.key && service === "openai") headers.authorization = `Bearer ${upstream.key.reveal()}`;
  if (upstream.key && service === "anthropic") headers["x-api-key"] = upstream.key.reveal();
  return headers;
}

/** `null`: larger than `max`. "left": the client went away in the middle. */
async function readBody(req: IncomingMessage, max: number): Promise<Buffer | null | "left"> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of req as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > max) return null;
      chunks.push(chunk);
    }
  } catch {
    return "left";
  }
  return Buffer.concat(chunks);
}

/** For what costs nothing: the list of models, counting tokens. Not a metered call, so its line is an egress line. */
async function passOn(
  wall: Wall,
  o: { grant: Grant; res: ServerResponse; upstream: ModelUpstream; method: string },
  send: (signal: AbortSignal) => Promise<IncomingMessage>,
): Promise<void> {
  const { res, upstream } = o;
  const { run, sandbox } = o.grant;
  const stop = new AbortController();
  res.once("close", () => stop.abort());
  const line = { run, sandbox, ...placeOf(upstream), method: o.method, outcome: "allow", reason: "rule" } as const;
  if (!(await record(wall, { kind: "egress", via: "model", ...line, rule: null }))) {
    return refuse(res, { status: 403, reason: "fail_closed", rule: null });
  }
  try {
    const answer = plainAnswer(await send(stop.signal), upstream.key);
    res.writeHead(answer.status, answer.headers);
    for await (const chunk of answer.body as AsyncIterable<Buffer>) if (!res.write(chunk)) await drained(res);
    res.end();
  } catch {
    refuse(res, { status: 502, reason: "unreachable", rule: null });
  }
}
