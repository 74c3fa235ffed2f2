import type { Deliveries } from "./deliver.ts";
import type { Journal } from "./journal.ts";
import type { Wire } from "./wire.ts";
import type { World } from "./world.ts";

/** What every part of the stand-in shares. */
export interface House {
  readonly world: World;
  readonly journal: Journal;
  readonly deliveries: Deliveries;
  /** The way to the app; it waits for an answer as long as Slack does. */
  readonly wire: Wire;
  now(): number;
}
