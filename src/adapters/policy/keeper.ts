import type { Loaded } from "#policy/load/load.ts";
import type { Policy, PolicyProblem } from "#policy/policy.ts";

export interface PolicyWatch {
  /** The policy in force: the newest that loaded. Not ok only while none ever did. */
  current(): Loaded;
  /** The files of the policy in force: name → text. */
  sources(): ReadonlyMap<string, string>;
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
      /** Names the state that does not load; the same state has the same name, on every machine. */
      readonly tree: string;
      /** It may be over by itself, like a forge that does not answer: worth a line in the log, and after 15 minutes a word. */
      readonly passing: boolean;
      readonly problems: readonly PolicyProblem[];
      /** What stays in force; `null` when there is nothing. */
      readonly kept: Policy | null;
    };

/** How long a failure may last before somebody has to look: a token that ended does not come back by itself. */
const LASTING_MS = 15 * 60_000;

/** The files as they are, compiled; `commit` also names a state that cannot be read. */
export interface PolicyReading {
  readonly commit: string;
  readonly loaded: Loaded;
  readonly files: ReadonlyMap<string, string>;
  readonly passing?: boolean;
  /** There is something newer that this one leads to: look again at once. */
  readonly more?: boolean;
}

const NO_FILES: ReadonlyMap<string, string> = new Map();

/** A state of the files that is no policy: it cannot be read, or nobody agreed to it. */
export function unusable(commit: string, message: string, passing = false): PolicyReading {
  return { commit, loaded: { ok: false, problems: [{ at: "org.yaml:1:1", message }] }, files: NO_FILES, passing };
}

/**
 * Keeps the newest policy that loaded. A new one replaces the old one whole, between two decisions; a broken one is
 * reported once and the last good one stays. One look at a time, in order: an older reading never replaces a newer one.
 * `onChange` hears everything after the first look.
 */
export function keepPolicy(
  read: (current: Policy | null) => Promise<PolicyReading>,
  onChange: ((change: PolicyChange) => void) | undefined,
  now: () => number = Date.now,
): Omit<PolicyWatch, "close"> & { end(): void; readonly ended: () => boolean } {
  let seen = "";
  let problems: readonly PolicyProblem[] = [];
  let current: Loaded | null = null;
  let sources = NO_FILES;
  let closed = false;

  const look = async () => {
    while (!closed && (await once()));
  };
  /** Whether there is more to see. */
  const once = async (): Promise<boolean> => {
    const reading = await read(current?.ok === true ? current.policy : null);
    if (!closed) take(reading);
    return reading.more === true;
  };
  /** Since when it cannot be looked at; `Infinity` once that was told. */
  let awaySince: number | null = null;
  const lasting = ({ loaded, passing = false }: PolicyReading) => {
    if (!passing || loaded.ok) awaySince = null;
    else awaySince ??= now();
    if (awaySince === null || loaded.ok || current?.ok !== true || now() - awaySince < LASTING_MS) return;
    awaySince = Number.POSITIVE_INFINITY;
    // The words change from one look to the next, and differ between machines: it is one state all the same.
    const tree = `away ${current.policy.commit}`;
    onChange?.({ ok: false, tree, passing: false, problems: loaded.problems, kept: current.policy });
  };
  const take = (reading: PolicyReading) => {
    show(reading);
    lasting(reading);
  };
  const show = ({ commit, loaded, files, passing = false }: PolicyReading) => {
    if (commit === seen) return;
    const first = current === null;
    seen = commit;
    problems = loaded.ok ? [] : loaded.problems;
    // Both at once: nobody reads the one of the old policy and the other of the new.
    if (loaded.ok || current === null || !current.ok) [current, sources] = [loaded, files];
    if (first) return;
    const kept = current.ok ? current.policy : null;
    onChange?.(loaded.ok ? loaded : { ok: false, tree: commit, passing, problems: loaded.problems, kept });
  };
  let last: Promise<void> = Promise.resolve();
  /** The look that has not begun yet: whoever asks meanwhile gets this one. */
  let queued: Promise<void> | null = null;
  return {
    current: () => current as Loaded,
    sources: () => sources,
    problems: () => problems,
    reload: () => {
      queued ??= last.then(() => {
        queued = null;
        return look();
      });
      const mine = queued;
      last = mine.catch(() => undefined);
      return mine;
    },
    end: () => {
      closed = true;
    },
    ended: () => closed,
  };
}
