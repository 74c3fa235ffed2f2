import { expect } from "vitest";
import type { Chat, Team } from "./chat.ts";
import { openPage, type Page, runOf } from "./page.ts";
import { AT, ON_THE_WAY, type Point, REACHED, requestFor } from "./points.ts";
import type { Installation } from "./product.ts";

/** One run from the question to its end. */
export interface Ended {
  readonly team: Team;
  readonly thread: string;
  readonly runId: string;
  /** As the page says it: "in review". */
  readonly state: string;
}

/** The same, and what was done to it on the way. */
interface Played extends Ended {
  /** Where it was struck, in order, and the state it was in then. */
  readonly struck: readonly Struck[];
}
interface Struck {
  readonly point: Point;
  readonly state: string;
}

/** States of a run that nobody of ours works on any more, as its page says them. */
export const OVER: readonly string[] = ["in review", "handed off", "answered", "cancelled", "denied"];

/**
 * Asks for a change as Ana and approves as Bo, each time twice at once, and follows the run to its end. At each point
 * named in `strikes`, in order, the strike is made and awaited before anybody does anything else. Throws when one was
 * not made, or would not have been at its point any more.
 */
export async function play(
  house: Installation,
  chat: Chat,
  o: {
    team: Team;
    label: string;
    strikes: Partial<Record<Point, (runId: string, page: Page) => Promise<unknown>>>;
    /** What is asked of the shop too: ", then …". */
    more?: string;
    /** How long the run may take to its end. */
    ms?: number;
  },
): Promise<Played> {
  const text = requestFor(o.team, o.label, o.more);
  const thread = await chat.ask(o.team, text);
  const runId = await runOf(house, text);
  const page = openPage(house, runId);
  const struck: Struck[] = [];
  try {
    for (const point of ON_THE_WAY[o.team]) {
      // The click comes first: what follows an acknowledged click is the point "approved", seen or not.
      if (point === "approved") await chat.approveNext(o.team, thread);
      else {
        await page.until(point, (seen) => REACHED[point](seen) || OVER.includes(seen.state), o.ms);
        if (!REACHED[point](page.seen)) break;
      }
      const strike = o.strikes[point];
      if (strike !== undefined) {
        const now = await page.look();
        expect(AT[point](now), `${o.label}: ${point} was over before anybody saw it: the run is ${now.state}`).toBe(
          true,
        );
        struck.push({ point, state: now.state });
        await strike(runId, page);
      }
      if (point === "permission-pending") await chat.approveNext(o.team, thread);
    }
    const { state } = await page.until("its end", (seen) => OVER.includes(seen.state), o.ms);
    expect(struck.map(({ point }) => point).sort(), `where ${o.label} was struck, and was to be`).toEqual(
      Object.keys(o.strikes).sort(),
    );
    return { team: o.team, thread, runId, state, struck };
  } finally {
    await page.close();
  }
}
