import type { IncomingMessage, ServerResponse } from "node:http";
import { denialText, refuse } from "#gateway/denial.ts";
import { drained } from "#gateway/drained.ts";
import { record, type Wall } from "#gateway/wall.ts";
import type { Grant } from "#ports/gateway.ts";
import type { Secret } from "#ports/secret.ts";
import { type PlainAnswer, plainAnswer } from "./answer.ts";
import type { Bills } from "./bills.ts";
import type { ModelCall } from "./call.ts";
import type { ModelApi } from "./dialect.ts";
import type { InFlight } from "./in-flight.ts";
import { type Ledger, NO_USAGE } from "./ledger.ts";
import { bodyMeter, type Meter, streamMeter } from "./meter.ts";
import { pricesFor } from "./prices.ts";
import type { Purse } from "./purse.ts";
import { settle } from "./settle.ts";

/** Somebody in between lost patience: the model may have worked to its end. */
const GAVE_UP = new Set([408, 499, 504, 522, 523, 524]);
/** What a connection fails with that never was one. Then nothing was asked of the model. */
const NOT_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

/** Why an answer was ended before its end. */
type Stop = "client" | "run_over" | "idle" | "budget" | "fail_closed";

interface Exchange {
  readonly grant: Grant;
  readonly call: ModelCall;
  readonly purse: Purse;
  readonly place: { readonly host: string; readonly port: number };
  readonly res: ServerResponse;
  /** Written down before the call goes out: a killed gateway's successor charges what it finds unfinished. */
  readonly inFlight: InFlight;
  readonly bills: Bills;
  /** The service's real key, which must not come back. */
  readonly key: Secret | null;
  send(signal: AbortSignal): Promise<IncomingMessage>;
}

/**
 * Makes the call and streams its answer through, counting. The "model" line is written, and the money counted, before
 * the client sees the end, so that whoever saw the end can ask what it cost.
 */
export async function streamAnswer(wall: Wall, ledger: Ledger, exchange: Exchange): Promise<void> {
  const { grant, call, purse, res } = exchange;
  const { run, sandbox } = grant;
  const startedAt = wall.world.now();
  const { inputTokens } = purse;
  let finished: () => Promise<void>;
  try {
    finished = await exchange.inFlight.begin({ run, sandbox, model: call.model, inputTokens });
  } catch {
    return refuse(res, { status: 403, reason: "fail_closed", rule: null });
  }
  const passed = await pass(wall, exchange);

  const { answer, meter, stopped } = passed;
  const status = answer?.status ?? 502;
  const answered = answer !== null && status < 400;
  const floor = { input: inputTokens, output: meter.outputFloor() };
  // A call that was stopped before an answer began may still have been computed: its input is the least it cost.
  const charged = answered || stopped !== null;
  const counted = meter.counted();
  const whole = answered && stopped === null;
  const settled = settle(call, counted, floor, whole);
  const usage = charged ? settled.usage : { ...NO_USAGE, calls: 1 };
  if (answered && counted.input !== undefined) purse.learn(counted.input);
  const durationMs = wall.world.now() - startedAt;
  // A service that never counts says nothing by not counting: its whole answer is charged at its text, as far as it goes.
  if (charged && !whole) {
    const streamedMs = call.streamed ? durationMs : null;
    purse.holdRest(settled, { streamedMs, outputSeen: meter.outputSeen() });
  } else if (!charged && passed.mayHaveCost) {
    purse.holdRest({ usage, known: { input: false, output: false } }, { streamedMs: null, outputSeen: 0 });
  }
  const line = { run, sandbox, model: call.model, status, usage, prices: pricesFor(call.model), durationMs };
  ledger.count({ kind: "model", id: "", at: "", ...line });
  const written = await exchange.bills.write({ kind: "model", ...line }, finished);
  if (stopped === "budget") {
    const refusal = { ...exchange.place, method: "POST", outcome: "deny", reason: "budget", rule: null } as const;
    await record(wall, { kind: "egress", via: "model", run, sandbox, ...refusal });
  }
  finish(exchange, answer !== null, written ? stopped : (stopped ?? "fail_closed"));
}

interface Passed {
  /** `null`: there was none, or none that could be read. */
  readonly answer: PlainAnswer | null;
  readonly meter: Meter;
  readonly stopped: Stop | null;
  /** Nothing came back that says so, and still the model may have worked. */
  readonly mayHaveCost: boolean;
}

/** Carries the answer to the client, piece by piece through the meter, until one of the two or the run is at its end. */
async function pass(wall: Wall, exchange: Exchange): Promise<Passed> {
  const { grant, call, purse, res } = exchange;
  const abort = new AbortController();
  const ending: { why: Stop | null } = { why: null };
  let waiting = false;
  const stop = (why: Stop) => {
    ending.why ??= why;
    abort.abort();
    // Who does not read will not read an ending either.
    if (waiting) res.destroy();
  };
  const idle = setTimeout(() => stop("idle"), wall.world.limits.modelIdleMs);
  const onClose = () => stop("client");
  res.once("close", onClose);
  const remove = wall.connections.add({ sandbox: grant.sandbox, destination: null, cut: () => stop("run_over") });
  let meter = bodyMeter(call.api);
  let answer: PlainAnswer | null = null;
  let mayHaveCost = true;
  try {
    const incoming = await exchange.send(abort.signal);
    mayHaveCost = (incoming.statusCode ?? 200) < 400 || GAVE_UP.has(incoming.statusCode ?? 200);
    answer = plainAnswer(incoming, exchange.key);
    const { status, streamed } = answer;
    if (streamed) meter = streamMeter(call.api);
    res.writeHead(status, answer.headers);
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      idle.refresh();
      meter.push(chunk);
      if (streamed && status < 400 && !purse.grow(meter.outputFloor())) {
        stop("budget");
        break;
      }
      if (!res.write(chunk)) {
        waiting = true;
        await drained(res);
        waiting = false;
      }
      if (ending.why) break;
    }
  } catch (cause) {
    // Aborted by us (`ending` says why) or cut by the upstream; both are settled at what surely happened.
    if (answer !== null) ending.why ??= "idle";
    else if (NOT_SENT.has((cause as NodeJS.ErrnoException).code ?? "")) mayHaveCost = false;
    abort.abort();
  } finally {
    clearTimeout(idle);
    remove();
    res.off("close", onClose);
  }
  return { answer, meter, stopped: ending.why, mayHaveCost };
}

function finish(exchange: Exchange, begun: boolean, stopped: Stop | null): void {
  const { res, call } = exchange;
  if (res.destroyed) return;
  if (!begun) {
    const isOurs = stopped === "run_over" || stopped === "fail_closed";
    const denial = isOurs ? { status: 403, reason: stopped } : { status: 502, reason: "unreachable" };
    refuse(res, { ...denial, rule: null });
  } else if (stopped === null) res.end();
  // The client reads an error event, never a bare cut: a cut is retried for a minute.
  else if (call.streamed) res.end(errorEvent(call.api, stopped));
  else res.destroy();
}

function errorEvent(api: ModelApi, stopped: Stop): string {
  const reason = stopped === "client" || stopped === "idle" ? "unreachable" : stopped;
  const message = `countersign: ${denialText({ status: 403, reason, rule: null })}`;
  if (api === "messages") {
    return `event: error\ndata: ${JSON.stringify({ type: "error", error: { type: "permission_error", message } })}\n\n`;
  }
  if (api === "responses") return `event: error\ndata: ${JSON.stringify({ type: "error", code: reason, message })}\n\n`;
  return `data: ${JSON.stringify({ error: { type: "permission_error", code: reason, message } })}\n\ndata: [DONE]\n\n`;
}
