import readline from "node:readline";

export type Fields = Record<string, unknown>;

/** Thrown by a method to answer with this error. */
export class RpcFailure extends Error {
  override readonly name = "RpcFailure";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Client {
  notify(method: string, params: Fields): void;
  /** Asks the client; resolves with its result, rejects with its error. */
  request(method: string, params: Fields): Promise<Fields>;
}

const waiting = new Map<string, { resolve(result: Fields): void; reject(error: Error): void }>();
let nextId = 1;

function send(message: Fields): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
}

export const client: Client = {
  notify: (method, params) => send({ method, params }),
  request(method, params) {
    const id = `demo-${nextId}`;
    nextId += 1;
    send({ id, method, params });
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  },
};

/** Reads requests from stdin until it ends. One JSON-RPC message a line. */
export function listen(o: {
  methods: Readonly<Record<string, (params: Fields) => Promise<Fields> | Fields>>;
  notified(method: string, params: Fields): void;
  closed(): void;
}): void {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    let message: Fields;
    try {
      message = JSON.parse(line) as Fields;
    } catch {
      return send({ id: null, error: { code: -32700, message: "parse error" } });
    }
    if (typeof message.method !== "string") return settle(message);
    const params = (message.params ?? {}) as Fields;
    if (message.id === undefined) return o.notified(message.method, params);
    void answer(message.id, o.methods[message.method], message.method, params);
  });
  lines.on("close", () => o.closed());
}

function settle(message: Fields): void {
  const id = String(message.id);
  const asker = waiting.get(id);
  waiting.delete(id);
  const error = message.error as { message?: string } | undefined;
  if (error) asker?.reject(new Error(error.message ?? "refused"));
  else asker?.resolve((message.result ?? {}) as Fields);
}

async function answer(
  id: unknown,
  method: ((params: Fields) => Promise<Fields> | Fields) | undefined,
  name: string,
  params: Fields,
): Promise<void> {
  if (!method) return send({ id, error: { code: -32601, message: `method not found: ${name}` } });
  try {
    send({ id, result: await method(params) });
  } catch (error) {
    const code = error instanceof RpcFailure ? error.code : -32603;
    send({ id, error: { code, message: error instanceof Error ? error.message : String(error) } });
  }
}
