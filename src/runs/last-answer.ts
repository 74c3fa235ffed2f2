import type { EventBody, RunEvent } from "./event.ts";

/** Why the agent of a turn had no model any more. */
export interface NoModel {
  /** In people's words. */
  readonly why: string;
  readonly budget: boolean;
}

type Called = Extract<EventBody, { kind: "model.called" }>;

const isOk = ({ status }: Called): boolean => status >= 200 && status < 300;

/** Refusals that are about one request and say nothing of the run: a model beside its own, a path that is no model's. */
const ONE_REQUEST = new Set(["path", "method", "model", "model_tool", "bad_request", "not_configured", "limit"]);

/**
 * What the gateway last answered to a turn's model calls, when that was no answer; else `null`. An agent that was refused
 * may end its turn as if it were done, so this decides and not its word. A model that never answered beside one that did
 * is a helper's (titles, summaries), and the turn does not hang on it.
 */
export function lastAnswer(events: readonly RunEvent[], turn: number): NoModel | null {
  const from = events.findLastIndex(({ body }) => body.kind === "turn.started" && body.turn === turn);
  const bodies = events.slice(from + 1).map(({ body }) => body);
  const answered = new Set(bodies.flatMap((body) => (body.kind === "model.called" && isOk(body) ? [body.model] : [])));
  for (const body of bodies.toReversed()) {
    if (body.kind === "model.called") {
      if (isOk(body)) return null;
      if (answered.size > 0 && !answered.has(body.model)) continue;
      return { why: `The model's last answer was HTTP ${body.status}.`, budget: false };
    }
    if (body.kind === "egress.decided" && body.via === "model" && body.outcome === "deny") {
      if (ONE_REQUEST.has(body.reason) && answered.size > 0) continue;
      const why = `The gateway refused the last model call: ${body.reason.replaceAll("_", " ")}.`;
      return { why, budget: body.reason === "budget" };
    }
  }
  return null;
}
