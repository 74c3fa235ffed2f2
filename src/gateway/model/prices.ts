import { matchesText } from "#policy/glob.ts";
import { bareName } from "./dialect.ts";

/** US dollars per million tokens. */
export interface Price {
  readonly input: number;
  /** Input read from the provider's cache. */
  readonly cached: number;
  /** Input written to it; Anthropic charges more for that. */
  readonly cacheWrite: number;
  readonly output: number;
}

/** The date on which the table was checked. Every metered call names it, and so does the receipt. */
export const PRICES = "2026-11-21";

const price = (input: number, cached: number, output: number, cacheWrite = input): Price => ({
  input,
  cached,
  cacheWrite,
  output,
});

/** First match wins: the narrower name comes first. List prices of the vendors' pages, standard tier. */
const TABLE: readonly (readonly [string, Price])[] = [
  ["claude-opus-4-1*", price(15, 1.5, 75, 18.75)],
  ["claude-opus-4-2*", price(15, 1.5, 75, 18.75)],
  ["claude-opus-*", price(5, 0.5, 25, 6.25)],
  ["claude-sonnet-*", price(3, 0.3, 15, 3.75)],
  ["claude-haiku-*", price(1, 0.1, 5, 1.25)],
  ["claude-3-5-haiku*", price(0.8, 0.08, 4, 1)],
  ["gpt-5*-nano*", price(0.05, 0.005, 0.4)],
  ["gpt-5*-mini*", price(0.25, 0.025, 2)],
  ["gpt-5*-pro*", price(15, 15, 120)],
  ["gpt-5*", price(1.75, 0.175, 14)],
  ["gpt-4.1-nano*", price(0.1, 0.025, 0.4)],
  ["gpt-4.1-mini*", price(0.4, 0.1, 1.6)],
  ["gpt-4.1*", price(2, 0.5, 8)],
  ["gpt-4o-mini*", price(0.15, 0.075, 0.6)],
  ["gpt-4o*", price(2.5, 1.25, 10)],
  ["o3*", price(2, 0.5, 8)],
  ["o4-mini*", price(1.1, 0.275, 4.4)],
  // The model of the first run is a script. It costs nobody anything; it has a price so that money can be seen to move.
  ["scripted*", price(2, 0.2, 8)],
];

/** For a name that the table does not know: too dear is safe, too cheap is an open purse. */
const HIGHEST: Price = price(
  Math.max(...TABLE.map(([, each]) => each.input)),
  Math.max(...TABLE.map(([, each]) => each.cached)),
  Math.max(...TABLE.map(([, each]) => each.output)),
  Math.max(...TABLE.map(([, each]) => each.cacheWrite)),
);

const found = (model: string): Price | undefined => TABLE.find(([glob]) => matchesText(glob, bareName(model)))?.[1];

/** Whether the table has a price for it. One that it has not is charged as the dearest, and every line of it says so. */
export const isKnown = (model: string): boolean => found(model) !== undefined;

/** The price of a model by the name in the request. */
export const priceOf = (model: string): Price => found(model) ?? HIGHEST;

/** The price table as a metered call names it. */
export const pricesFor = (model: string): string => (isKnown(model) ? PRICES : `${PRICES}, dearest: not in the table`);

const HOUR_FACTOR = 2;

/** The dearest that a million tokens of input can come to: all of it written to the cache, `hourly` if it was asked so. */
export function heldInputPrice(model: string, hourly: boolean): number {
  const each = priceOf(model);
  return Math.max(each.input, each.cacheWrite, hourly ? each.input * HOUR_FACTOR : 0);
}

/** Tokens of one call. `input` is all of it; `cached` and `cacheWrite` are parts of it, `cacheHour` of the latter. */
export interface Tokens {
  readonly input: number;
  readonly cached: number;
  readonly cacheWrite: number;
  /** Written to be kept for an hour instead of five minutes. Only Anthropic has that, at twice the price of input. */
  readonly cacheHour?: number;
  readonly output: number;
}

/** Cost in US dollars. */
export function costOf(model: string, tokens: Tokens): number {
  const each = priceOf(model);
  const fresh = Math.max(0, tokens.input - tokens.cached - tokens.cacheWrite);
  const hour = Math.min(tokens.cacheHour ?? 0, tokens.cacheWrite);
  const total =
    fresh * each.input +
    tokens.cached * each.cached +
    (tokens.cacheWrite - hour) * each.cacheWrite +
    hour * each.input * HOUR_FACTOR +
    tokens.output * each.output;
  return total / 1_000_000;
}
