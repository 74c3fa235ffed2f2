import {
  base64,
  count,
  dictionary,
  flag,
  list,
  nothing,
  nullable,
  object,
  oneOf,
  type Shape,
  type Shaped,
  ShapeError,
  text,
} from "./shape.ts";

/** Each stream of `exec`, in bytes. */
export const EXEC_BYTES = 1024 * 1024;
/** Largest piece of a journal in one reply, in bytes. */
export const CHUNK_BYTES = 256 * 1024;
/** Largest file that `read` and `write` carry, in bytes. */
export const FILE_BYTES = 32 * 1024 * 1024;
/** One line of the protocol: a whole file in base64, and room for its envelope. */
export const LINE_BYTES = Math.ceil(FILE_BYTES / 3) * 4 + 64 * 1024;

const exit = object({ code: nullable(count), signal: nullable(text) });
const processInfo = object({
  procId: text,
  state: oneOf("running", "exited"),
  exit: nullable(exit),
  /** Milliseconds since 1970. */
  startedAt: count,
});
const command = { argv: list(text), cwd: nullable(text), env: dictionary(text) };

/** Everything a runner can be asked, with what it answers. Both ends check both directions. */
export const CALLS = {
  exec: {
    request: object({ ...command, timeoutMs: count }),
    reply: object({
      exitCode: nullable(count),
      signal: nullable(text),
      stdout: text,
      stderr: text,
      truncated: flag,
      timedOut: flag,
      durationMs: count,
    }),
  },
  start: { request: object({ procId: text, ...command }), reply: processInfo },
  processes: { request: object({}), reply: list(processInfo) },
  /** Waits up to `waitMs` for a byte at `from` or for the end. `ended`: exited, and nothing lies past this piece. */
  output: {
    request: object({ procId: text, stream: oneOf("in", "out", "err"), from: count, waitMs: count }),
    reply: object({ data: base64, ended: flag }),
  },
  input: { request: object({ procId: text, at: count, data: base64 }), reply: nothing },
  kill: { request: object({ procId: text, signal: oneOf("TERM", "INT", "KILL") }), reply: nothing },
  killAll: { request: object({}), reply: nothing },
  read: { request: object({ path: text, maxBytes: count }), reply: object({ data: base64 }) },
  write: { request: object({ path: text, data: base64, mode: count }), reply: nothing },
  /** Tries to reach what must not be reachable. `canaryPort` and `canaryName` are listened on by the one who asks. */
  probe: {
    request: object({ canaryPort: count, canaryName: text }),
    reply: list(object({ attempt: text, reached: flag, detail: text })),
  },
} as const satisfies Record<string, { request: Shape<unknown>; reply: Shape<unknown> }>;

export type Op = keyof typeof CALLS;
export type Request<O extends Op> = Shaped<(typeof CALLS)[O]["request"]>;
export type Reply<O extends Op> = Shaped<(typeof CALLS)[O]["reply"]>;

export const isOp = (op: string): op is Op => Object.hasOwn(CALLS, op);

const CODES = ["not_found", "conflict", "denied_path", "too_large", "invalid", "unavailable"] as const;
export type RunnerErrorCode = (typeof CODES)[number];

/** A refusal that the caller can name; the codes are a part of the sandbox port's. */
export class RunnerError extends Error {
  override readonly name = "RunnerError";
  readonly code: RunnerErrorCode;

  constructor(code: RunnerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** To the runner: a call, or the wish that a call should end. */
export type Downward =
  | { readonly id: number; readonly op: string; readonly request: unknown }
  | { readonly cancel: number };
/** From the runner. `body` of "reply" still has to be held against the reply's own shape. */
export type Upward =
  | { readonly kind: "reply"; readonly id: number; readonly body: unknown }
  | { readonly kind: "error"; readonly id: number; readonly code: RunnerErrorCode; readonly message: string }
  | { readonly kind: "exited"; readonly procId: string }
  /** The first message: the listening socket is handed out and calls may come. */
  | { readonly kind: "ready" };

const whatever: Shape<unknown> = (value) => value;
const downwardCall = object({ id: count, op: text, request: whatever });
const downwardCancel = object({ cancel: count });
const upward = {
  reply: object({ kind: oneOf("reply"), id: count, body: whatever }),
  error: object({ kind: oneOf("error"), id: count, code: oneOf(...CODES), message: text }),
  exited: object({ kind: oneOf("exited"), procId: text }),
  ready: object({ kind: oneOf("ready") }),
};

/** Throws ShapeError. */
export function parseDownward(line: string): Downward {
  const value: unknown = parseJson(line);
  return typeof value === "object" && value !== null && "cancel" in value
    ? downwardCancel(value, "cancel")
    : downwardCall(value, "call");
}

/** Throws ShapeError: what comes out of a sandbox is data, whoever wrote it. */
export function parseUpward(line: string): Upward {
  const value: unknown = parseJson(line);
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : null;
  if (kind === "reply" || kind === "error" || kind === "exited" || kind === "ready") return upward[kind](value, kind);
  throw new ShapeError("a message of unknown kind");
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new ShapeError("a line is not JSON", { cause });
  }
}
