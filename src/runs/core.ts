import type { Policy } from "#policy/policy.ts";
import type { SiteConfig } from "#policy/site.ts";
import type { AgentDriver } from "#ports/agent.ts";
import type { Clock } from "#ports/clock.ts";
import type { Directory } from "#ports/directory.ts";
import type { Engine } from "#ports/engine.ts";
import type { Gateway } from "#ports/gateway.ts";
import type { RepoHost } from "#ports/repo-host.ts";
import type { SandboxProvider } from "#ports/sandbox.ts";
import type { Store } from "#ports/store.ts";
import type { InHand } from "./in-hand.ts";
import type { Linkable } from "./linkable.ts";
import type { Signer } from "./receipt.ts";
import type { Redactor } from "./redact.ts";
import type { Stores } from "./stores.ts";

/** Everything the use cases need from outside, handed over once by `main.ts`. */
export interface Core {
  readonly orgId: string;
  /** Address people open, without a slash at the end. */
  readonly baseUrl: string;
  readonly clock: Clock;
  readonly store: Store;
  readonly stores: Stores;
  readonly engine: Engine;
  readonly directory: Directory;
  /** The policy in force, or why there is none: then everything is denied. */
  readonly policy: () =>
    | {
        readonly ok: true;
        readonly policy: Policy;
        /** The files it was made of, by name; absent where nobody has them. */
        readonly sources?: ReadonlyMap<string, string>;
        /** What it was loaded for, so that a line can be tried out before it is proposed. */
        readonly site?: SiteConfig;
      }
    | { readonly ok: false; readonly problem: string };
  readonly gateway: Gateway;
  readonly sandboxes: SandboxProvider;
  /** The agent that new runs get; a running one keeps its own by profile id. */
  readonly agents: ReadonlyMap<string, AgentDriver>;
  readonly defaultAgent: { readonly id: string; readonly model: string };
  readonly repoHost: RepoHost;
  /** The Python package index that the operator configured; only `pypi-read` opens it. */
  readonly pythonIndex?: string | null;
  /** The Go module proxy that the operator configured; only `go-read` opens it. */
  readonly goProxy?: string | null;
  readonly signer: Signer;
  /** The token of a sandbox, derived from an installation key: never stored, the same after a crash. */
  readonly tokenFor: (sandboxKey: string) => string;
  /** Places whose accounts people may have linked with their chat account; absent: none. */
  readonly linkable?: readonly Linkable[];
  /**
   * A keyed hash under an installation key, for codes that link an account elsewhere with a chat account; absent where no
   * such place is configured.
   */
  readonly linkMac?: (text: string) => string;
  /** Removes known secrets from anything that is about to be recorded. */
  readonly redact: Redactor;
  /** Says that the outbox has something to show; shown within milliseconds instead of at the next round. */
  readonly nudge: () => void;
  /**
   * Shows a message whose claim has just been committed, ahead of everything the outbox has. Absent in a process that
   * shows no messages: there nothing may be claimed.
   */
  readonly hand?: (message: InHand) => void;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}
