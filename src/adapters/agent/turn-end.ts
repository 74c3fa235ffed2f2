import type { AgentProfile, TurnEnd } from "#ports/agent.ts";
import { type Fields, fields, type RpcError, text } from "./jsonrpc.ts";

/** What is known when the agent answers a prompt. */
export interface TurnFacts {
  readonly result: Fields;
  readonly error: RpcError | null;
  /** We asked for the turn to end. */
  readonly cancelled: boolean;
  /** A permission asked in this turn was refused. */
  readonly refusedAsk: boolean;
  /** The agent's last message of the turn. */
  readonly lastMessage: string;
  readonly profile: Pick<AgentProfile, "onReject" | "errorPattern">;
}

/**
 * The end of a turn, from what was said and not from how the process felt about it: a model error arrives as a JSON-RPC
 * error from one agent and as a friendly `end_turn` from another (measured).
 */
export function turnEnd(facts: TurnFacts): { end: TurnEnd; detail: string | null } {
  if (facts.error) {
    return facts.cancelled ? { end: "cancelled", detail: null } : { end: "failed", detail: errorWords(facts.error) };
  }
  const stop = text(facts.result.stopReason) ?? "none";
  switch (stop) {
    case "cancelled":
      return { end: facts.refusedAsk && !facts.cancelled ? "rejected" : "cancelled", detail: null };
    case "max_tokens":
    case "max_turn_requests":
      return { end: "limit", detail: stop };
    case "refusal":
      return { end: "refused", detail: facts.lastMessage || null };
    case "end_turn":
      return endTurn(facts);
    default:
      return { end: "failed", detail: `the agent gave an unknown stop reason: ${stop}` };
  }
}

function endTurn(facts: TurnFacts): { end: TurnEnd; detail: string | null } {
  const failure = fields(fields(fields(facts.result._meta).jetbrains).air).sessionFailure;
  if (failure !== undefined && failure !== null) return { end: "failed", detail: failureWords(failure) };
  if (facts.result.usage === null)
    return { end: "failed", detail: facts.lastMessage || "the agent answered without a model" };
  if (facts.profile.errorPattern && new RegExp(facts.profile.errorPattern, "i").test(facts.lastMessage)) {
    return { end: "failed", detail: facts.lastMessage };
  }
  if (facts.refusedAsk && facts.profile.onReject === "turn-ends") return { end: "rejected", detail: null };
  return { end: "done", detail: null };
}

/** Agents put the useful words in `data`: { message } or { details } or a plain string. */
function errorWords(error: RpcError): string {
  const data = fields(error.data);
  const more = text(error.data) ?? text(data.message) ?? text(data.details);
  return more && more !== error.message ? `${error.message}: ${more}` : error.message;
}

function failureWords(failure: unknown): string {
  const said = fields(failure);
  return text(failure) ?? text(said.message) ?? text(said.reason) ?? JSON.stringify(failure);
}
