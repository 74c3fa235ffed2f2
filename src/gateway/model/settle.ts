import type { Usage } from "#ports/gateway.ts";
import type { ModelCall } from "./call.ts";
import type { Counted } from "./meter.ts";
import { costOf, type Tokens } from "./prices.ts";

export interface Settled {
  readonly usage: Usage;
  /** Whether the provider said what the input and the answer were. If not, the call may have cost more. */
  readonly known: { readonly input: boolean; readonly output: boolean };
}

/**
 * What a call is charged: the provider's count, and where there is none what surely happened. `whole`: the answer came
 * to its end; a count that came before may be one of several.
 */
export function settle(
  call: ModelCall,
  counted: Counted,
  floor: { input: number; output: number },
  whole: boolean,
): Settled {
  const known = {
    input: counted.input !== undefined,
    // The other dialects count the answer once, at its end.
    output: counted.output !== undefined && (whole || call.api !== "chat"),
  };
  const tokens: Tokens = {
    cached: 0,
    cacheWrite: 0,
    ...counted,
    input: counted.input ?? floor.input,
    output: known.output ? (counted.output ?? 0) : Math.max(counted.output ?? 0, floor.output),
  };
  const { input, cached, output } = tokens;
  const usd = costOf(call.model, tokens);
  return { usage: { usd, inputTokens: input, cachedTokens: cached, outputTokens: output, calls: 1 }, known };
}
