import { matchesText } from "#policy/match/glob.ts";
import { bareName } from "./dialect.ts";

/** US dollars per million tokens. */
export interface Price {
  readonly input: number;
  /** Input read from the provider's cache. */
  readonly cached: number;
  /** Input written to it; Anthropic charges more for that. */
  readonly cacheWrite: number;
  readonly output: number;
  /** What a long input multiplies: all of it, and the answer to it. */
  readonly long?: { readonly above: number; readonly input: number; readonly output: number };
}

/** The date on which the table was checked. Every metered call names it, and so does the receipt. */
export const PRICES = "2026-11-21";

const price = (input: number, cached: number, output: number, cacheWrite = input): Price => ({
  input,
  cached,
  cacheWrite,
  output,
});

const OPUS_4 = price(15, 1.5, 75, 18.75);
const OPUS = price(5, 0.5, 25, 6.25);
const SONNET = price(3, 0.3, 15, 3.75);
/** Above so many tokens of input OpenAI's largest models cost twice as much to read and half again as much to write. */
const LONG = { above: 272_000, input: 2, output: 1.5 };

/**
 * First match wins: the narrower name comes first. List prices of the vendors' pages, standard tier. A new version has
 * no price until it is in here: a glob that takes it in with the old ones would make it cheap.
 */
const TABLE: readonly (readonly [string, Price])[] = [
  ["claude-opus-4-5*", OPUS],
  ["claude-opus-4.5*", OPUS],
  ["claude-opus-4-6*", OPUS],
  ["claude-opus-4.6*", OPUS],
  ["claude-opus-4-7*", OPUS],
  ["claude-opus-4.7*", OPUS],
  ["claude-opus-*", OPUS_4],
  ["claude-3-opus*", OPUS_4],
  ["claude-sonnet-*", SONNET],
  ["claude-3-7-sonnet*", SONNET],
  ["claude-3.7-sonnet*", SONNET],
  ["claude-3-5-sonnet*", SONNET],
  ["claude-3.5-sonnet*", SONNET],
  ["claude-haiku-*", price(1, 0.1, 5, 1.25)],
  ["claude-3-5-haiku*", price(0.8, 0.08, 4, 1)],
  ["claude-3.5-haiku*", price(0.8, 0.08, 4, 1)],
  ["gpt-5.5-pro*", { ...price(30, 30, 180), long: LONG }],
  ["gpt-5.5*", { ...price(5, 0.5, 30), long: LONG }],
  ["gpt-5.4-pro*", { ...price(30, 30, 180), long: LONG }],
  ["gpt-5.4-mini*", price(0.75, 0.075, 4.5)],
  ["gpt-5.4-nano*", price(0.2, 0.02, 1.25)],
  ["gpt-5.4*", { ...price(2.5, 0.25, 15), long: LONG }],
  ["gpt-5.2-pro*", price(21, 21, 168)],
  ["gpt-5-pro*", price(15, 15, 120)],
  ["gpt-5-nano*", price(0.05, 0.005, 0.4)],
  ["gpt-5-mini*", price(0.25, 0.025, 2)],
  ["gpt-5.1-codex-mini*", price(0.25, 0.025, 2)],
  ["gpt-5.3*", price(1.75, 0.175, 14)],
  ["gpt-5.2*", price(1.75, 0.175, 14)],
  ["gpt-5.1*", price(1.25, 0.125, 10)],
  ["gpt-5-*", price(1.25, 0.125, 10)],
  ["gpt-5", price(1.25, 0.125, 10)],
  ["gpt-4.1-nano*", price(0.1, 0.025, 0.4)],
  ["gpt-4.1-mini*", price(0.4, 0.1, 1.6)],
  ["gpt-4.1*", price(2, 0.5, 8)],
  ["gpt-4o-mini*", price(0.15, 0.075, 0.6)],
  ["gpt-4o-2024-05-13", price(5, 5, 15)],
  ["gpt-4o*", price(2.5, 1.25, 10)],
  ["o3-pro*", price(20, 20, 80)],
  ["o3-deep-research*", price(10, 2.5, 40)],
  ["o3-mini*", price(1.1, 0.55, 4.4)],
  ["o3*", price(2, 0.5, 8)],
  ["o4-mini-deep-research*", price(2, 0.5, 8)],
  ["o4-mini*", price(1.1, 0.275, 4.4)],
  // The model of the first run is a script. It costs nobody anything; it has a price so that money can be seen to move.
  ["scripted*", price(2, 0.2, 8)],
];

/** Dearer than any that is offered today, which an unknown name is taken for. */
const RETIRED: readonly (readonly [string, Price])[] = [
  ["o1-pro*", price(150, 150, 600)],
  ["gpt-4.5*", price(75, 37.5, 150)],
];

/** For a name that the table does not know: too dear is safe, too cheap is an open purse. */
const HIGHEST: Price = price(
  Math.max(...TABLE.map(([, each]) => each.input)),
  Math.max(...TABLE.map(([, each]) => each.cached)),
  Math.max(...TABLE.map(([, each]) => each.output)),
  Math.max(...TABLE.map(([, each]) => each.cacheWrite)),
);

const found = (model: string): Price | undefined =>
  [...RETIRED, ...TABLE].find(([glob]) => matchesText(glob, bareName(model)))?.[1];

/** Whether the table has a price for it. One that it has not is charged as the dearest, and every line of it says so. */
export const isKnown = (model: string): boolean => found(model) !== undefined;

/** The price of a model by the name in the request, for a call with so many tokens of input. */
export function priceOf(model: string, inputTokens: number): Price {
  const each = found(model) ?? HIGHEST;
  if (!each.long || inputTokens <= each.long.above) return each;
  const { input, output } = each.long;
  return price(each.input * input, each.cached * input, each.output * output, each.cacheWrite * input);
}

/** The price table as a metered call names it. */
export const pricesFor = (model: string): string => (isKnown(model) ? PRICES : `${PRICES}, dearest: not in the table`);

const HOUR_FACTOR = 2;

/** The dearest that a million tokens of input can come to: all of it written to the cache, `hourly` if it was asked so. */
export function heldInputPrice(model: string, inputTokens: number, hourly: boolean): number {
  const each = priceOf(model, inputTokens);
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
  const each = priceOf(model, tokens.input);
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
