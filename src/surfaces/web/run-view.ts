import type { RuleRef } from "#policy/decision.ts";
import type { FileChange, Usage } from "#ports/gateway.ts";
import type { ApprovalState } from "#runs/approval.ts";
import type { CHECK_VERDICTS, Fault } from "#runs/event.ts";
import type { RunState } from "#runs/state.ts";

/** Said by shape before colour: done, refused or failed, waiting for a person, merely told. */
export type Mark = "ok" | "no" | "wait" | "info";

/** ISO 8601, UTC. */
export type Instant = string;

/**
 * A sentence in pieces; what is a plain string is prose. Nothing here is markup: everything is escaped, control and
 * invisible characters are shown as such, and a link that is neither http(s) nor a path of ours is shown as its text.
 */
export type Words = readonly (
  | string
  /** A branch, a path, a host, a command. */
  | { readonly code: string }
  /** A person or a group. */
  | { readonly who: string }
  | { readonly link: string; readonly href: string }
  /** Where a claim comes from: "teams/payments.yaml:14:5", "sha256:9c1e4b7a". Small and grey. */
  | { readonly source: string }
  /** Lines of a change: "+12 −3". */
  | { readonly added: number; readonly deleted: number }
)[];

/** A command and what it printed. The page cuts the middle out of long output and says so. */
export interface CommandView {
  readonly line: string;
  readonly output: string;
  /** Bytes that are not in `output` because the record keeps only its end; 0 when it is whole. */
  readonly cutBytes: number;
  /** `null` while it runs, or when it was killed: `ended` tells which. */
  readonly exitCode: number | null;
  readonly ended: boolean;
  readonly ms: number | null;
  /** Hosts refused while it ran: a failure then is the environment's. */
  readonly refusedHosts: readonly string[];
}

/** One line of what happened. */
export interface TimelineItem {
  /** Stable and unique in the run, made of letters, digits, "-" and "_": the sequence number of its first event. */
  readonly id: string;
  readonly at: Instant;
  readonly mark: Mark;
  readonly words: Words;
  /** What a person or the agent said, word for word. `by` is "" when the sentence already says who. */
  readonly quote: { readonly by: string; readonly text: string } | null;
  readonly command: CommandView | null;
}

export type CheckVerdict = (typeof CHECK_VERDICTS)[number];

export interface CheckRow {
  readonly name: string;
  readonly command: string | null;
  readonly required: boolean;
  /** What it said of the base: `null` when it was not run there (a scan has no base). */
  readonly base: { readonly ok: boolean; readonly words: string } | null;
  /** `null` while it runs. */
  readonly verdict: CheckVerdict | null;
  /** Instead of the verdict's own word: "0 found". */
  readonly words: string | null;
  readonly ms: number | null;
  /** Output of the failing run; "" for none. */
  readonly output: string;
}

export interface HostRow {
  /** "model" and "registry" for the operator's own upstreams, else the host. */
  readonly host: string;
  /** `null` when it says nothing beyond the usual 443. */
  readonly port: number | null;
  readonly allowed: number;
  readonly refused: number;
  /** Of a refusal: why, and the rule that said so. */
  readonly reason: string | null;
  readonly rule: string | null;
}

export interface ApprovalRow {
  readonly id: string;
  /** What is asked, in one or two words: "Start", "Publish", "Host". */
  readonly gate: string;
  /** "1 of @payments-leads". */
  readonly from: string;
  /** "sha256:…" of the exact bytes asked about. */
  readonly digest: string;
  readonly rule: RuleRef | null;
  readonly status: ApprovalState;
  readonly expiresAt: Instant;
  readonly votes: readonly {
    readonly by: string;
    readonly choice: "approve" | "deny";
    readonly reason: string | null;
    readonly at: Instant;
  }[];
  /** Clicks that did not count, with the reason in words: "is the requester". */
  readonly refused: readonly { readonly by: string; readonly why: string; readonly at: Instant }[];
}

/** Everything the run page shows, as facts. A fold of the run's events makes it; the page only words and draws it. */
export interface RunPage {
  /** Letters, digits, "-" and "_". In the address of the page. */
  readonly id: string;
  readonly number: number;
  /** Grows with every event of the run; the same version is the same page. */
  readonly version: number;
  /** One line of the request. */
  readonly title: string;
  readonly state: RunState;
  readonly team: { readonly name: string; readonly href: string | null };
  readonly repo: { readonly name: string; readonly href: string | null };
  /** "agent/142". */
  readonly branch: string;
  readonly requester: string;
  /** People whose approval let it begin. */
  readonly approvedBy: readonly string[];
  /** Where it was asked: "#payments", "a direct message", "a thread", with a way back, when there is one. */
  readonly place: { readonly name: string; readonly href: string | null };
  /** "OpenCode" and the model; `demo` when the model is scripted, which the page says aloud. */
  readonly agent: { readonly title: string; readonly model: string; readonly demo: boolean };
  readonly policy: {
    readonly repo?: string | undefined;
    readonly commit: string;
    readonly digest: string;
    readonly href: string | null;
  };
  /** Rules behind the start decision, in the order they were found. */
  readonly rules: readonly { readonly outcome: "allow" | "ask" | "deny"; readonly rule: RuleRef }[];
  readonly startedAt: Instant;
  /** Of the last move when the run is over; `null` while it goes on. */
  readonly endedAt: Instant | null;
  /** The life so far, oldest first, the current state last; neighbours differ. */
  readonly life: readonly { readonly state: RunState; readonly ms: number }[];
  readonly timeline: readonly TimelineItem[];
  readonly checks: {
    /** Commits they ran on. */
    readonly base: string | null;
    readonly head: string | null;
    /** `false`: policy declares none, and the page says so instead of showing green. */
    readonly declared: boolean;
    readonly rows: readonly CheckRow[];
    /** Tests, scripts and check configuration that the change itself touches. */
    readonly touchedTests: readonly string[];
    /** "The forge's CI agreed with 97 of the last 100 runs here." */
    readonly note: string | null;
  };
  readonly files: readonly FileChange[];
  readonly hosts: readonly HostRow[];
  readonly usage: Usage & {
    /** `null`: policy sets none. */
    readonly limitUsd: number | null;
    readonly sandboxMs: number;
  };
  readonly approvals: readonly ApprovalRow[];
  readonly pullRequest: {
    /** "acme/shop#87". */
    readonly ref: string;
    readonly href: string;
    readonly state: "draft" | "open" | "merged" | "closed";
  } | null;
  /** `null` until it is signed. */
  readonly receipt: {
    readonly events: number;
    readonly keyId: string;
    readonly digest: string;
  } | null;
  /** Set when the run ended without a pull request or an answer. */
  readonly handoff: {
    readonly fault: Fault;
    readonly tried: string;
    readonly failed: string;
    readonly next: string;
  } | null;
  /** What the agent answered when there was nothing to change. */
  readonly answer: string | null;
  /** Lines to type to go on by hand, without a prompt: "git fetch origin agent/142". */
  readonly byHand: readonly string[];
  /** Work of a run that ended without a pull request, to take from here; `null` when there is none. */
  readonly patch: { readonly href: string; readonly file: string } | null;
}

/** One line of the list of runs. */
export interface RunLine {
  readonly id: string;
  readonly number: number;
  readonly title: string;
  readonly state: RunState;
  readonly team: string;
  readonly repo: string;
  readonly requester: string;
  /** The model is scripted, which the list says aloud. */
  readonly demo: boolean;
  readonly startedAt: Instant;
  readonly usd: number;
  /** In and out. */
  readonly tokens: number;
  readonly pullRequest: { readonly ref: string; readonly href: string } | null;
}
