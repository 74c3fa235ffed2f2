import type { Team } from "./chat.ts";
import type { Seen } from "./page.ts";

/** The ten moments at which something is killed, in the order of a run's life. */
export const POINTS = [
  "requested",
  "approval-opened",
  "approved",
  "sandbox-ready",
  "turn-started",
  "command-running",
  "permission-pending",
  "turn-ended",
  "checking",
  "publishing",
] as const;
export type Point = (typeof POINTS)[number];

/** Who is killed. The control plane is the worker that has the run; the others belong to the run or to everybody. */
export const VICTIMS = ["control plane", "gateway", "supervisor", "agent"] as const;
export type Victim = (typeof VICTIMS)[number];

const says = (seen: Seen, words: RegExp): boolean => seen.lines.some((line) => words.test(line));
const wasPast = (seen: Seen, ...states: string[]): boolean => states.some((state) => seen.states.has(state));

/** Whether the run's own record, as its page shows it, has come to the point. A point that was reached stays reached. */
export const REACHED: Readonly<Record<Point, (seen: Seen) => boolean>> = {
  requested: (seen) => seen.states.size > 0,
  "approval-opened": (seen) => says(seen, /Asked 1 of @leads about starting/),
  approved: (seen) => says(seen, /Bo approved/),
  "sandbox-ready": (seen) => says(seen, /: Sandbox ready|^\S+ Sandbox ready/),
  "turn-started": (seen) => wasPast(seen, "working", "checking", "publishing", "in review"),
  "command-running": (seen) => says(seen, COMMAND),
  "permission-pending": (seen) => says(seen, /Asked 1 of @leads about the command/),
  "turn-ended": (seen) => says(seen, /The agent says Done/),
  checking: (seen) => says(seen, /Clean sandbox for the checks ready/),
  publishing: (seen) => wasPast(seen, "publishing", "in review"),
};

const isIn = (seen: Seen, ...states: string[]): boolean => states.includes(seen.state);

/** Whether the run is at the point still. Only then is a strike one at this point: a page that is followed tells late. */
export const AT: Readonly<Record<Point, (seen: Seen) => boolean>> = {
  requested: (seen) => isIn(seen, "requested", "waiting", "queued"),
  "approval-opened": (seen) => isIn(seen, "requested", "waiting"),
  // The click was acknowledged just now, whatever came of it since.
  approved: (seen) => isIn(seen, "waiting", "queued", "preparing"),
  "sandbox-ready": (seen) => isIn(seen, "preparing"),
  "turn-started": (seen) => isIn(seen, "working"),
  "command-running": (seen) => isIn(seen, "working") && says(seen, /Runs a command/),
  "permission-pending": (seen) => isIn(seen, "working", "suspended"),
  "turn-ended": (seen) => isIn(seen, "working", "checking"),
  checking: (seen) => isIn(seen, "checking"),
  publishing: (seen) => isIn(seen, "publishing"),
};

/** A lead is asked before the shop's runs and yours start, and before a command of data's that deletes. */
export const ON_THE_WAY: Readonly<Record<Team, readonly Point[]>> = {
  yours: POINTS.filter((point) => point !== "permission-pending"),
  shop: POINTS.filter((point) => point !== "permission-pending"),
  data: POINTS.filter((point) => point !== "approval-opened" && point !== "approved"),
  website: POINTS.filter((point) => !["approval-opened", "approved", "permission-pending"].includes(point)),
};

/** The team whose runs come to the point. */
export const teamAt = (point: Point): Team => (point === "permission-pending" ? "data" : "shop");

/**
 * When there is such a process: a run's supervisors from its sandbox until it publishes, its agent while it has a turn
 * (when the record says that a turn has ended, we have ended the agent ourselves).
 */
export const EXISTS: Readonly<Record<Victim, readonly Point[]>> = {
  "control plane": POINTS,
  gateway: POINTS,
  supervisor: ["sandbox-ready", "turn-started", "command-running", "permission-pending", "turn-ended", "checking"],
  agent: ["turn-started", "command-running", "permission-pending"],
};

/** The page's lines about commands: one for each that was begun. */
export const COMMAND = /(Runs|Ran) a command|A command (failed|was interrupted)/;

/** What Ana asks for: a change to a file, and commands that take long enough to be killed in. `more`: asked of the shop too. */
export function requestFor(team: Team, label: string, more = ""): string {
  if (team === "data")
    return `create docs/${label}.md with "${label}", then run \`sleep 1\`, then run \`rm -f docs/none\``;
  if (team === "website") return `append "${label}" to content/opening-hours.md, then run \`sleep 1\``;
  return `append "${label}" to README.md, then run \`sleep 2\`${more}`;
}
