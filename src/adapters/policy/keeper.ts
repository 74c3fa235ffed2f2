import type { Loaded } from "#policy/load.ts";
import type { Policy, PolicyProblem } from "#policy/policy.ts";

export interface PolicyWatch {
  /** The policy in force: the newest that loaded. Not ok only while none ever did. */
  current(): Loaded;
  /** What is wrong with the files as they are now; empty when they are in force. */
  problems(): readonly PolicyProblem[];
  /** Looks at the files now. Resolves when what it found is in force or reported. */
  reload(): Promise<void>;
  close(): void;
}

export type PolicyChange =
  | { readonly ok: true; readonly policy: Policy; readonly warnings: readonly PolicyProblem[] }
  | {
      readonly ok: false;
      readonly problems: readonly PolicyProblem[];
      /** What stays in force; `null` when there is nothing. */
      readonly kept: Policy | null;
    };

/** The files as they are, compiled; `commit` also names a state that cannot be read. */
export interface PolicyReading {
  readonly commit: string;
  readonly loaded: Loaded;
}

/**
 * Keeps the newest policy that loaded. A new one replaces the old one whole, between two decisions; a broken one is
 * reported once and the last good one stays. One look at a time, in order: an older reading never replaces a newer one.
 * `onChange` hears everything after the first look.
 */
export function keepPolicy(
  read: (current: Policy | null) => Promise<PolicyReading>,
  onChange: ((change: PolicyChange) => void) | undefined,
): Omit<PolicyWatch, "close"> & { end(): void; readonly ended: () => boolean } {
  let seen = "";
  let problems: readonly PolicyProblem[] = [];
  let current: Loaded | null = null;
  let closed = false;

  const look = async () => {
    const { commit, loaded } = await read(current?.ok === true ? current.policy : null);
    if (closed || commit === seen) return;
    const first = current === null;
    seen = commit;
    problems = loaded.ok ? [] : loaded.problems;
    if (loaded.ok || current === null || !current.ok) current = loaded;
    if (first) return;
    const kept = current.ok ? current.policy : null;
    onChange?.(loaded.ok ? loaded : { ok: false, problems: loaded.problems, kept });
  };
  let last: Promise<void> = Promise.resolve();
  return {
    current: () => current as Loaded,
    problems: () => problems,
    reload: () => {
      last = last.then(look);
      return last;
    },
    end: () => {
      closed = true;
    },
    ended: () => closed,
  };
}
