/** Whether a control plane still stands behind the grants that we hold. */
export interface Lease {
  hear(): void;
  /** New requests are denied while this is false; what runs goes on. */
  isHeld(): boolean;
  /** Resolves when nobody has been heard for `orphanMs`. */
  readonly orphaned: Promise<void>;
  close(): void;
}

export function openLease(o: { leaseMs: number; orphanMs: number; now: () => number }): Lease {
  let heardAt = o.now();
  let timer: NodeJS.Timeout;
  const orphaned = new Promise<void>((resolve) => {
    timer = setInterval(
      () => {
        if (o.now() - heardAt >= o.orphanMs) resolve();
      },
      Math.max(10, Math.min(o.orphanMs / 4, 5_000)),
    ).unref();
  });
  return {
    hear: () => {
      heardAt = o.now();
    },
    isHeld: () => o.now() - heardAt < o.leaseMs,
    orphaned,
    close: () => clearInterval(timer),
  };
}
