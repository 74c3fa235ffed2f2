import type { LimitName } from "#policy/limit.ts";
import { type HeldTo, heldTo } from "#policy/shares.ts";
import type { Core } from "#runs/core.ts";
import type { HandOff } from "#runs/record/hand-off.ts";
import type { Run } from "#runs/run.ts";
import type { Amount, ShareUse } from "#runs/stores.ts";

/** What holds for a run by name; `null`: nothing does. */
export type Held = (name: LimitName) => HeldTo | null;

/** Both policies' limits for this run, the smaller of each; `null` when the one in force cannot be read. */
export async function heldNow(core: Pick<Core, "policy" | "stores">, run: Run): Promise<Held | null> {
  const current = core.policy();
  if (!current.ok) return null;
  const pinned = await core.stores.policies.get(run.policyDigest);
  const policies = [current.policy, ...(pinned === null ? [] : [pinned])];
  return (name) => heldTo(policies, run.team, name);
}

/** What a run waits for, in words, and where the limit is written that makes it wait. */
export interface Wait {
  readonly at: string;
  readonly text: string;
}

const PLACE_FREE = "this one starts when a place is free.";

/** Whether as many runs as may be are at work, for the team, in the repository or for the person; `null`: there is room. */
export function fullOf(run: Run, held: Held, { runs }: Pick<ShareUse, "runs">): Wait | null {
  const { team, repo, requester } = run;
  const places: readonly (readonly [LimitName, number, (most: number) => string])[] = [
    ["concurrent_runs", runs.team, (most) => `${runs.team} of ${team}'s ${most} runs are at work`],
    ["per_repo.concurrent_runs", runs.repo, (most) => `${runs.repo} of the ${most} runs of ${repo} are at work`],
    [
      "per_person.concurrent_runs",
      runs.person,
      (most) => `${runs.person} of ${requester.name}'s ${most} runs are at work`,
    ],
  ];
  for (const [name, busy, words] of places) {
    const limit = held(name);
    if (limit === null) continue;
    // A recipe may hold its runs to less than the team.
    const own = name === "concurrent_runs" ? (run.scope?.limits.concurrentRuns ?? limit.most) : limit.most;
    const most = Math.min(limit.most, own);
    if (busy >= most) return { at: limit.ref.at, text: `${words(most)} (${limit.ref.at}); ${PLACE_FREE}` };
  }
  return null;
}

const MONTHS = [
  { name: "per_month.cost_usd", of: "team", in: "usd" },
  { name: "per_month.tokens", of: "team", in: "tokens" },
  { name: "per_person_month.cost_usd", of: "person", in: "usd" },
  { name: "per_person_month.tokens", of: "person", in: "tokens" },
] as const;

/** How far a limit of a month has come. */
export interface Month {
  readonly held: HeldTo;
  readonly of: "team" | "person";
  readonly in: keyof Amount;
  readonly spent: number;
  /** What other runs at work may still spend of it. */
  readonly others: number;
}

export function monthsOf(held: Held, use: Pick<ShareUse, "spent" | "held">): readonly Month[] {
  return MONTHS.flatMap((month): Month[] => {
    const limit = held(month.name);
    if (limit === null) return [];
    const { of } = month;
    return [{ held: limit, of, in: month.in, spent: use.spent[of][month.in], others: use.held[of][month.in] }];
  });
}

/** Whether any limit of a month holds at all. */
export const hasMonths = (held: Held): boolean => MONTHS.some(({ name }) => held(name) !== null);

export const usedUp = (months: readonly Month[]): Month | null =>
  months.find(({ held, spent }) => spent >= held.most) ?? null;

/** The month is not used up, but what is left of it is promised to runs at work. */
export const promised = (months: readonly Month[]): Month | null =>
  months.find(({ held, spent, others }) => spent + others >= held.most) ?? null;

/**
 * What a run may spend in all: no more than its own limits, and no more than its own spending and what the months have
 * left beside other runs. `by`: the month that is less than the run's own limit.
 */
export function allotmentOf(
  own: Amount,
  months: readonly Month[],
  spent: Amount,
): { readonly amount: Amount; readonly by: { readonly usd: Month | null; readonly tokens: Month | null } } {
  const least = (kind: keyof Amount) => {
    let [most, by]: [number, Month | null] = [own[kind], null];
    for (const month of months) {
      if (month.in !== kind) continue;
      const left = Math.max(0, spent[kind] + month.held.most - month.spent - month.others);
      if (left < most) [most, by] = [left, month];
    }
    return { most, by };
  };
  const [usd, tokens] = [least("usd"), least("tokens")];
  return { amount: { usd: usd.most, tokens: Math.floor(tokens.most) }, by: { usd: usd.by, tokens: tokens.by } };
}

/** "2026-11": the calendar month, UTC. */
export const monthAt = (time: Date): string => time.toISOString().slice(0, 7);

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

/** "1 December 2026, 00:00 UTC": when the month is over. */
export const overAt = (now: Date): string =>
  `${DAY.format(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)))}, 00:00 UTC`;

export const dollars = (usd: number): string => `$${usd.toFixed(2)}`;

const amount = (kind: keyof Amount, value: number): string =>
  kind === "usd" ? dollars(value) : value.toLocaleString("en");

const ofMost = ({ in: kind, held }: Month, value: number): string =>
  `${amount(kind, value)} of ${amount(kind, held.most)}${kind === "usd" ? "" : " tokens"}`;

const whose = (run: Run, { of }: Month): string =>
  of === "team" ? `The month of team ${run.team}` : `${run.requester.name}'s month`;

/** What a person reads when a month is used up: which limit, where it is written, until when, and who can change it. */
export function monthOver(core: Pick<Core, "policy" | "clock">, run: Run, month: Month): HandOff {
  const current = core.policy();
  const owners = (current.ok ? current.policy.owners?.from : null) ?? "whoever keeps the policy";
  return {
    fault: "budget",
    tried: run.text,
    failed: `${whose(run, month)} is used up: ${ofMost(month, month.spent)} (${month.held.ref.text} at ${month.held.ref.at}).`,
    next: `The next month begins on ${overAt(core.clock.now())}: ask again then. Before that ${owners} can raise it at ${month.held.ref.at}.`,
  };
}

/** The same for a run that had its part of a month, and the rest is promised to others. */
export function monthTaken(core: Pick<Core, "policy" | "clock">, run: Run, month: Month): HandOff {
  return {
    ...monthOver(core, run, month),
    failed: `${whose(run, month)} has no more for this run: ${ofMost(month, month.spent)} spent, the rest promised to runs at work (${month.held.ref.text} at ${month.held.ref.at}).`,
    next: `Ask again when they are done, or have the limit raised at ${month.held.ref.at}.`,
  };
}

/** What is left of the month is promised to runs at work. */
export const monthPromised = (run: Run, month: Month): Wait => ({
  at: month.held.ref.at,
  text: `${whose(run, month)} has ${ofMost(month, month.spent)} spent and the rest promised to runs at work (${month.held.ref.at}); this one starts when some of it is free.`,
});
