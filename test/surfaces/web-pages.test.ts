import { expect, test } from "vitest";
import { type Account, DirectoryUnavailable } from "#ports/directory.ts";
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
    visitor: async (request) => (request.headers.get("cookie") === "start=yes" ? "start link" : null),
    mayRead: async () => true,
    quick: async () => [],
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
  const signIn = (path: string) => ({ text: "Sign in with Slack", href: `/signin?to=${path}` });
  expect(await (await pagesOf({ signIn }).request("/runs/run-142")).text()).toContain(
    '<a class="btn" href="/signin?to=/runs/run-142">Sign in with Slack</a>',
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

test("rules that are approved unread are on the list of runs of whoever may know, escaped, and on no other", async () => {
  const quick = { rule: { at: "teams/shop.yaml:8:5", text: "ask <b>run.start</b>" }, answers: 24, quick: 23 };
  const app = pagesOf({ quick: async (visitor) => (visitor === "start link" ? [quick] : []) });
  const page = await (await app.request("/runs", { headers })).text();
  expect(page).toContain("Approved faster than read");
  expect(page).toContain("23 of 24");
  expect(page).toContain("ask &lt;b&gt;run.start&lt;/b&gt;");
  expect(page).toContain("teams/shop.yaml:8:5");
  const person = { provider: "slack", workspace: "T1", id: "U1", name: "Eve", kind: "member", email: null } as const;
  const theirs = pagesOf({
    visitor: async () => person,
    quick: async (visitor) => (visitor === person ? [] : [quick]),
  });
  expect(await (await theirs.request("/runs")).text()).not.toContain("faster than read");
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

const CY: Account = { provider: "slack", workspace: "T1", id: "U0CY", name: "Cy", kind: "member", email: null };

test("a run that is not theirs and one that is not there are the same to who is signed in, everywhere", async () => {
  const loaded: string[] = [];
  const app = pagesOf({
    visitor: async () => CY,
    mayRead: async () => false,
    async load(id) {
      loaded.push(id);
      return mergedRun;
    },
  });
  for (const below of ["", "/receipt.json", "/changes.patch", "/events"]) {
    const [hidden, none] = await Promise.all([app.request(`/runs/run-142${below}`), app.request(`/runs/none${below}`)]);
    expect(hidden.status, below).toBe(below === "/events" ? 204 : 404);
    expect([none.status, await none.text()]).toEqual([hidden.status, await hidden.text()]);
    expect([...none.headers]).toEqual([...hidden.headers]);
  }
  expect(loaded).toEqual([]);
});

test("the list is asked for on behalf of who is signed in, and says who that is", async () => {
  const asked: unknown[] = [];
  const app = pagesOf({
    visitor: async () => CY,
    async list(visitor) {
      asked.push(visitor);
      return [];
    },
  });
  const page = await (await app.request("/runs")).text();
  expect(page).toContain('Signed in as <a href="/signin">Cy</a>');
  expect(page).toContain("There is no run that you may see.");
  expect(asked).toEqual([CY]);
});

test("while it cannot be known who somebody is nothing is shown, whether a run exists or not", async () => {
  const app = pagesOf({
    visitor: async () => {
      throw new DirectoryUnavailable("the network is down");
    },
  });
  const answers = await Promise.all(["/runs", "/runs/run-142", "/runs/none"].map((path) => app.request(path)));
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
  expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1);
});

test.each([
  ["signs out", { visitor: async (times: number) => (times > 1 ? null : CY), mayRead: async () => true }],
  ["leaves the channel", { visitor: async () => CY, mayRead: async (times: number) => times <= 1 }],
  [
    "cannot be known any more",
    {
      visitor: async (times: number) => {
        if (times > 1) throw new DirectoryUnavailable("the network is down");
        return CY;
      },
      mayRead: async () => true,
    },
  ],
])("a stream of a person who %s ends before the next change is sent", async (_what, says) => {
  const times = { visitor: 0, mayRead: 0 };
  const app = pagesOf({
    load: async () => workingRun,
    async *watch() {
      yield later;
    },
    visitor: async () => says.visitor(++times.visitor),
    mayRead: async () => says.mayRead(++times.mayRead),
  });
  expect(await events(app, `/runs/${workingRun.id}/events?version=1`)).toEqual([]);
});
