import { randomUUID } from "node:crypto";
import type { Question, Said } from "#hosted/calls.ts";
import { INSIDE as HOST, MARK } from "#hosted/order.ts";
import { SandboxError } from "#ports/sandbox.ts";
import { CALLS, type Op, type Reply, type Request } from "#runner/protocol.ts";
import { count, object, oneOf, text } from "#runner/shape.ts";
import { calmly, type Patience, unlessAborted } from "./patience.ts";
import { INSIDE, quoted } from "./places.ts";
import { type Vendor, VendorError } from "./vendor.ts";

/** Longest wait within one call of the platform's API: whatever stands before it may cut what takes a minute. */
const WAIT_MS = 25_000;
const CALL_MS = 30_000;
/** A question whose answer was lost, cut or old is put again, under the same name, so many times in a row. */
const TRIES = 5;
const AGAIN_MS = 300;
/** A question in a command line: Linux takes 128 KiB in one argument. Characters. */
const INLINE = 60_000;
/** What they carry may be secret, and the platform keeps command lines. */
const IN_A_FILE: ReadonlySet<Op> = new Set<Op>(["exec", "start", "input", "write"]);
/** What `node` and our program say when nobody is there: no such program, no such socket. */
const NOBODY = [1, 3];

const pending = object({ id: text, state: oneOf("pending") });
const answered = object({ id: text, state: oneOf("answered"), size: count, from: count, part: text });
const failed = object({ error: object({ code: text, message: text }) });
const done = object({ body: (value: unknown) => value });
const CODES = ["not_found", "conflict", "denied_path", "too_large", "invalid", "unavailable"] as const;

export interface Asking {
  readonly vendor: Vendor;
  readonly patience: Patience;
  /** What a caller should know when the sandbox did not answer. */
  readonly explain: (id: string, cause: unknown) => Promise<SandboxError>;
}

interface Limits {
  /** How long the call itself may take; the way there and back comes on top. */
  readonly withinMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls to the runner in a hosted sandbox by way of the platform's "execute": one short command each, whose output is
 * the answer. Nothing is read as a stream, so a connection that drops is a question to be put again and never an end.
 * Throws what the runner answers, "gone", "unavailable", "timeout", and the signal's reason.
 */
export function questions({ vendor, patience, explain }: Asking, id: string) {
  /** One command; `null` when no answer to this question comes out of it. Throws "gone" when nobody is there. */
  async function put(question: Question, inFile: boolean, signal: AbortSignal | undefined): Promise<Said | null> {
    const calm = <T>(call: () => Promise<T>) => unlessAborted(calmly(patience, call, signal), signal);
    const json = JSON.stringify(question);
    let given = Buffer.from(json).toString("base64url");
    if (inFile || given.length > INLINE) {
      const file = `${INSIDE.run}/question-${randomUUID()}`;
      await calm(() => vendor.upload(id, new Map([[file, Buffer.from(json)]])));
      given = `@${file}`;
    }
    const words = ["node", quoted(`${INSIDE.run}/${HOST.call}`), quoted(INSIDE.run), quoted(given)];
    const { exitCode, output } = await calm(() => vendor.execute(id, words.join(" "), WAIT_MS + CALL_MS));
    const said = heard(output);
    if (said !== null) return said.id === question.id ? said : null;
    if (NOBODY.includes(exitCode)) throw new SandboxError("gone", `the runner in sandbox ${id} has ended`);
    return null;
  }

  return async function ask<O extends Op>(op: O, request: Request<O>, o: Limits = {}): Promise<Reply<O>> {
    const name = randomUUID();
    const deadline = performance.now() + (o.withinMs ?? CALL_MS) + WAIT_MS;
    let json = "";
    let known = false;
    for (let tries = 1; ; tries += 1) {
      let lost: unknown = new Error("the answer was cut, or an old one");
      try {
        const question = { id: name, op, request: known ? null : request, waitMs: WAIT_MS, from: json.length };
        const said = await put(question, !known && IN_A_FILE.has(op), o.signal);
        if (said !== null) {
          known = true;
          tries = 0;
        }
        if (said?.state === "answered") {
          if (said.from === json.length) json += said.part;
          if (json.length >= said.size) return answerOf(op, json);
        }
        if (performance.now() > deadline) throw new SandboxError("timeout", `${op}: no answer in time`);
        if (said !== null) continue;
      } catch (error) {
        if (o.signal?.aborted) {
          // Nobody waits for it any more. If this is lost too, its own time limit ends it.
          const cancel = { id: randomUUID(), op: "cancel", request: name, waitMs: 0, from: 0 };
          put(cancel, false, undefined).catch(() => undefined);
          throw o.signal.reason;
        }
        if (error instanceof SandboxError && error.code !== "gone") throw error;
        if (!(error instanceof VendorError) || error.kind !== "lost") throw await explain(id, error);
        lost = error;
      }
      if (tries >= TRIES) throw await explain(id, lost);
      // Whether it was heard is not known, and hearing it twice is hearing it once.
      known = false;
      await patience.pause(AGAIN_MS * tries, o.signal);
    }
  };
}

/** `null` for anything but what our program prints, whole. */
function heard(output: string): Said | null {
  const value = parsed(output.split(MARK)[1] ?? "");
  if (typeof value !== "object" || value === null || !("state" in value)) return null;
  return value.state === "pending" ? pending(value, "answer") : answered(value, "answer");
}

function answerOf<O extends Op>(op: O, json: string): Reply<O> {
  const value = parsed(json);
  if (typeof value === "object" && value !== null && "error" in value) {
    const { code, message } = failed(value, op).error;
    throw new SandboxError(CODES.find((one) => one === code) ?? "unavailable", message);
  }
  return CALLS[op].reply(done(value, op).body, op) as Reply<O>;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null; // It was cut on its way.
  }
}
