import type { AgentEvent, AgentProfile } from "#ports/agent.ts";
import { type Fields, fields, list, type RpcError, type RpcId, type RpcMessage, text } from "./jsonrpc.ts";
import { turnEnd } from "./turn-end.ts";
import { blockText, planEntries, toolBook } from "./updates.ts";

/** Ids of our own requests. A turn's request carries its key, so that the journal itself says what was sent. */
export const INIT = "init";
export const OPEN = "session";
/** After a failed restore. */
export const REOPEN = "session-new";
const TURN = "turn:";

export const turnId = (turn: string): string => `${TURN}${turn}`;

interface Ask {
  readonly id: RpcId;
  readonly turn: string | null;
  readonly options: readonly Fields[];
}

/** How a request of ours was answered. */
export interface Answered {
  readonly result: Fields;
  readonly error: RpcError | null;
}

/**
 * Everything we know of one agent process, as a fold over what was written to it and what it wrote. The same bytes give
 * the same events, which is what makes a crash of ours harmless. The only rule for the caller: everything written
 * before a line was read must be folded before that line.
 */
export interface SessionFold {
  /** A message of ours, as it stands in the "in" journal. */
  sent(message: RpcMessage): void;
  received(message: RpcMessage): AgentEvent[];
  exited(exit: { code: number | null; signal: string | null }): AgentEvent[];
  /** The agent's answer to a request of ours, once it is there. */
  answered(id: string): Answered | undefined;
  wasSent(id: string): boolean;
  /** Set once the session is open. */
  session(): string | null;
  /** The oldest prompt without an answer. */
  running(): string | null;
  cancelSent(turn: string): boolean;
  pendingAsks(): readonly { readonly ask: string; readonly id: RpcId; readonly options: readonly Fields[] }[];
  /** The option we chose, `undefined` while the ask is open or unknown. */
  answerTo(ask: string): string | null | undefined;
  ask(ask: string): Ask | undefined;
  /** Requests of the agent that nobody has answered and that are no permission asks. */
  foreignRequests(): readonly { readonly id: RpcId; readonly method: string }[];
}

export function sessionFold(o: {
  procId: string;
  workdir: string;
  profile: Pick<AgentProfile, "onReject" | "errorPattern">;
}): SessionFold {
  const requests = new Map<string, { method: string; params: Fields }>();
  const answers = new Map<string, Answered>();
  /** Our answers to requests of the agent: option id, or null for "cancelled" and for errors. */
  const replies = new Map<string, string | null>();
  const prompts: string[] = [];
  const ended = new Set<string>();
  const cancelled = new Set<string>();
  const asks = new Map<string, Ask>();
  const foreign = new Map<string, { id: RpcId; method: string }>();
  const tools = toolBook(o.workdir);
  let session: string | null = null;
  let message = "";
  let gone = false;

  const running = () => prompts.find((turn) => !ended.has(turn)) ?? null;
  const askKey = (id: RpcId) => `${o.procId}/${JSON.stringify(id)}`;
  const open = (ask: Ask) => !gone && ask.turn === running() && !replies.has(JSON.stringify(ask.id));

  function refusedIn(turn: string): boolean {
    return [...asks.values()].some((ask) => {
      const chosen = replies.get(JSON.stringify(ask.id));
      if (ask.turn !== turn || typeof chosen !== "string") return false;
      return optionKind(ask, chosen).startsWith("reject");
    });
  }

  function endOfTurn(turn: string, answer: Answered): AgentEvent[] {
    ended.add(turn);
    const end = turnEnd({
      ...answer,
      cancelled: cancelled.has(turn),
      refusedAsk: refusedIn(turn),
      lastMessage: message.trim(),
      profile: o.profile,
    });
    message = "";
    return [...tools.interrupt(), { kind: "turn.ended", turn, ...end }];
  }

  function opened(id: string, answer: Answered): AgentEvent[] {
    if (answer.error) return [];
    const request = requests.get(id);
    session = text(answer.result.sessionId) ?? text(request?.params.sessionId);
    if (session === null) return [];
    const who = fields(answers.get(INIT)?.result.agentInfo);
    return [
      {
        kind: "agent.started",
        session,
        name: text(who.title) ?? text(who.name) ?? "agent",
        version: text(who.version) ?? "",
      },
    ];
  }

  function updated(params: Fields): AgentEvent[] {
    // Before the session is open these are the replay of an older one; other sessions are subagents' own talk.
    if (session === null || params.sessionId !== session) return [];
    const update = fields(params.update);
    switch (update.sessionUpdate) {
      case "agent_message_chunk": {
        const said = blockText(update.content);
        message += said;
        return said === "" ? [] : [{ kind: "agent.message", text: said }];
      }
      case "agent_thought_chunk": {
        const thought = blockText(update.content);
        return thought === "" ? [] : [{ kind: "agent.thought", text: thought }];
      }
      case "plan":
        return [{ kind: "agent.plan", entries: planEntries(update) }];
      case "tool_call":
      case "tool_call_update":
        message = "";
        return tools.update(update);
      default:
        return [];
    }
  }

  return {
    sent(it) {
      if (it.kind === "request") {
        requests.set(String(it.id), { method: it.method, params: it.params });
        if (it.method === "session/prompt") prompts.push(String(it.id).slice(TURN.length));
      } else if (it.kind === "notification") {
        const last = prompts.at(-1);
        if (it.method === "session/cancel" && last !== undefined) cancelled.add(last);
      } else {
        replies.set(JSON.stringify(it.id), text(fields(it.result.outcome).optionId));
      }
    },
    received(it) {
      if (it.kind === "notification") return it.method === "session/update" ? updated(it.params) : [];
      if (it.kind === "request") {
        if (it.method !== "session/request_permission") {
          foreign.set(JSON.stringify(it.id), { id: it.id, method: it.method });
          return [];
        }
        const ask: Ask = { id: it.id, turn: running(), options: list(it.params.options).map(fields) };
        asks.set(askKey(it.id), ask);
        const told = tools.asked(fields(it.params.toolCall));
        return [...told.events, { kind: "permission.asked", ask: askKey(it.id), ...told.ask }];
      }
      const id = String(it.id);
      const answer = { result: it.result, error: it.error };
      if (!requests.has(id) || answers.has(id)) return [];
      answers.set(id, answer);
      if (id === OPEN || id === REOPEN) return opened(id, answer);
      return id.startsWith(TURN) ? endOfTurn(id.slice(TURN.length), answer) : [];
    },
    exited(exit) {
      const events = tools.interrupt();
      for (const turn of prompts.filter((key) => !ended.has(key))) {
        ended.add(turn);
        const words = exit.signal
          ? `the agent was ended by ${exit.signal}`
          : `the agent ended with code ${exit.code ?? "unknown"}`;
        const end = cancelled.has(turn) ? "cancelled" : "interrupted";
        events.push({ kind: "turn.ended", turn, end, detail: end === "interrupted" ? words : null });
      }
      gone = true;
      return [...events, { kind: "agent.exited", code: exit.code, signal: exit.signal }];
    },
    answered: (id) => answers.get(id),
    wasSent: (id) => requests.has(id),
    session: () => session,
    running,
    cancelSent: (turn) => cancelled.has(turn),
    pendingAsks: () =>
      [...asks].filter(([, ask]) => open(ask)).map(([key, ask]) => ({ ask: key, id: ask.id, options: ask.options })),
    answerTo(key) {
      const ask = asks.get(key);
      return ask && replies.get(JSON.stringify(ask.id));
    },
    ask: (key) => asks.get(key),
    foreignRequests: () => [...foreign.values()].filter((it) => !replies.has(JSON.stringify(it.id))),
  };
}

/** The option that means what a person decided; agents name the ids as they like. */
export function optionFor(options: readonly Fields[], decision: "allow" | "reject"): string | null {
  const once = options.find((option) => option.kind === `${decision}_once`);
  // A refusal may be given for ever, a permission never: the person allowed these bytes, this once.
  const chosen =
    once ?? (decision === "reject" ? options.find((option) => option.kind === "reject_always") : undefined);
  return text(chosen?.optionId);
}

function optionKind(ask: Ask, optionId: string): string {
  return text(ask.options.find((option) => option.optionId === optionId)?.kind) ?? "";
}
