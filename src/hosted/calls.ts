import { count, nullable, object, type Shaped, text } from "#runner/shape.ts";
import type { Answer, Runner } from "./runner.ts";

/**
 * One question of the control plane. It comes over a vendor's API that may lose the answer, cut it or give an old one,
 * so each has a name of its own and may be put again: a call is made once, and its answer is kept.
 */
export const question = object({
  /** Of the one who asks, never used twice. */
  id: text,
  /** One of the runner's, "cancel" or "hello". */
  op: text,
  /** `null`: it was sent before. */
  request: nullable((value: unknown) => value),
  /** How long the answer is waited for before "pending" is said. Milliseconds. */
  waitMs: count,
  /** The part of the answer that is still missing begins here. */
  from: count,
});
export type Question = Shaped<typeof question>;

export type Said =
  | { readonly id: string; readonly state: "pending" }
  /** `part`: of the whole answer's JSON, which is `size` long, from `from` on. ASCII. */
  | {
      readonly id: string;
      readonly state: "answered";
      readonly size: number;
      readonly from: number;
      readonly part: string;
    };

/** A vendor's API may cut what is longer. Characters. */
export const PART = 400_000;
/** An answer that nobody came for in this time is given up, its name is not. */
const KEPT_MS = 15 * 60_000;
const KEPT_MOST = 256 * 1024 * 1024;
/** Longest wait within one question. */
const WAIT_MS = 50_000;

interface Call {
  readonly done: Promise<void>;
  readonly cancel: () => void;
  text: string | null;
  askedAt: number;
}

/** Puts questions to the runner. `hello` is what the host says of itself, once it is ready. */
export function calls(runner: Pick<Runner, "call">, hello: Promise<Answer>, now: () => number = Date.now) {
  const kept = new Map<string, Call>();
  const forgotten = new Set<string>();

  function forget(): void {
    let size = 0;
    for (const [id, call] of [...kept].reverse()) {
      size += call.text?.length ?? 0;
      if (call.text === null || (now() - call.askedAt < KEPT_MS && size < KEPT_MOST)) continue;
      kept.delete(id);
      forgotten.add(id);
    }
  }

  function begin({ op, request }: Question): Call {
    const { answer, cancel } = op === "hello" ? { answer: hello, cancel: () => undefined } : runner.call(op, request);
    const call: Call = {
      cancel,
      text: null,
      askedAt: now(),
      done: answer.then((said) => {
        call.text = ascii(JSON.stringify(said));
      }),
    };
    return call;
  }

  return async (asked: Question): Promise<Said> => {
    const { id, op, from } = asked;
    forget();
    if (op === "cancel") {
      kept.get(String(asked.request))?.cancel();
      return whole(id, { body: null });
    }
    let call = kept.get(id);
    if (call === undefined) {
      if (forgotten.has(id) || asked.request === null) {
        return whole(id, { error: { code: "unavailable", message: "this answer is not kept any more" } });
      }
      call = begin(asked);
      kept.set(id, call);
    }
    call.askedAt = now();
    await Promise.race([call.done, new Promise((resolve) => setTimeout(resolve, Math.min(asked.waitMs, WAIT_MS)))]);
    if (call.text === null) return { id, state: "pending" };
    const part = call.text.slice(from, from + PART);
    return { id, state: "answered", size: call.text.length, from, part };
  };
}

function whole(id: string, answer: Answer): Said {
  const text = ascii(JSON.stringify(answer));
  return { id, state: "answered", size: text.length, from: 0, part: text };
}

/** So that it can be cut anywhere. */
const ascii = (json: string): string =>
  json.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
