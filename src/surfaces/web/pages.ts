import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { isFinal } from "#runs/state.ts";
import type { Unpublished } from "#runs/unpublished.ts";
import { PAGE_HEADERS, renderNote } from "./frame.ts";
import { renderRunIndex } from "./run-index.ts";
import { renderRunFragment, renderRunPage } from "./run-page.ts";
import type { RunLine, RunPage } from "./run-view.ts";

/** Why there is no patch, after "Run 42". */
const NO_PATCH = {
  none: "keeps no change that can be taken from here.",
  gone: "ended too long ago: its unpublished change was kept for two weeks.",
  too_large: "changes more than fits in a patch that somebody applies by hand.",
  away: "has a change, and what keeps it does not answer right now. Try again in a minute.",
} as const;

/** What the run pages are made of and who may see them. */
export interface RunPages {
  load(runId: string): Promise<RunPage | null>;
  /** Newest first. */
  list(): Promise<readonly RunLine[]>;
  /** The page as it is, then each time it changed. Ends when `signal` fires; it may end earlier, the browser returns. */
  watch(runId: string, signal: AbortSignal): AsyncIterable<RunPage>;
  /** The signed receipt as it was signed; `null` while there is none. */
  receipt(runId: string): Promise<string | null>;
  /** The unpublished change of a run, as a unified diff, or why there is none to be had. */
  patch(runId: string): Promise<Unpublished>;
  /** By start token or sign-in. Nothing is shown without it, not even whether a run exists. */
  mayView(request: Request): boolean | Promise<boolean>;
  /** Where a person without access goes; `null` when the way in is the link printed at the start. */
  signIn: { text: string; href: string } | null;
}

const RUN_ID = /^[A-Za-z0-9_-]{1,64}$/;
// A stream ends after this long and the browser opens the next: access is asked about again.
const STREAM_MS = 10 * 60_000;
// Proxies close what is silent for a minute.
const KEEP_ALIVE_MS = 20_000;

const LIVE = readFileSync(new URL("./live.js", import.meta.url), "utf8");
const LIVE_TAG = `"${createHash("sha256").update(LIVE).digest("base64url").slice(0, 16)}"`;

/** `/runs`, `/runs/:id`, its events and its receipt. Mount at the root: the pages link to each other by these paths. */
export function webPages(o: RunPages): Hono {
  const app = new Hono();

  app.get("/runs/live.js", (c) => {
    if (c.req.header("if-none-match") === LIVE_TAG) return c.body(null, 304, { etag: LIVE_TAG });
    return c.body(LIVE, 200, {
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "no-cache",
      "x-content-type-options": "nosniff",
      etag: LIVE_TAG,
    });
  });

  app.use("/runs/*", async (c, next) => {
    if (await o.mayView(c.req.raw)) return next();
    const words = ["Runs show what people asked for and what the agent did, so they are not public."];
    const page =
      o.signIn === null
        ? renderNote({
            title: "This page needs the start link",
            words: [
              ...words,
              "Open the link that was printed where Countersign was started. This page opens after that.",
            ],
          })
        : renderNote({ title: "Sign in to see this page", words, action: o.signIn });
    return c.body(page, 401, PAGE_HEADERS);
  });

  app.get("/runs", async (c) => c.body(renderRunIndex(await o.list()), 200, PAGE_HEADERS));

  app.get("/runs/:id", async (c) => {
    const page = await find(o, c.req.param("id"));
    return page === null ? c.body(noRun(), 404, PAGE_HEADERS) : c.body(renderRunPage(page), 200, PAGE_HEADERS);
  });

  app.get("/runs/:id/receipt.json", async (c) => {
    const page = await find(o, c.req.param("id"));
    if (page === null) return c.body(noRun(), 404, PAGE_HEADERS);
    const receipt = await o.receipt(page.id);
    if (receipt === null) {
      const words = [`Run ${page.number} has no signed receipt yet. It is signed when the run has a result.`];
      const action = { text: `Back to run ${page.number}`, href: `/runs/${page.id}` };
      return c.body(renderNote({ title: "No receipt yet", words, action }), 404, PAGE_HEADERS);
    }
    return c.body(receipt, 200, {
      "content-type": "application/json; charset=utf-8",
      "content-disposition": `attachment; filename="${page.number}.json"`,
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
    });
  });

  app.get("/runs/:id/changes.patch", async (c) => {
    const page = await find(o, c.req.param("id"));
    if (page === null) return c.body(noRun(), 404, PAGE_HEADERS);
    const found: Unpublished = page.patch === null ? { patch: null, why: "none" } : await o.patch(page.id);
    if (page.patch === null || found.patch === null) {
      const why = found.patch === null ? found.why : "none";
      const words = [`Run ${page.number} ${NO_PATCH[why]}`];
      const action = { text: `Back to run ${page.number}`, href: `/runs/${page.id}` };
      const status = why === "away" ? 503 : why === "gone" ? 410 : 404;
      return c.body(renderNote({ title: "No change to download", words, action }), status, PAGE_HEADERS);
    }
    return c.body(found.patch, 200, {
      "content-type": "text/x-patch; charset=utf-8",
      "content-disposition": `attachment; filename="${page.patch.file}"`,
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
    });
  });

  app.get("/runs/:id/events", async (c) => {
    const page = await find(o, c.req.param("id"));
    if (page === null) return c.body(null, 204);
    const known = c.req.header("last-event-id") ?? c.req.query("version") ?? "";
    c.header("x-accel-buffering", "no");
    return streamSSE(c, async (stream) => {
      const end = new AbortController();
      const signal = AbortSignal.any([end.signal, AbortSignal.timeout(STREAM_MS)]);
      stream.onAbort(() => end.abort());
      const pulse = setInterval(() => void stream.write(": still here\n\n"), KEEP_ALIVE_MS);
      try {
        await sendChanges(o.watch(page.id, signal), signal, known, (message) => stream.writeSSE(message));
      } finally {
        clearInterval(pulse);
        end.abort();
      }
    });
  });

  app.all("/runs/*", (c) => c.body(noPage(), 404, PAGE_HEADERS));
  return app;
}

/** Sends what differs from what this reader has. `known` is the version of the page they are looking at. */
async function sendChanges(
  pages: AsyncIterable<RunPage>,
  signal: AbortSignal,
  known: string,
  send: (message: { event: string; id: string; data: string }) => Promise<void>,
): Promise<void> {
  const sent = new Map<string, string>();
  let first = true;
  for await (const page of pages) {
    if (signal.aborted) return;
    const all = renderRunFragment(page);
    const has = first && known === String(page.version);
    first = false;
    const fresh = has ? [] : all.filter((fragment) => sent.get(fragment.id) !== fragment.version);
    for (const fragment of all) sent.set(fragment.id, fragment.version);
    const title = `Run ${page.number} · ${page.state.replaceAll("_", " ")} · ${page.repo.name}`;
    if (fresh.length > 0)
      await send({ event: "changes", id: String(page.version), data: JSON.stringify({ title, fragments: fresh }) });
    if (signal.aborted) return;
    if (isFinal(page.state)) {
      await send({ event: "over", id: String(page.version), data: "{}" });
      return;
    }
  }
}

const find = async (o: RunPages, id: string): Promise<RunPage | null> => (RUN_ID.test(id) ? o.load(id) : null);

const noRun = (): string =>
  renderNote({
    title: "There is no such run",
    words: ["The address may be cut short, or the run is of another installation."],
    action: { text: "See all runs", href: "/runs" },
  });

const noPage = (): string =>
  renderNote({
    title: "There is no such page",
    words: ["Runs are listed on one page."],
    action: { text: "See all runs", href: "/runs" },
  });
