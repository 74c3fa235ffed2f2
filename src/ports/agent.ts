import type { Sandbox } from "./sandbox.ts";

/** Where one agent is told to go and what it may be called. Never contains a provider's key: `token` is per sandbox. */
export interface Launch {
  readonly home: string;
  readonly workdir: string;
  readonly imageDir: string;
  readonly gatewayUrl: string;
  readonly token: string;
  readonly model: string;
}

/** What we know about one agent, as data. The conformance suite decides the flags, not the vendor. */
export interface AgentProfile {
  readonly id: string;
  /** As people read it: "OpenCode", "demo: scripted model". */
  readonly title: string;
  /** Folder of `images/` with what must be installed; also the sandbox's image. */
  readonly image: string;
  /** Exact versions this profile was verified with. */
  readonly pin: Readonly<Record<string, string>>;
  /** What the agent does after a person refused a command. */
  readonly onReject: "model-continues" | "turn-ends";
  readonly restore: "load" | "resume" | "none";
  /**
   * Regular expression over the agent's last message. Some agents report a dead model as an ordinary message and then
   * end the turn well; a match makes it `failed`.
   */
  readonly errorPattern?: string;
  /** Handshake and first session; generous, because the real ones take seconds. */
  readonly startDeadlineMs: number;
  launch(run: Launch): {
    readonly argv: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    /** Absolute path inside the sandbox → content. */
    readonly files: Readonly<Record<string, string>>;
  };
}

/** Never derived from an exit code alone. */
export type TurnEnd = "done" | "cancelled" | "rejected" | "failed" | "limit" | "refused" | "interrupted";

export interface PlanEntry {
  readonly title: string;
  readonly status: "pending" | "in_progress" | "complete";
}

export type AgentEvent =
  | { readonly kind: "agent.started"; readonly session: string; readonly name: string; readonly version: string }
  | { readonly kind: "agent.message"; readonly text: string }
  | { readonly kind: "agent.thought"; readonly text: string }
  | { readonly kind: "agent.plan"; readonly entries: readonly PlanEntry[] }
  | {
      readonly kind: "tool.started";
      readonly tool: string;
      readonly toolKind: string;
      readonly title: string;
      readonly command: string | null;
    }
  | { readonly kind: "tool.output"; readonly tool: string; readonly text: string }
  | {
      readonly kind: "tool.ended";
      readonly tool: string;
      readonly status: "ok" | "failed" | "interrupted";
      readonly exitCode: number | null;
    }
  | { readonly kind: "file.changed"; readonly path: string }
  | {
      readonly kind: "permission.asked";
      /** Answer with this. Unique in the session. */
      readonly ask: string;
      readonly tool: string;
      readonly toolKind: string;
      readonly title: string;
      readonly command: string | null;
      /** Exactly what would be done, for the digest. */
      readonly input: unknown;
    }
  | { readonly kind: "turn.ended"; readonly turn: string; readonly end: TurnEnd; readonly detail: string | null }
  | { readonly kind: "agent.exited"; readonly code: number | null; readonly signal: string | null };

/** A live agent in one sandbox. Every call is idempotent by its key; every effect shows in `events`. */
export interface Agent {
  /**
   * Begins a turn; resolves when it is accepted. The end is a `turn.ended` event. A key already used does nothing.
   * Throws AgentError while another turn runs and after the agent's exit.
   */
  prompt(turn: string, text: string): Promise<void>;
  /** "stale" when the agent no longer waits for it. A repeat with the same answer is "applied". */
  answer(ask: string, decision: "allow" | "reject"): Promise<"applied" | "stale">;
  /** Ends the turn and keeps the session; resolves when no tool process of the turn is left. No turn: does nothing. */
  cancel(): Promise<void>;
  /** Kills the whole tree; resolves when no process of it is left. Any number of times. */
  stop(): Promise<void>;
  /**
   * Everything after `cursor`, in order and without gaps, then live. Ends after `agent.exited`. Throws what the
   * sandbox throws when it is lost. The same cursor gives the same events after any crash.
   */
  events(cursor: number, signal: AbortSignal): AsyncIterable<{ readonly cursor: number; readonly event: AgentEvent }>;
}

export interface AgentDriver {
  readonly profile: AgentProfile;
  /**
   * Starts the agent in the sandbox or re-attaches to the one that is there (they are the same call, so that a crash
   * between them does not matter). Rejects within the profile's deadline with the tree killed. A new `procId` first
   * kills whatever still runs in the sandbox. `restore` is the session of an earlier process (its `agent.started`); when
   * the agent no longer knows it, a new session begins and `agent.started` names that one. Aborting `signal` detaches:
   * the agent goes on, every iterator and call of this attachment rejects.
   */
  open(
    sandbox: Sandbox,
    o: {
      procId: string;
      token: string;
      model: string;
      restore?: string | null;
      /** Added to what the agent's processes have of the profile. Only read when the agent is started. */
      env?: Readonly<Record<string, string>>;
      signal: AbortSignal;
    },
  ): Promise<Agent>;
}

export class AgentError extends Error {
  override readonly name = "AgentError";
}
