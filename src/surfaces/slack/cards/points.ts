import type { Point } from "#policy/points.ts";
import type { Gate } from "#runs/approval.ts";

/** Where something is held to, after "enforced". */
export const POINTS: Readonly<Record<Exclude<Point, "protocol">, string>> = {
  intake: "before anything starts",
  worker: "by the worker that carries the run",
  sandbox: "by the sandbox",
  gateway: "by the gateway",
  relay: "at every push",
  publish: "before anything is published",
};

const ADVISORY = "only where the agent asks (advisory)";

/** "by the gateway", "before anything starts and by the gateway". */
export const enforced = (points: readonly Point[]): string =>
  points.map((point) => (point === "protocol" ? ADVISORY : POINTS[point])).join(" and ");

/** What holds people's answer to each kind of question. */
const GATES: Readonly<Record<Gate, Point>> = {
  start: "intake",
  command: "protocol",
  host: "gateway",
  publish: "publish",
  budget: "gateway",
  secret: "gateway",
};

export const enforcedGate = (gate: Gate): string => `enforced ${enforced([GATES[gate]])}`;
