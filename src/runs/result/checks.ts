import type { CHECK_VERDICTS } from "#runs/event.ts";
import type { HandOff } from "#runs/record/hand-off.ts";
import { type Refused, refusedWords } from "#runs/sandbox/refused.ts";

type Verdict = (typeof CHECK_VERDICTS)[number];

/**
 * What a check says of a change, from exit codes on base and head (`null`: could not run). A red head after a green
 * base is run once more: if it is green then, the check is flaky and neither accuses nor clears the change. A red head
 * after a base where it could not run has nothing to be compared with: as a comparison it was not run.
 */
export function judgeCheck(base: number | null, head: number | null, again: number | null): Verdict {
  if (head === null) return "not_run";
  if (head === 0) return base === 0 || base === null ? "green" : "fixed";
  if (base === null) return "not_run";
  if (base !== 0) return "already_red";
  return again === 0 ? "flaky" : "broke";
}

/** What people read when required checks stay red: which, after how many attempts, and where to go on. */
export function failedChecks(
  run: { readonly text: string },
  checks: readonly { readonly name: string; readonly verdict: Verdict | null }[],
  attempts: number,
): HandOff {
  const named = (verdict: Verdict) => checks.filter((one) => one.verdict === verdict).map((one) => `"${one.name}"`);
  const [broke, notRun] = [named("broke"), named("not_run")];
  const sentences = [
    ...(broke.length === 0
      ? []
      : [`${checkWords(broke)} without the change and ${many(broke, "fails", "fail")} with it.`]),
    ...(notRun.length === 0
      ? []
      : [`${many(notRun, "The check", "The checks")} ${notRun.join(", ")} could not be run.`]),
  ];
  return {
    fault: "code",
    tried: attempts === 1 ? run.text : `${run.text} (${attempts} attempts)`,
    failed: sentences.join(" "),
    next: "Read what the checks printed; the run page has it. Then go on by hand, or ask again with more detail.",
  };
}

/**
 * The same when some of them were kept from a host while they ran: no change of the code mends that, so it goes to people
 * at once, with the host and the rule. What else is red is said too.
 */
export function blockedChecks(
  run: { readonly text: string },
  checks: readonly {
    readonly name: string;
    readonly verdict: Verdict | null;
    readonly blocked: readonly Refused[];
  }[],
  attempts: number,
): HandOff {
  const others = checks.filter(({ blocked }) => blocked.length === 0);
  const sentences = checks.flatMap(({ name, verdict, blocked }) =>
    blocked.length === 0
      ? []
      : [
          `The check "${name}" ${verdict === "broke" ? "passes without the change and fails with it" : "could not be run"}, and ${refusedWords(blocked)} while it ran.`,
        ],
  );
  const { tried, failed } = failedChecks(run, others, attempts);
  return {
    fault: "environment",
    tried,
    failed: [...sentences, ...(others.length === 0 ? [] : [failed])].join(" "),
    next: "Ask the policy's owners to allow what the check needs, or have it do without. Then ask again: the run page has the work so far.",
  };
}

const many = (of: readonly string[], one: string, more: string): string => (of.length === 1 ? one : more);

const checkWords = (names: readonly string[]): string =>
  `${many(names, "The check", "The checks")} ${names.join(", ")} ${many(names, "passes", "pass")}`;
