import { open } from "node:fs/promises";
import { z } from "zod";
import type { Usage } from "#ports/gateway.ts";
import { costOf } from "./prices.ts";

const Call = z.strictObject({ run: z.string(), sandbox: z.string(), model: z.string(), inputTokens: z.number() });
const Entry = z.union([z.strictObject({ begin: z.number(), call: Call }), z.strictObject({ end: z.number() })]);

export type StartedCall = z.infer<typeof Call>;

/** Calls that have gone out and are not yet on the bill. */
export interface InFlight {
  /** Resolves to what is called once the bill is written. */
  begin(call: StartedCall): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/**
 * Opens the list at `file` and returns what a killed predecessor left in it. Not synced: it is there for a process that
 * dies, and a machine that dies takes the answer's reader along.
 */
export async function openInFlight(file: string): Promise<{ left: readonly StartedCall[]; inFlight: InFlight }> {
  const handle = await open(file, "a+", 0o600);
  const left = unfinished((await handle.readFile("utf8")).split("\n"));
  await handle.truncate(0);
  let counter = 0;
  let running = 0;
  let last: Promise<unknown> = Promise.resolve();
  /** One after the other: an emptying must not swallow a line that was written after it was decided. */
  const inTurn = async (act: () => Promise<unknown>): Promise<void> => {
    const mine = last.then(act);
    last = mine.catch(() => undefined);
    await mine;
  };
  const write = (entry: z.infer<typeof Entry>) => inTurn(() => handle.appendFile(`${JSON.stringify(entry)}\n`));
  return {
    left,
    inFlight: {
      async begin(call) {
        counter += 1;
        running += 1;
        const id = counter;
        await write({ begin: id, call });
        return async () => {
          running -= 1;
          // Empty again whenever nothing runs, so that it never grows.
          if (running === 0) await inTurn(() => handle.truncate(0));
          else await write({ end: id });
        };
      },
      close: () => inTurn(() => handle.close()),
    },
  };
}

function unfinished(lines: readonly string[]): StartedCall[] {
  const calls = new Map<number, StartedCall>();
  for (const line of lines) {
    const entry = readEntry(line);
    if (entry === null) continue;
    if ("begin" in entry) calls.set(entry.begin, entry.call);
    else calls.delete(entry.end);
  }
  return [...calls.values()];
}

/** `null`: empty, or cut in the middle by the crash. */
function readEntry(line: string): z.infer<typeof Entry> | null {
  try {
    return Entry.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** What a call costs of which only the question is known. */
export function leastUsage(call: StartedCall): Usage {
  const usd = costOf(call.model, { input: call.inputTokens, cached: 0, cacheWrite: 0, output: 0 });
  return { usd, inputTokens: call.inputTokens, cachedTokens: 0, outputTokens: 0, calls: 1 };
}
