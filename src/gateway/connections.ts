/** Something open across the wall that a revoked or narrowed grant must be able to end. */
export interface OpenConnection {
  readonly sandbox: string;
  /** What it was let through as; a newer grant is asked again. `null`: a broker call, which no egress rule names. */
  readonly destination: { readonly host: string; readonly port: number } | null;
  cut(reason: string): void;
}

export interface Connections {
  /** Returns how to take it off again. */
  add(connection: OpenConnection): () => void;
  of(sandbox: string): readonly OpenConnection[];
  all(): readonly OpenConnection[];
}

export function openConnections(): Connections {
  const open = new Set<OpenConnection>();
  return {
    add(connection) {
      open.add(connection);
      return () => open.delete(connection);
    },
    of: (sandbox) => [...open].filter((connection) => connection.sandbox === sandbox),
    all: () => [...open],
  };
}
