import type { IncomingMessage, ServerResponse } from "node:http";
import { denialText, refuse } from "#gateway/denial.ts";
import { drained } from "#gateway/drained.ts";
import { record, type Wall } from "#gateway/wall.ts";
import type { Grant } from "#ports/gateway.ts";
import type { ModelCall } from "./call.ts";
import type { ModelApi } from "./dialect.ts";
import type { InFlight } from "./in-flight.ts";
import { type Ledger, NO_USAGE } from "./ledger.ts";
import { bodyMeter, streamMeter } from "./meter.ts";
import { pricesFor } from "./prices.ts";
import { type Purse, settled } from "./purse.ts";

const ANSWER_HEADERS = [
  "content-type",
  "content-encoding",
  "cache-control",
  "request-id",
  "x-request-id",
  "retry-after",
];

/** Why an answer was ended before its end. */
type Stop = "client" | "run_over" | "idle" | "budget";

interface Exchange {
  readonly grant: Grant;
  readonly call: ModelCall;
  readonly purse: Purse;
  readonly place: { readonly host: string; readonly port: number };
  readonly res: ServerResponse;
  /** Written down before the call goes out: a killed gateway's successor charges what it finds unfinished. */
  readonly inFlight: InFlight;
  send(signal: AbortSignal): Promise<IncomingMessage>;
}

/**
 * Makes the call and streams its answer through, counting. The "model" line is written, and the money counted, before
 * the client sees the end, so that whoever saw the end can ask what it cost.
 */
export async function streamAnswer(wall: Wall, ledger: Ledger, exchange: Exchange): Promise<void> {
  const { grant, call, purse, res } = exchange;
  const startedAt = wall.world.now();
  const abort = new AbortController();
  const ending: { why: Stop | null } = { why: null };
  const stop = (why: Stop) => {
    ending.why ??= why;
    abort.abort();
  };
  const idle = setTimeout(() => stop("idle"), wall.world.limits.modelIdleMs);
  const onClose = () => stop("client");
  res.once("close", onClose);
  const remove = wall.connections.add({ sandbox: grant.sandbox, destination: null, cut: () => stop("run_over") });

  const { inputTokens } = purse;
  const finished = await exchange.inFlight.begin({
    run: grant.run,
    sandbox: grant.sandbox,
    model: call.model,
    inputTokens,
  });
  let status = 502;
  let meter = bodyMeter(call.api);
  let begun = false;
  try {
    const incoming = await exchange.send(abort.signal);
    // A bad key of ours reads as 401; agents retry on that for half a minute, and no retry mends it.
    status = incoming.statusCode === 401 ? 403 : (incoming.statusCode ?? 502);
    const streamed = /text\/event-stream/.test(incoming.headers["content-type"] ?? "");
    if (streamed) meter = streamMeter(call.api);
    res.writeHead(status, answerHeaders(incoming));
    begun = true;
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      idle.refresh();
      meter.push(chunk);
      if (streamed && status < 400 && !purse.grow(meter.outputFloor())) {
        stop("budget");
        break;
      }
      if (!res.write(chunk)) await drained(res);
      if (ending.why) break;
    }
  } catch {
    // Aborted by us (`ending` says why) or cut by the upstream; both are settled below at what surely happened.
    ending.why ??= begun ? "idle" : null;
  } finally {
    clearTimeout(idle);
    remove();
    res.off("close", onClose);
  }

  const answered = begun && status < 400;
  const floor = { input: inputTokens, output: meter.outputFloor() };
  // A call that was stopped before an answer began may still have been computed: its input is the least it cost.
  const charged = answered || ending.why !== null;
  const counted = meter.usage();
  const usage = charged ? settled(call, counted, floor) : { ...NO_USAGE, calls: 1 };
  if (answered && counted !== null) purse.learn(counted.input);
  const durationMs = wall.world.now() - startedAt;
  const prices = pricesFor(call.model);
  const line = { run: grant.run, sandbox: grant.sandbox, model: call.model, status, usage, prices, durationMs };
  ledger.count({ kind: "model", id: "", at: "", ...line });
  if (await record(wall, { kind: "model", ...line })) await finished();
  if (ending.why === "budget") {
    const refusal = { ...exchange.place, method: "POST", outcome: "deny", reason: "budget", rule: null } as const;
    await record(wall, { kind: "egress", via: "model", run: grant.run, sandbox: grant.sandbox, ...refusal });
  }
  finish(exchange, begun, ending.why);
}

function answerHeaders(incoming: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of ANSWER_HEADERS) {
    const value = incoming.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  return headers;
}

function finish(exchange: Exchange, begun: boolean, stopped: Stop | null): void {
  const { res, call } = exchange;
  if (res.destroyed) return;
  if (!begun) {
    const denial =
      stopped === "run_over" ? { status: 403, reason: "run_over" } : { status: 502, reason: "unreachable" };
    refuse(res, { ...denial, rule: null });
  } else if (stopped === null) res.end();
  // The client reads an error event, never a bare cut: a cut is retried for a minute.
  else if (call.streamed) res.end(errorEvent(call.api, stopped));
  else res.destroy();
}

function errorEvent(api: ModelApi, stopped: Stop): string {
  const reason = stopped === "budget" || stopped === "run_over" ? stopped : "unreachable";
  const message = `countersign: ${denialText({ status: 403, reason, rule: null })}`;
  if (api === "messages") {
    return `event: error\ndata: ${JSON.stringify({ type: "error", error: { type: "permission_error", message } })}\n\n`;
  }
  if (api === "responses") return `event: error\ndata: ${JSON.stringify({ type: "error", code: reason, message })}\n\n`;
  return `data: ${JSON.stringify({ error: { type: "permission_error", code: reason, message } })}\n\ndata: [DONE]\n\n`;
}
