import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Context, Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { type Account, DirectoryUnavailable } from "#ports/directory.ts";
import type { QuickRule } from "#runs/quick-yes.ts";
import type { Unpublished } from "#runs/result/unpublished.ts";
import { isFinal } from "#runs/state.ts";
import { PAGE_HEADERS, renderNote } from "./frame.ts";
import { visitorOr } from "./gate.ts";
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

/** Whose browser it is: a person's, or one that has opened the start link, which shows everything. */
export type Visitor = Account | "start link";

/** What the run pages are made of and who may see them. */
export interface RunPages {
  load(runId: string): Promise<RunPage | null>;
  /** What this visitor may see, newest first. */
  list(visitor: Visitor): Promise<readonly RunLine[]>;
  /** Rules whose questions are answered unread; none where they are nothing to this visitor. */
  quick(visitor: Visitor): Promise<readonly QuickRule[]>;
  /** The page as it is, then each time it changed. Ends when `signal` fires; it may end earlier, the browser returns. */
  watch(runId: string, signal: AbortSignal): AsyncIterable<RunPage>;
  /** The signed receipt as it was signed; `null` while there is none. */
  receipt(runId: string): Promise<string | null>;
  /** The unpublished change of a run, as a unified diff, or why there is none to be had. */
  patch(runId: string): Promise<Unpublished>;
  /** By start token or sign-in; `null`: nobody, and nothing is shown. Throws `DirectoryUnavailable`. */
  visitor(request: Request): Promise<Visitor | null>;
  /** `false` also for a run that is not there: one answer for both, so that no page tells whether a run exists. */
  mayRead(runId: string, visitor: Visitor): Promise<boolean>;
  /** Where a person who is not signed in goes from a path; `null` when the way in is the link printed at the start. */
  signIn: ((path: string) => { text: string; href: string }) | null;
}

const RUN_ID = /^[A-Za-z0-9_-]{1,64}$/;
// A stream ends after this long and the browser opens the next: access is asked about again.
const STREAM_MS = 10 * 60_000;
// Proxies close what is silent for a minute.
const KEEP_ALIVE_MS = 20_000;

const LIVE = readFileSync(new URL("./live.js", import.meta.url), "utf8");
const LIVE_TAG = `"${createHash("sha256").update(LIVE).digest("base64url").slice(0, 16)}"`;

/** `/runs`, `/runs/:id`, its events and its receipt. Mount at the root: the pages link to each other by these paths. */
export function webPages(o: RunPages): Hono<Visited> {
  const app = new Hono<Visited>();

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
    const visitor = await visitorOr(c, { visitor: o.visitor, why: NOT_PUBLIC, signIn: o.signIn });
    if (visitor instanceof Response) return visitor;
    c.set("visitor", visitor);
    return next();
  });

  app.get("/runs", async (c) => {
    const visitor = c.get("visitor");
    const [runs, quick] = await Promise.all([o.list(visitor), o.quick(visitor)]);
    return c.body(renderRunIndex(runs, whoOf(visitor), quick), 200, PAGE_HEADERS);
  });

  app.get("/runs/:id", async (c) => {
    const page = await find(o, c);
    return page === null ? nothing(c) : c.body(renderRunPage(page), 200, PAGE_HEADERS);
  });

  app.get("/runs/:id/receipt.json", async (c) => {
    const page = await find(o, c);
    if (page === null) return nothing(c);
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
    const page = await find(o, c);
    if (page === null) return nothing(c);
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
    const page = await find(o, c);
    if (page === null) return c.body(null, 204);
    const known = c.req.header("last-event-id") ?? c.req.query("version") ?? "";
    c.header("x-accel-buffering", "no");
    return streamSSE(c, async (stream) => {
      const end = new AbortController();
      const signal = AbortSignal.any([end.signal, AbortSignal.timeout(STREAM_MS)]);
      stream.onAbort(() => end.abort());
      const pulse = setInterval(() => void stream.write(": still here\n\n"), KEEP_ALIVE_MS);
      try {
        const may = () => mayStill(o, c.req.raw, page.id);
        await sendChanges(o.watch(page.id, signal), signal, known, may, (message) => stream.writeSSE(message));
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
  may: () => Promise<boolean>,
  send: (message: { event: string; id: string; data: string }) => Promise<void>,
): Promise<void> {
  const sent = new Map<string, string>();
  let first = true;
  for await (const page of pages) {
    if (signal.aborted || !(await may())) return;
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

interface Visited {
  Variables: { visitor: Visitor };
}

/** The page, for who may read it. A run that is not there and one that is not theirs are the same. */
async function find(o: RunPages, c: Context<Visited, "/runs/:id">): Promise<RunPage | null> {
  const id = c.req.param("id");
  return RUN_ID.test(id) && (await o.mayRead(id, c.get("visitor"))) ? o.load(id) : null;
}

/** Whether a stream may go on: a person may have signed out, left the channel or the workspace since it began. */
async function mayStill(o: RunPages, request: Request, runId: string): Promise<boolean> {
  try {
    const visitor = await o.visitor(request);
    return visitor !== null && (await o.mayRead(runId, visitor));
  } catch (error) {
    if (error instanceof DirectoryUnavailable) return false;
    throw error;
  }
}

const whoOf = (visitor: Visitor): string | null => (visitor === "start link" ? null : visitor.name);

const nothing = (c: Context<Visited>): Response =>
  c.body(
    c.get("visitor") === "start link" ? noRun() : renderNote({ title: NOT_HERE, words: NOT_YOURS, action: ALL_RUNS }),
    404,
    PAGE_HEADERS,
  );

const ALL_RUNS = { text: "See all runs", href: "/runs" };
const NOT_HERE = "There is no such run for you";
const NOT_YOURS = [
  "Either there is none, or it is not yours to see. A run is shown to the members of the channel it was asked or is answered in, to whoever is asked about it, and to auditors.",
  "While Slack does not say who is in a channel, its runs are shown to nobody. Try again in a minute if this one was yours.",
];
const NOT_PUBLIC = "Runs show what people asked for and what the agent did, so they are not public.";

const noRun = (): string =>
  renderNote({
    title: "There is no such run",
    words: ["The address may be cut short, or the run is of another installation."],
    action: ALL_RUNS,
  });

const noPage = (): string =>
  renderNote({
    title: "There is no such page",
    words: ["Runs are listed on one page."],
    action: ALL_RUNS,
  });
