import type { House } from "./house.ts";
import { id } from "./ids.ts";

const USES = 5;
const LIVES_MS = 30 * 60_000;

/** A new `response_url`'s id, for what a person just did at this place. */
export function newHook(
  house: House,
  place: { channel: string; user: string; messageTs: string; threadTs: string | null },
): string {
  const hookId = id("H");
  house.journal.commit({
    op: "hook",
    hook: { id: hookId, ...place, uses: USES, expires: house.now() + LIVES_MS },
  });
  return hookId;
}
