import { z } from "zod";
import { TOKEN_HEADER } from "#playground/slack/paths.ts";
import type { Installation } from "./product.ts";
import { until } from "./until.ts";

const Changes = z.object({
  title: z.string(),
  fragments: z.array(z.object({ id: z.string(), parent: z.string().nullable(), html: z.string() })),
});

/** Letters of a request that the list of runs shows. */
const LISTED = 120;

/** What a run's page has shown so far. Nothing is taken away when the run starts again. */
export interface Seen {
  /** Of the run: "in review". */
  readonly state: string;
  readonly states: ReadonlySet<string>;
  /** The timeline's lines, oldest first, without markup. */
  readonly lines: readonly string[];
}

/** A run's page, followed live over every restart of the product. */
export interface Page {
  readonly seen: Seen;
  /** Resolves when the page shows it. Throws when it does not within `ms`, with what it shows instead. */
  until(what: string, test: (seen: Seen) => boolean, ms?: number): Promise<Seen>;
  /** What it shows when it is loaded now, and nothing that it had shown before. Waits until the product is there. */
  look(): Promise<Seen>;
  close(): Promise<void>;
}

/** Where the pages are and what opens them: of somebody who has signed in, the cookie of their session. */
export type Visitor = Pick<Installation, "url" | "token"> & { readonly cookie?: string };

export const headersOf = ({ token, cookie }: Visitor): Record<string, string> =>
  cookie === undefined ? { [TOKEN_HEADER]: token() } : { cookie };

/** The run that came of a message: the list has its first line as the title. */
export function runOf(house: Visitor, text: string, ms = 60_000): Promise<string> {
  const title = text.slice(0, LISTED);
  return until(
    `a run "${title}"`,
    async () => {
      const html = await read(house, "/runs");
      if (html === null) return null;
      const rows = [...html.matchAll(/<a href="\/runs\/([0-9a-f-]+)">([^<]*)<\/a>/g)];
      return rows.find(([, , words]) => plain(words ?? "") === title)?.[1] ?? null;
    },
    ms,
  );
}

export function openPage(house: Visitor, runId: string): Page {
  const leaving = new AbortController();
  const states = new Set<string>();
  const lines = new Map<string, string>();
  const shown = { state: "" };
  const waiting = new Set<() => void>();
  const seen = (): Seen => ({
    state: shown.state,
    states,
    lines: [...lines].sort(([a], [b]) => Number(a.slice(2)) - Number(b.slice(2))).map(([, text]) => text),
  });

  function take(data: string): void {
    const { title, fragments } = Changes.parse(JSON.parse(data));
    shown.state = stateIn(title);
    states.add(shown.state);
    for (const { id, parent, html } of fragments) {
      if (parent === "timeline") lines.set(id, plain(html));
    }
    for (const wake of waiting) wake();
  }

  /** One stream to its end; throws when it breaks. */
  async function follow(): Promise<void> {
    const response = await fetch(`${house.url}/runs/${runId}/events`, {
      headers: headersOf(house),
      signal: leaving.signal,
    });
    if (response.status !== 200 || response.body === null) return;
    let held = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const events = (held + chunk).split("\n\n");
      held = events.pop() ?? "";
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1];
        if (/^event: changes$/m.test(event) && data !== undefined) take(data);
      }
    }
  }

  const following = until(
    "the page is left",
    async () => {
      // It breaks whenever the product is killed: that is what this is for.
      await follow().catch(() => undefined);
      return leaving.signal.aborted;
    },
    Number.POSITIVE_INFINITY,
  );

  return {
    get seen() {
      return seen();
    },
    until(what, test, ms = 100_000) {
      return new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          waiting.delete(look);
          const { state, lines: all } = seen();
          reject(new Error(`not within ${ms / 1_000} s: ${what}. Run ${runId} is ${state}:\n  ${all.join("\n  ")}`));
        }, ms);
        const look = () => {
          if (!test(seen())) return;
          clearTimeout(late);
          waiting.delete(look);
          resolve(seen());
        };
        waiting.add(look);
        look();
      });
    },
    async look() {
      const html = await until(`the page of run ${runId}`, () => read(house, `/runs/${runId}`));
      const state = stateIn(plain(/<title>([^<]*)/.exec(html)?.[1] ?? ""));
      const items = [...html.matchAll(/<li id="e-\d+"[^>]*>([\s\S]*?)<\/li>/g)];
      return { state, states: new Set([state]), lines: items.map(([, item]) => plain(item ?? "")) };
    },
    async close() {
      leaving.abort();
      await following;
    },
  };
}

/** Of "Run 12 · in review · acme/shop". */
const stateIn = (title: string): string => title.split(" · ")[1] ?? "";

async function read(house: Visitor, path: string): Promise<string | null> {
  try {
    const response = await fetch(`${house.url}${path}`, { headers: headersOf(house) });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

const plain = (html: string): string =>
  html
    .replace(/<[^>]*>/g, " ")
    .replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ENTITIES[name] ?? "")
    .replace(/\s+/g, " ")
    .trim();
