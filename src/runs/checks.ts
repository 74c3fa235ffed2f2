import type { CHECK_VERDICTS } from "./event.ts";

type Verdict = (typeof CHECK_VERDICTS)[number];

/**
 * What a check says of a change, from exit codes on base and head (`null`: could not run). A red head after a green
 * base is run once more: if it is green then, the check is flaky and neither accuses nor clears the change.
 */
export function judgeCheck(base: number | null, head: number | null, again: number | null): Verdict {
  if (head === null) return "not_run";
  if (head === 0) return base === 0 ? "green" : base === null ? "green" : "fixed";
  if (base !== 0) return "already_red";
  return again === 0 ? "flaky" : "broke";
}
