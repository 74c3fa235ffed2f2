import type { Grant } from "#ports/gateway.ts";
import { estimateInput, type ModelCall } from "./call.ts";
import type { Ledger, Reservation } from "./ledger.ts";
import { costOf, priceOf, type Tokens } from "./prices.ts";

/** What an answer is taken to be when the client does not say; more is reserved while it streams. */
const STEP_TOKENS = 8_192;
/** What providers add to a request and we do not see: templates, tool prompts. Held, and never charged as such. */
const HIDDEN_TOKENS = 128;
/** An answer cut shorter than this is of no use to anybody. */
const LEAST_TOKENS = 64;

/** The right to make one call and to let its answer grow, as far as the run's budget goes. */
export interface Purse {
  readonly inputTokens: number;
  /** To be set as the answer's bound; `null`: the client's own bound fits, or it gave none and there is plenty. */
  readonly maxOutput: number | null;
  /** Called as the answer grows. `false`: the budget is spent, cut here. */
  grow(outputTokens: number): boolean;
  release(): void;
}

/** Sets aside the call's dearest likely cost. `null`: the run cannot pay for it. */
export function openPurse(ledger: Ledger, grant: Grant, call: ModelCall): Purse | null {
  const inputTokens = estimateInput(call);
  const price = priceOf(call.model);
  const left = ledger.left(grant.run, grant.budget);
  const heldInput = inputTokens + HIDDEN_TOKENS;
  const inputUsd = costOf(call.model, { input: heldInput, cached: 0, cacheWrite: 0, output: 0 });
  const wanted = call.maxOutput ?? STEP_TOKENS;
  const byMoney = price.output === 0 ? Number.POSITIVE_INFINITY : ((left.usd - inputUsd) * 1_000_000) / price.output;
  const affordable = Math.floor(Math.min(byMoney, left.tokens - heldInput) / call.answers);
  if (affordable < Math.min(wanted, LEAST_TOKENS)) return null;
  const bound = Math.min(wanted, affordable);

  let reservedOutput = bound * call.answers;
  const amount = () => ({
    usd: inputUsd + (reservedOutput * price.output) / 1_000_000,
    tokens: heldInput + reservedOutput,
  });
  let reservation: Reservation = ledger.reserve(grant.run, amount());
  return {
    inputTokens,
    maxOutput: bound < wanted ? bound : null,
    grow(outputTokens) {
      if (outputTokens <= reservedOutput) return true;
      const rest = ledger.left(grant.run, grant.budget);
      const more = Math.floor(
        Math.min(STEP_TOKENS, rest.tokens, price.output === 0 ? STEP_TOKENS : (rest.usd * 1_000_000) / price.output),
      );
      if (more < 1 || outputTokens > reservedOutput + more) return false;
      reservedOutput += more;
      reservation.release();
      reservation = ledger.reserve(grant.run, amount());
      return true;
    },
    release: () => reservation.release(),
  };
}

/** What a call is charged: the provider's count, or what surely happened when there is none. */
export function settled(call: ModelCall, usage: Tokens | null, floor: { input: number; output: number }) {
  const tokens = usage ?? { input: floor.input, cached: 0, cacheWrite: 0, output: floor.output };
  return {
    usd: costOf(call.model, tokens),
    inputTokens: tokens.input,
    cachedTokens: tokens.cached,
    outputTokens: tokens.output,
    calls: 1,
  };
}
