declare const opaque: unique symbol;

/** An open database transaction. Only `db/` knows what is inside; the core passes it on and never looks. */
export interface Tx {
  readonly [opaque]: "tx";
}

/** Short transactions over the one database. Never hold one across network input or output. */
export interface Store {
  /** Commits when `work` resolves; rolls back and rethrows when it throws. */
  tx<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
}
