/** JSON-RPC 2.0, one message a line, as the Agent Client Protocol speaks it over stdio. */
export type RpcId = string | number | null;

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export type RpcMessage =
  | { readonly kind: "request"; readonly id: RpcId; readonly method: string; readonly params: Fields }
  | { readonly kind: "notification"; readonly method: string; readonly params: Fields }
  | { readonly kind: "response"; readonly id: RpcId; readonly result: Fields; readonly error: RpcError | null };

/** An object whose fields nobody has vouched for. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Line {
  /** Byte offset of the line's first byte. */
  readonly at: number;
  readonly text: string;
}

/** The object itself, or an empty one: what a stranger sent is never trusted to have a shape. */
export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/**
 * Cuts a stream of bytes into lines. A line is given out only once its newline is there; bytes are joined before they
 * are decoded, so a character cut in two arrives whole. `at()` is the offset of the next byte to feed.
 */
export function lineCutter(from = 0): { feed(chunk: Uint8Array): Line[]; at(): number; rest(): number } {
  let held: Buffer = Buffer.alloc(0);
  let start = from;
  return {
    feed(chunk) {
      held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
      const lines: Line[] = [];
      let cut = 0;
      for (let end = held.indexOf(10, cut); end >= 0; end = held.indexOf(10, cut)) {
        lines.push({ at: start + cut, text: held.toString("utf8", cut, end) });
        cut = end + 1;
      }
      held = held.subarray(cut);
      start += cut;
      return lines;
    },
    at: () => start + held.length,
    rest: () => held.length,
  };
}

/** `null` for what is no JSON-RPC message: agents print banners and warnings on stdout too. */
export function parseMessage(line: string): RpcMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const message = fields(value);
  const method = text(message.method);
  const id =
    typeof message.id === "string" || typeof message.id === "number" || message.id === null ? message.id : undefined;
  if (method !== null) {
    const params = fields(message.params);
    return id === undefined ? { kind: "notification", method, params } : { kind: "request", id, method, params };
  }
  if (id === undefined || !("result" in message || "error" in message)) return null;
  return { kind: "response", id, result: fields(message.result), error: rpcError(message.error) };
}

function rpcError(value: unknown): RpcError | null {
  if (value === undefined || value === null) return null;
  const error = fields(value);
  return {
    code: typeof error.code === "number" ? error.code : 0,
    message: text(error.message) ?? JSON.stringify(value),
    ...(error.data === undefined ? {} : { data: error.data }),
  };
}

/** One line of the protocol, newline included. */
export function encode(message: object): Buffer {
  return Buffer.from(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
}
