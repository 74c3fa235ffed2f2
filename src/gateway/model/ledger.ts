import type { AuditLine, Usage } from "#ports/gateway.ts";

export const NO_USAGE: Usage = { usd: 0, inputTokens: 0, cachedTokens: 0, outputTokens: 0, calls: 0 };

/** Money and tokens set aside for a call that is under way. */
export interface Reservation {
  readonly usd: number;
  readonly tokens: number;
  release(): void;
}

/**
 * What each run has spent and what its running calls may still spend. One writer per run: this process. Spending is a
 * fold of the journal's "model" lines, so a restart counts on from where it stood.
 */
export interface Ledger {
  spent(run: string): Usage;
  /** What is left after everything reserved. */
  left(run: string, budget: { usd: number; tokens: number }): { usd: number; tokens: number };
  reserve(run: string, amount: { usd: number; tokens: number }): Reservation;
  count(line: AuditLine): void;
  /** Input tokens of what the run has sent before, as its provider counted them, by a key of the text. */
  counted(run: string): Map<string, number>;
  forget(run: string): void;
}

/** `past`: what runs have spent that no line is left of. */
export function openLedger(past: ReadonlyMap<string, Usage> = new Map()): Ledger {
  const spent = new Map(past);
  const reserved = new Map<string, Set<Reservation>>();
  const countedBefore = new Map<string, Map<string, number>>();
  return {
    spent: (run) => spent.get(run) ?? NO_USAGE,
    left(run, budget) {
      const used = spent.get(run) ?? NO_USAGE;
      const held = [...(reserved.get(run) ?? [])];
      return {
        usd: budget.usd - used.usd - held.reduce((sum, each) => sum + each.usd, 0),
        tokens: budget.tokens - used.inputTokens - used.outputTokens - held.reduce((sum, each) => sum + each.tokens, 0),
      };
    },
    reserve(run, amount) {
      const held = reserved.get(run) ?? new Set<Reservation>();
      reserved.set(run, held);
      const reservation: Reservation = { ...amount, release: () => void held.delete(reservation) };
      held.add(reservation);
      return reservation;
    },
    count(line) {
      if (line.kind !== "model" || line.run === null) return;
      spent.set(line.run, add(spent.get(line.run) ?? NO_USAGE, line.usage));
    },
    counted(run) {
      const counted = countedBefore.get(run) ?? new Map<string, number>();
      countedBefore.set(run, counted);
      return counted;
    },
    forget(run) {
      spent.delete(run);
      countedBefore.delete(run);
      reserved.delete(run);
    },
  };
}

export function add(a: Usage, b: Usage): Usage {
  return {
    usd: a.usd + b.usd,
    inputTokens: a.inputTokens + b.inputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    calls: a.calls + b.calls,
  };
}
