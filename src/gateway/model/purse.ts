import type { Grant } from "#ports/gateway.ts";
import type { ModelCall } from "./call.ts";
import { thinks } from "./dialect.ts";
import { conversationOf, inputTokens } from "./input.ts";
import type { Ledger, Reservation } from "./ledger.ts";
import { heldInputPrice, isKnown, priceOf } from "./prices.ts";
import type { Settled } from "./settle.ts";

/** What an answer may be when the client does not say; what a model thinks counts towards it. */
const UNASKED_TOKENS = 8_192;
const UNASKED_THINKING_TOKENS = 32_768;
/** How a reservation grows when a service gives more than it was asked for. */
const STEP_TOKENS = 8_192;
/** An answer cut shorter than this is of no use to anybody. */
const LEAST_TOKENS = 64;
/** Tokens a second. No model that is sold by the token is faster by much, and what it thinks before it speaks is hidden. */
const FASTEST_TOKENS = 500;

/** The right to make one call, and all that it can cost set aside. */
export interface Purse {
  /** What the input likely is, for when nobody counts it. */
  readonly inputTokens: number;
  /** The bound of one answer. It must go out with the call: what is reserved is no more than that. */
  readonly maxOutput: number;
  /** Called as the answer grows. `false`: the service gives more than it may and the budget is spent, cut here. */
  grow(outputTokens: number): boolean;
  /** The provider's count of the input, for the calls that go on from this one. */
  learn(inputTokens: number): void;
  /** Of a call that nobody counted: what it may have cost on top of its charge stays held as long as the run lives. */
  holdRest(settled: Settled, answer: { streamedMs: number | null; outputSeen: number }): void;
  release(): void;
}

/**
 * Sets aside the most that the call can cost: its input at a token a byte, and every answer as long as it may be, which
 * is then its bound. Where that does not fit, the bound is lowered. `null`: the run cannot pay for it.
 */
export function openPurse(ledger: Ledger, grant: Grant, call: ModelCall): Purse | null {
  const conversation = conversationOf(call);
  const counted = ledger.counted(grant.run);
  const input = inputTokens(conversation, counted);
  const price = priceOf(call.model, input.most);
  const left = ledger.left(grant.run, grant.budget);
  const inputPerToken = heldInputPrice(call.model, input.most, conversation.hourly) / 1_000_000;
  const inputUsd = input.most * inputPerToken;
  const perToken = price.output / 1_000_000;
  const wanted = call.maxOutput ?? (thinks(call.model) ? UNASKED_THINKING_TOKENS : UNASKED_TOKENS);
  const byMoney = perToken === 0 ? Number.POSITIVE_INFINITY : (left.usd - inputUsd) / perToken;
  const affordable = Math.floor(Math.min(byMoney, left.tokens - input.most) / call.answers);
  if (affordable < Math.min(wanted, LEAST_TOKENS)) return null;
  const bound = Math.min(wanted, affordable);

  let reservedOutput = bound * call.answers;
  const amount = () => ({ usd: inputUsd + reservedOutput * perToken, tokens: input.most + reservedOutput });
  let reservation: Reservation = ledger.reserve(grant.run, amount());
  return {
    inputTokens: input.likely,
    maxOutput: bound,
    grow(outputTokens) {
      if (outputTokens <= reservedOutput) return true;
      const rest = ledger.left(grant.run, grant.budget);
      const more = Math.floor(Math.min(STEP_TOKENS, rest.tokens, perToken === 0 ? STEP_TOKENS : rest.usd / perToken));
      if (more < 1 || outputTokens > reservedOutput + more) return false;
      reservedOutput += more;
      reservation.release();
      reservation = ledger.reserve(grant.run, amount());
      return true;
    },
    learn(tokens) {
      const key = conversation.prefixes.at(-1)?.key;
      if (key !== undefined) remember(counted, key, tokens);
    },
    holdRest({ usage, known }, { streamedMs, outputSeen }) {
      const made =
        streamedMs === null ? reservedOutput : Math.ceil((streamedMs / 1_000) * FASTEST_TOKENS) * call.answers;
      const output = Math.min(reservedOutput, Math.max(made, outputSeen)) - usage.outputTokens;
      const rest = {
        input: known.input ? 0 : Math.max(0, input.most - usage.inputTokens),
        output: known.output ? 0 : Math.max(0, output),
      };
      if (rest.input + rest.output === 0) return;
      const usd = rest.input * inputPerToken + rest.output * perToken;
      ledger.reserve(grant.run, { usd, tokens: rest.input + rest.output });
    },
    release: () => reservation.release(),
  };
}

/** Why there is no purse, for whoever asked. */
export function shortOf(ledger: Ledger, grant: Grant, call: ModelCall): string {
  const dollars = (usd: number) => `$${Math.max(0, usd).toFixed(4)}`;
  const { usd, tokens } = grant.budget;
  const left = ledger.left(grant.run, grant.budget);
  const spent = ledger.spent(grant.run);
  const words = `This call may cost more than the ${dollars(left.usd)} and ${Math.max(0, left.tokens)} tokens that are left of ${dollars(usd)} and ${tokens}: ${dollars(spent.usd)} is spent, ${dollars(usd - spent.usd - left.usd)} is held for other calls.`;
  return isKnown(call.model)
    ? words
    : `${words} No price is known for "${call.model}", so it counts as the dearest model.`;
}

/** Conversations of a run that can be gone on from: its agent's, its subagents', and some turns back in each. */
const REMEMBERED = 256;

function remember(counted: Map<string, number>, key: string, tokens: number): void {
  counted.delete(key);
  counted.set(key, tokens);
  const oldest = counted.keys().next();
  if (counted.size > REMEMBERED && !oldest.done) counted.delete(oldest.value);
}
