import { expect, test } from "vitest";
import type { RunPages } from "#surfaces/web/pages.ts";
import { webPages } from "#surfaces/web/pages.ts";
import type { RunPage } from "#surfaces/web/run-view.ts";
import { handedOffRun, mergedRun, runLines, workingRun } from "#test/fixtures/run-page.ts";

const pagesOf = (o: Partial<RunPages> = {}) =>
  webPages({
    load: async (id) => (id === "run-142" ? mergedRun : null),
    list: async () => runLines,
    async *watch() {},
    receipt: async () => '{"payloadType":"application/vnd.in-toto+json"}',
    patch: async () => ({ patch: "diff --git a/a b/a\n" }),
    mayView: (request) => request.headers.get("cookie") === "start=yes",
    signIn: null,
    ...o,
  });
const headers = { cookie: "start=yes" };

test("nothing is shown without access, and no answer tells whether a run exists", async () => {
  let asked = 0;
  const app = pagesOf({
    async load() {
      asked += 1;
      return mergedRun;
    },
    async list() {
      asked += 1;
      return runLines;
    },
  });
  const urls = [
    "/runs",
    "/runs/run-142",
    "/runs/none",
    "/runs/run-142/events",
    "/runs/run-142/receipt.json",
    "/runs/run-142/changes.patch",
  ];
  const answers = await Promise.all(urls.map((url) => app.request(url)));
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([401]));
  expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1);
  expect(asked).toBe(0);
});

test("who has no access reads what to do", async () => {
  expect(await (await pagesOf().request("/runs")).text()).toContain(
    "Open the link that was printed where Countersign was started.",
  );
  const signIn = { text: "Sign in with Slack", href: "/auth/slack" };
  expect(await (await pagesOf({ signIn }).request("/runs")).text()).toContain(
    '<a class="btn" href="/auth/slack">Sign in with Slack</a>',
  );
});

test("a run, the list and the receipt are served to who may see them", async () => {
  const app = pagesOf();
  const run = await app.request("/runs/run-142", { headers });
  expect([run.status, run.headers.get("cache-control")]).toEqual([200, "no-store"]);
  expect(await run.text()).toContain("Fix the flaky checkout test");
  expect(await (await app.request("/runs", { headers })).text()).toContain("Correct the opening hours");
  const receipt = await app.request("/runs/run-142/receipt.json", { headers });
  expect(receipt.headers.get("content-disposition")).toBe('attachment; filename="142.json"');
  expect(await receipt.json()).toEqual({ payloadType: "application/vnd.in-toto+json" });
});

test("what is not there is a page that says what to do", async () => {
  const app = pagesOf({ receipt: async () => null });
  for (const url of ["/runs/none", "/runs/..%2f..", "/runs/run-142/other", `/runs/${"x".repeat(80)}`]) {
    const answer = await app.request(url, { headers });
    expect(answer.status, url).toBe(404);
    expect(await answer.text()).toContain("See all runs");
  }
  const receipt = await app.request("/runs/run-142/receipt.json", { headers });
  expect(receipt.status).toBe(404);
  expect(await receipt.text()).toContain("has no signed receipt yet");
});

test("the change of a run that was handed off can be taken from its page, and no other", async () => {
  const offered = await pagesOf({ load: async () => handedOffRun }).request("/runs/run-143/changes.patch", { headers });
  expect(offered.headers.get("content-disposition")).toBe('attachment; filename="run-143.patch"');
  expect(await offered.text()).toBe("diff --git a/a b/a\n");
  const merged = await pagesOf().request("/runs/run-142/changes.patch", { headers });
  expect([merged.status, await merged.text()]).toEqual([404, expect.stringContaining("keeps no change")]);
});

test("the policy of a page lets nothing inline run and nothing be loaded from elsewhere", async () => {
  const answer = await pagesOf().request("/runs/run-142", { headers });
  const csp = answer.headers.get("content-security-policy") ?? "";
  expect(csp).toMatch(
    /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'self'; connect-src 'self'; form-action 'self'/,
  );
  expect(csp).not.toContain("unsafe");
  const page = await answer.text();
  expect(page).not.toMatch(/\sstyle="|\son[a-z]+="|<script(?! type="module" src="\/runs\/live\.js")/);
});

test("the script is served with a tag, and not again to who has it", async () => {
  const app = pagesOf();
  const first = await app.request("/runs/live.js");
  const etag = first.headers.get("etag") ?? "";
  expect(first.headers.get("content-type")).toContain("text/javascript");
  expect((await app.request("/runs/live.js", { headers: { "if-none-match": etag } })).status).toBe(304);
});

/** The events of a stream that ends, parsed. */
async function events(app: ReturnType<typeof webPages>, url: string, more: Record<string, string> = {}) {
  const text = await (await app.request(url, { headers: { ...headers, ...more } })).text();
  return text
    .split("\n\n")
    .filter(Boolean)
    .map((block) => {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
      return { event: field("event"), id: field("id"), data: JSON.parse(field("data")) };
    });
}

const later: RunPage = {
  ...workingRun,
  version: 23,
  timeline: [
    ...workingRun.timeline,
    { id: "23", at: workingRun.startedAt, mark: "info", words: ["Next"], quote: null, command: null },
  ],
};
const ids = (data: { fragments: { id: string }[] }): string[] => data.fragments.map((fragment) => fragment.id);
const stream = (...pages: RunPage[]) =>
  pagesOf({
    load: async () => workingRun,
    async *watch() {
      yield* pages;
    },
  });

test("a reader who has the page gets only what changed since", async () => {
  const sent = await events(stream(workingRun, later, later), "/runs/run-142/events?version=22");
  expect(sent.map(({ event, id }) => [event, id])).toEqual([["changes", "23"]]);
  expect(ids(sent[0]?.data)).toEqual(["e-23"]);
  expect(sent[0]?.data.fragments[0]).toMatchObject({ parent: "timeline" });
});

test("a reader who comes back with an older version gets the page as it is", async () => {
  const sent = await events(stream(later), "/runs/run-142/events?version=22", { "last-event-id": "22" });
  expect(ids(sent[0]?.data)).toContain("e-23");
  expect(ids(sent[0]?.data)).toContain("head");
});

test("the stream says when the run is over, and a run that is not there has no stream", async () => {
  const sent = await events(stream(later, { ...mergedRun, version: 61 }), "/runs/run-142/events?version=23");
  expect(sent.map(({ event }) => event)).toEqual(["changes", "over"]);
  expect(sent[0]?.data.title).toBe("Run 142 · merged · acme/shop");
  expect((await pagesOf().request("/runs/none/events", { headers })).status).toBe(204);
});

test("a reader who goes away ends the watch", async () => {
  const ended = Promise.withResolvers<void>();
  const app = pagesOf({
    load: async () => workingRun,
    async *watch() {
      try {
        for (let version = 23; ; version += 1) yield { ...later, version, title: `Title ${version}` };
      } finally {
        ended.resolve();
      }
    },
  });
  const answer = await app.request("/runs/run-142/events", { headers });
  const reader = answer.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  await ended.promise;
});

test.each([
  ["gone", 410, "kept for two weeks"],
  ["away", 503, "Try again in a minute"],
  ["too_large", 404, "by hand"],
  ["none", 404, "keeps no change"],
] as const)("a change that is %s is answered in words", async (why, status, words) => {
  const pages = pagesOf({ load: async () => handedOffRun, patch: async () => ({ patch: null, why }) });
  const answer = await pages.request("/runs/run-143/changes.patch", { headers });
  expect(answer.status).toBe(status);
  expect(await answer.text()).toContain(words);
});
