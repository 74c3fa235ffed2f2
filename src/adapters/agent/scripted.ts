import { randomUUID } from "node:crypto";
import {
  type Agent,
  type AgentDriver,
  AgentError,
  type AgentEvent,
  type AgentProfile,
  type PlanEntry,
  type TurnEnd,
} from "#ports/agent.ts";
import type { Sandbox } from "#ports/sandbox.ts";

/** What a scripted turn does, one after the other. A turn without a last word is fine. */
export type ScriptedStep =
  | { readonly say: string }
  | { readonly think: string }
  | { readonly plan: readonly PlanEntry[] }
  /**
   * A command; with `ask` it waits for a permission, with `hangs` it never ends by itself. `input`: what the agent names
   * beside the command. Nothing is really run.
   */
  | {
      readonly run: string;
      readonly input?: Readonly<Record<string, unknown>>;
      readonly ask?: boolean;
      readonly output?: string;
      readonly exitCode?: number;
      readonly hangs?: boolean;
    }
  /** An address; with `ask` it waits for a permission. Nothing is really fetched. */
  | { readonly fetch: string; readonly ask?: boolean }
  /** Really written, below the sandbox's `workdir`. */
  | { readonly write: string; readonly content: string }
  | { readonly fail: string }
  | { readonly exit: number };

interface Entry {
  readonly cursor: number;
  readonly event: AgentEvent;
}

/** One agent process: it lives in the driver, as a real one lives in its sandbox, and outlasts every attachment. */
interface Process {
  readonly session: string;
  readonly log: Entry[];
  readonly turns: Set<string>;
  readonly asks: Map<string, { decision: "allow" | "reject" | null; open: boolean }>;
  running: string | null;
  cancelled: boolean;
  exited: boolean;
  readonly waiting: Set<() => void>;
}

const PROFILE: AgentProfile = {
  id: "scripted",
  title: "scripted agent",
  image: "demo",
  pin: {},
  onReject: "model-continues",
  restore: "resume",
  startDeadlineMs: 1_000,
  launch: () => ({ argv: ["true"], env: {}, files: {} }),
};

/** An agent without a process: `play` says what a prompt leads to. The reference for the contract, and for tests. */
export function scriptedAgents(o: {
  play(text: string): readonly ScriptedStep[];
  profile?: Partial<AgentProfile>;
}): AgentDriver {
  const profile = { ...PROFILE, ...o.profile };
  const processes = new Map<string, Process>();
  const sessions = new Set<string>();

  return {
    profile,
    async open(sandbox, { procId, restore = null, signal }) {
      signal.throwIfAborted();
      const key = `${sandbox.id}/${procId}`;
      let process = processes.get(key);
      if (!process) {
        await sandbox.killAll();
        const session = restore !== null && sessions.has(restore) ? restore : randomUUID();
        process = start(session);
        sessions.add(session);
        processes.set(key, process);
        tell(process, { kind: "agent.started", session, name: profile.title, version: "1" });
      }
      return attach(process, { sandbox, procId, play: o.play, profile, signal });
    },
  };
}

function start(session: string): Process {
  return {
    session,
    log: [],
    turns: new Set(),
    asks: new Map(),
    running: null,
    cancelled: false,
    exited: false,
    waiting: new Set(),
  };
}

interface House {
  readonly sandbox: Sandbox;
  readonly procId: string;
  readonly play: (text: string) => readonly ScriptedStep[];
  readonly profile: AgentProfile;
  readonly signal: AbortSignal;
}

function attach(process: Process, house: House): Agent {
  return {
    async prompt(turn, text) {
      house.signal.throwIfAborted();
      if (process.turns.has(turn)) return;
      if (process.exited) throw new AgentError("the agent is gone");
      if (process.running !== null) throw new AgentError(`the turn ${process.running} is still running`);
      process.turns.add(turn);
      process.running = turn;
      process.cancelled = false;
      void playTurn(process, house, turn, house.play(text));
    },
    async answer(ask, decision) {
      house.signal.throwIfAborted();
      const known = process.asks.get(ask);
      if (known && known.decision === decision) return "applied";
      if (!known?.open || known.decision !== null) return "stale";
      known.decision = decision;
      known.open = false;
      ring(process);
      return "applied";
    },
    async cancel() {
      house.signal.throwIfAborted();
      const turn = process.running;
      if (turn === null) return;
      process.cancelled = true;
      for (const ask of process.asks.values()) ask.open = false;
      ring(process);
      while (process.running === turn) await change(process, house.signal);
    },
    async stop() {
      if (!process.exited) exit(process, null, "SIGKILL");
    },
    async *events(cursor, signal) {
      const both = AbortSignal.any([signal, house.signal]);
      for (let last = cursor; ; ) {
        both.throwIfAborted();
        const entry = process.log[last];
        if (!entry) {
          if (process.exited) return;
          await change(process, both);
          continue;
        }
        last = entry.cursor;
        yield entry;
        if (entry.event.kind === "agent.exited") return;
      }
    },
  };
}

function tell(process: Process, event: AgentEvent): void {
  process.log.push({ cursor: process.log.length + 1, event });
  ring(process);
}

function ring(process: Process): void {
  for (const wake of process.waiting) wake();
  process.waiting.clear();
}

function change(process: Process, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    process.waiting.add(resolve);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function endTurn(process: Process, turn: string, end: TurnEnd, detail: string | null): void {
  if (process.running !== turn) return;
  process.running = null;
  for (const ask of process.asks.values()) ask.open = false;
  tell(process, { kind: "turn.ended", turn, end, detail });
}

function exit(process: Process, code: number | null, signal: string | null): void {
  const turn = process.running;
  if (turn !== null)
    endTurn(
      process,
      turn,
      "interrupted",
      signal ? `the agent was ended by ${signal}` : `the agent ended with code ${code}`,
    );
  process.exited = true;
  tell(process, { kind: "agent.exited", code, signal });
}

async function playTurn(process: Process, house: House, turn: string, steps: readonly ScriptedStep[]): Promise<void> {
  const over = () => process.running !== turn;
  for (const [at, step] of steps.entries()) {
    // Each step in its own turn of the loop, so that whoever prompts sees the acceptance before the events.
    await Promise.resolve();
    if (process.cancelled) return endTurn(process, turn, "cancelled", null);
    if (over()) return;
    if ("say" in step) tell(process, { kind: "agent.message", text: step.say });
    else if ("think" in step) tell(process, { kind: "agent.thought", text: step.think });
    else if ("plan" in step) tell(process, { kind: "agent.plan", entries: step.plan });
    else if ("fail" in step) return endTurn(process, turn, "failed", step.fail);
    else if ("exit" in step) return exit(process, step.exit, null);
    else {
      const tool = `${turn}-${at}`;
      const end =
        "write" in step ? await write(process, house, tool, step) : await run(process, house, turn, tool, step);
      if (over()) return;
      if (end === "cancelled") return endTurn(process, turn, "cancelled", null);
      if (end === "rejected" && house.profile.onReject === "turn-ends") return endTurn(process, turn, "rejected", null);
    }
  }
  endTurn(process, turn, process.cancelled ? "cancelled" : "done", null);
}

async function write(
  process: Process,
  house: House,
  tool: string,
  step: Extract<ScriptedStep, { write: string }>,
): Promise<"done"> {
  tell(process, { kind: "tool.started", tool, toolKind: "edit", title: `Write ${step.write}`, command: null });
  await house.sandbox.write(`${house.sandbox.workdir}/${step.write}`, step.content);
  tell(process, { kind: "tool.ended", tool, status: "ok", exitCode: null });
  tell(process, { kind: "file.changed", path: step.write });
  return "done";
}

type Command = Extract<ScriptedStep, { run: string }>;
type Call = Command | Extract<ScriptedStep, { fetch: string }>;

/** A call as the agent tells of it, and what is played of it. */
function described(tool: string, call: Call) {
  const step: Omit<Command, "run" | "input"> = call;
  if ("fetch" in call) {
    const about = { tool, toolKind: "fetch", title: `Fetch ${call.fetch}`, command: null };
    return { about, input: { url: call.fetch }, step };
  }
  const about = { tool, toolKind: "execute", title: call.run, command: call.run };
  return { about, input: { command: call.run, ...call.input }, step };
}

async function run(
  process: Process,
  house: House,
  turn: string,
  tool: string,
  call: Call,
): Promise<"done" | "rejected" | "cancelled"> {
  const { about, input, step } = described(tool, call);
  const gone = () => process.cancelled || process.running !== turn;
  tell(process, { kind: "tool.started", ...about });
  const ended = (status: "ok" | "failed" | "interrupted", exitCode: number | null) =>
    tell(process, { kind: "tool.ended", tool, status, exitCode });
  if (step.ask) {
    const ask = `${house.procId}/${tool}`;
    const state: { decision: "allow" | "reject" | null; open: boolean } = { decision: null, open: true };
    process.asks.set(ask, state);
    tell(process, {
      kind: "permission.asked",
      ask,
      ...about,
      input: { kind: about.toolKind, input },
    });
    while (state.decision === null && !gone()) await change(process, null);
    if (gone()) return interrupted(process, turn, ended);
    if (state.decision === "reject") {
      ended("failed", null);
      return "rejected";
    }
  }
  while (step.hangs && !gone()) await change(process, null);
  if (gone()) return interrupted(process, turn, ended);
  if (step.output !== undefined) tell(process, { kind: "tool.output", tool, text: step.output });
  ended((step.exitCode ?? 0) === 0 ? "ok" : "failed", step.exitCode ?? 0);
  return "done";
}

function interrupted(
  process: Process,
  turn: string,
  ended: (status: "interrupted", exitCode: null) => void,
): "cancelled" {
  if (process.running === turn) ended("interrupted", null);
  return "cancelled";
}
