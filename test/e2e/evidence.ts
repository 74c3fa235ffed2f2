import { writeFileSync } from "node:fs";
import type { Page } from "playwright-core";

/**
 * What is kept of a failed test: each page as it looked, and every event, answer and Web API call of the stand-in for
 * Slack, in order. `file` names where a thing goes. What cannot be had is said in the list and does not hide the failure.
 */
export async function keepEvidence(o: {
  readonly pages: readonly Page[];
  /** As it was printed: with the start token. */
  readonly productUrl: string | null;
  readonly file: (what: string) => string;
}): Promise<readonly string[]> {
  const kept: string[] = [];
  const keep = async (what: string, how: (file: string) => Promise<unknown>): Promise<void> => {
    const file = o.file(what);
    try {
      await how(file);
      kept.push(file);
    } catch (error) {
      kept.push(`not kept: ${what}: ${String(error)}`);
    }
  };
  for (const [i, page] of o.pages.entries()) await keep(`${i}.png`, (file) => page.screenshot({ path: file }));
  const { productUrl } = o;
  if (productUrl !== null)
    await keep("slack.jsonl", async (file) => writeFileSync(file, (await calls(productUrl)).join("")));
  return kept;
}

/** The log's entries, a line each. */
async function calls(productUrl: string): Promise<string[]> {
  const url = new URL("/_control/log", productUrl);
  url.search = new URL(productUrl).search;
  const answer = await fetch(url);
  const { log } = (await answer.json()) as { log?: readonly unknown[] };
  if (!Array.isArray(log)) throw new Error(`${url.pathname} answered ${answer.status}`);
  return log.map((entry) => `${JSON.stringify(entry)}\n`);
}
