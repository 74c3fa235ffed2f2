/**
 * Where something is enforced. "intake": before a run starts; "worker": by whoever carries the run; "protocol": only where
 * the agent asks, which makes it advisory.
 */
export const POINT_NAMES = ["intake", "worker", "sandbox", "gateway", "relay", "publish", "protocol"] as const;
export type Point = (typeof POINT_NAMES)[number];
