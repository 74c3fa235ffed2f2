import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { AuditLine, Usage } from "#ports/gateway.ts";
import { replaceFile } from "./durable-file.ts";
import { add, NO_USAGE } from "./model/ledger.ts";

const File = z.strictObject({
  upTo: z.number().int().nonnegative(),
  spent: z.record(
    z.string(),
    z.strictObject({
      usd: z.number(),
      inputTokens: z.number(),
      cachedTokens: z.number(),
      outputTokens: z.number(),
      calls: z.number(),
    }),
  ),
});

/** What is still needed of the journal's lines that are no longer kept: what the living runs had spent in them. */
export interface Retired {
  /** Everything before this byte of the journal is in `spent`. */
  upTo(): number;
  spent(): ReadonlyMap<string, Usage>;
  /** Adds the lines between what was retired and `to`, for the runs that are `known`. On disk when it resolves. */
  take(lines: AsyncIterable<AuditLine>, to: number, known: ReadonlySet<string>): Promise<void>;
}

/** Opens `file`, or begins with nothing. */
export async function openRetired(file: string): Promise<Retired> {
  let { upTo, spent } = await read(file);
  return {
    upTo: () => upTo,
    spent: () => spent,
    async take(lines, to, known) {
      const next = new Map([...spent].filter(([run]) => known.has(run)));
      for await (const line of lines) {
        if (line.kind === "model" && line.run !== null && known.has(line.run))
          next.set(line.run, add(next.get(line.run) ?? NO_USAGE, line.usage));
      }
      await replaceFile(file, JSON.stringify({ upTo: to, spent: Object.fromEntries(next) }));
      upTo = to;
      spent = next;
    },
  };
}

async function read(file: string): Promise<{ upTo: number; spent: Map<string, Usage> }> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { upTo: 0, spent: new Map() };
    throw error;
  }
  const { upTo, spent } = File.parse(JSON.parse(text));
  return { upTo, spent: new Map(Object.entries(spent)) };
}
