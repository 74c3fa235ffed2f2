import type { Core } from "#runs/core.ts";
import { CHOICES } from "#runs/request/offer.ts";
import { TURNED_AWAY } from "#runs/request/turned-away.ts";

const DAY_MS = 24 * 60 * 60_000;
const AT_ONCE = 1_000;

/**
 * What came from outside, by who brought it, and words that were added to a run. Kept for longer than anybody tells us the same
 * once more: Slack does for a day, Linear for some hours, and on GitHub a person may ask for it within three days. What belongs
 * to a run's own record ("repo-host", "decided", "lost-yes") is kept as long as that.
 */
const DELIVERIES = ["slack", "github", "linear", "follow-up"] as const;
const DELIVERIES_MS = 7 * DAY_MS;

const NOTES: readonly { readonly prefix: string; readonly keptMs: number }[] = [
  // `policy simulate` puts what was asked of late.
  { prefix: TURNED_AWAY, keptMs: 90 * DAY_MS },
  // Good for a day.
  { prefix: CHOICES, keptMs: 7 * DAY_MS },
];

/** Forgets deliveries and notes that nobody needs any more. Idempotent. Every hour. */
export async function retain(core: Pick<Core, "stores" | "log">): Promise<void> {
  const { inbox, notes } = core.stores;
  let [deliveries, noted] = [0, 0];
  for (const source of DELIVERIES) deliveries += await all((limit) => inbox.forget(source, DELIVERIES_MS, limit));
  for (const { prefix, keptMs } of NOTES) noted += await all((limit) => notes.forget(prefix, keptMs, limit));
  if (deliveries + noted > 0) core.log("what is over was forgotten", { deliveries, notes: noted });
}

/** In parts, so that no statement holds many rows for long. */
async function all(forget: (limit: number) => Promise<number>): Promise<number> {
  let count = 0;
  for (;;) {
    const gone = await forget(AT_ONCE);
    count += gone;
    if (gone < AT_ONCE) return count;
  }
}
