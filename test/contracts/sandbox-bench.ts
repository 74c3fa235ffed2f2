import { expect, type TestContext } from "vitest";
import {
  type Sandbox,
  SandboxError,
  type SandboxErrorCode,
  type SandboxProvider,
  type SandboxSpec,
  type Stream,
} from "#ports/sandbox.ts";

/** What the contract needs of an adapter under test. */
export interface SandboxBench {
  readonly provider: SandboxProvider;
  /** As a process that has just started would have it. */
  again(): SandboxProvider;
  /** An image there is. */
  readonly image: string;
  /** Lets time pass where it can be told to; where it cannot, the contract waits. */
  readonly pass?: (ms: number) => void;
  /** How many programs of any sandbox still run, seen from outside, that hold `word` in their command line. */
  survivors(word: string): number;
  /** Everything that the provider keeps outside of its sandboxes, as text. */
  record(): Promise<string>;
  dispose(): Promise<void>;
}

/** What the cases share. */
export interface Cases {
  bench(): SandboxBench;
  specOf(more?: Partial<SandboxSpec>): SandboxSpec;
  /** Destroyed at the end, if it is still there. */
  create(more?: Partial<SandboxSpec>, signal?: AbortSignal): Promise<Sandbox>;
  /** One sandbox that the gentle cases share. */
  common(): Promise<Sandbox>;
  /** One sentence of the contract. `number`: its case in the conformance list; `null`: it is not in that list. */
  holds(number: number | null, sentence: string, body: (ctx: TestContext) => Promise<void>): void;
  /** Ends a case that this machine cannot show: it is said aloud, and the number does not count as held. */
  cannotShow(ctx: TestContext, number: number, why: string): never;
}

export const calm = (): AbortSignal => AbortSignal.timeout(25_000);
export const SECOND = { timeoutMs: 10_000 };

/** The promise must fail with this code. */
export async function refused(code: SandboxErrorCode, promise: Promise<unknown>): Promise<void> {
  const outcome = await promise.then(
    () => "it succeeded",
    (error: unknown) => (error instanceof SandboxError ? error.code : error),
  );
  expect(outcome).toBe(code);
}

/** Follows a stream to its end. */
export async function collect(
  sandbox: Sandbox,
  procId: string,
  stream: Stream,
  from: number,
  signal = calm(),
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of sandbox.output(procId, stream, from, { follow: true, signal })) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Follows a stream until it has said `text`. */
export async function until(sandbox: Sandbox, procId: string, stream: Stream, text: string): Promise<string> {
  let said = "";
  for await (const piece of sandbox.output(procId, stream, 0, { follow: true, signal: calm() })) {
    said += Buffer.from(piece).toString("utf8");
    if (said.includes(text)) break;
  }
  return said;
}
