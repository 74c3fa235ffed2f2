import type { Deliveries } from "./deliver.ts";
import type { Journal } from "./journal.ts";
import type { World } from "./world.ts";

/** What every part of the stand-in shares. */
export interface House {
  readonly world: World;
  readonly journal: Journal;
  readonly deliveries: Deliveries;
  readonly signingSecret: string;
  readonly interactivityUrl: string;
  /** How long the app has to answer; Slack gives 3,000 ms. */
  readonly answerWithinMs: number;
  now(): number;
}
