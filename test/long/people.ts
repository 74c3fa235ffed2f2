import type { Chat, Team } from "#test/chaos/chat.ts";
import { openPage, runOf } from "#test/chaos/page.ts";
import { requestFor } from "#test/chaos/points.ts";
import type { Installation } from "#test/chaos/product.ts";
import { type Ended, OVER } from "#test/chaos/story.ts";
import { until } from "#test/chaos/until.ts";

const TEAMS: readonly Team[] = ["shop", "data", "shop", "data", "website"];
/** A run may wait for a dead worker's heartbeat again and again. */
const RUN_MS = 30 * 60_000;

export interface Crowd {
  /** Runs that are not over. */
  open(): readonly string[];
  /** How many changes were asked for so far. */
  asked(): number;
  /** What went wrong for one of them; `null` so far. */
  failed(): unknown;
  /** Nobody asks for anything more; resolves when the last run is over. */
  goHome(): Promise<readonly Ended[]>;
}

/** People who keep the product busy: each asks for a change, approves what is asked, twice at once, and asks for the next. */
export function people(house: Installation, chat: Chat): Crowd {
  const played: Ended[] = [];
  const open = new Set<string>();
  let asked = 0;
  let leaving = false;
  let failure: unknown = null;

  async function one(team: Team): Promise<void> {
    while (!leaving) {
      asked += 1;
      const text = requestFor(team, `change-${asked}`);
      const thread = await chat.ask(team, text);
      const runId = await runOf(house, text, RUN_MS);
      open.add(runId);
      const page = openPage(house, runId);
      try {
        await until(
          `the end of run ${runId}`,
          async () => {
            if (OVER.includes(page.seen.state)) return true;
            // A card may come more than once: a run that was interrupted asks again for what it did not do.
            if (page.seen.lines.some((line) => /Asked 1 of/.test(line))) await chat.approve(team, thread);
            return false;
          },
          RUN_MS,
        );
        played.push({ team, thread, runId, state: page.seen.state });
      } finally {
        open.delete(runId);
        await page.close();
      }
    }
  }

  const everybody = Promise.all(
    TEAMS.map((team) =>
      one(team).catch((error: unknown) => {
        failure ??= error;
      }),
    ),
  );
  return {
    open: () => [...open],
    asked: () => asked,
    failed: () => failure,
    async goHome() {
      leaving = true;
      await everybody;
      if (failure !== null) throw failure;
      return played;
    },
  };
}
