import { expect, test } from "vitest";
import { renderRunIndex } from "#surfaces/web/run-index.ts";
import { renderRunFragment, renderRunPage } from "#surfaces/web/run-page.ts";
import type { RunPage } from "#surfaces/web/run-view.ts";
import { handedOffRun, mergedRun, runLines, workingRun } from "#test/fixtures/run-page.ts";

/** The text of a page as a reader without style sees it. */
const seen = (page: string): string =>
  page
    .replace(/<(style|title|svg)[\s\S]*?<\/\1>/g, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");

test("the first screen answers who asked, who allowed it, what came of it and what it cost", () => {
  const text = seen(renderRunPage(mergedRun));
  expect(text).toContain("Fix the flaky checkout test merged");
  expect(text).toContain(
    "Asked by Ana in #payments · approved by Bo · OpenCode, claude-sonnet · policy payments@3f2c1a9",
  );
  expect(text).toContain("6 min 5 s , of which 2 min 4 s waited for a person".replace(" ,", ","));
  expect(text).toContain("$0.18 of $2.00");
  expect(text).toContain("unit tests 4 of 40 red fixed 38 s");
  expect(text).toContain("cdn.example.net no rule · org.yaml ceiling refused 1");
  expect(text).toContain("Ana did not count is an author of this run");
  expect(text).toContain("countersign receipt verify 142.json");
});

test("every claim carries its source", () => {
  const text = seen(renderRunPage(mergedRun));
  for (const source of ["teams/payments.yaml:14:5", "sha256:9c1e4b7a0d1e…", "4be81d0", "sha256:0f1e2d3c4b5a…"]) {
    expect(text).toContain(source);
  }
});

test("the policy is named with the repository that its commit is in, where that is known", () => {
  const policy = { ...mergedRun.policy, repo: "acme/policies" };
  expect(seen(renderRunPage({ ...mergedRun, policy }))).toContain("Policy acme/policies@3f2c1a9");
  expect(seen(renderRunPage(mergedRun))).toContain("Policy payments@3f2c1a9");
});

test("a demo run says so", () => {
  expect(seen(renderRunPage(workingRun))).toContain("demo: scripted model");
  expect(seen(renderRunPage(mergedRun))).not.toContain("demo");
});

test("a run that was handed off begins with why and what next", () => {
  const text = seen(renderRunPage(handedOffRun));
  expect(text).toContain("It looks like the environment, not the code.");
  expect(text.indexOf("Handed off")).toBeLessThan(text.indexOf("What happened"));
  expect(text).toContain("Next Allow cdn.example.net for this team");
  expect(text).toContain("git apply run-143.patch");
});

test("no declared checks are never shown as green", () => {
  const text = seen(renderRunPage({ ...mergedRun, checks: { ...mergedRun.checks, declared: false, rows: [] } }));
  expect(text).toContain("Policy declares no checks for this repository. Nothing here says that the change works.");
  expect(text).not.toContain("green");
});

test("an answer and a missing limit are said", () => {
  const text = seen(
    renderRunPage({
      ...mergedRun,
      state: "answered",
      answer: "It is <b>42</b>.",
      usage: { ...mergedRun.usage, limitUsd: null },
    }),
  );
  expect(text).toContain("It is &lt;b&gt;42&lt;/b&gt;.");
  expect(text).toContain("and policy sets no limit");
});

test("without its data the page is under 30 KB", () => {
  expect(renderRunPage(mergedRun).length).toBeLessThan(30_000);
});

const NASTY =
  "</pre></li><script>alert(1)</script><img src=x onerror=alert(2)>\"'\u202e\u001b[31m\u0000\u001b]8;;javascript:x\u0007";

/** Every string of the page replaced: whatever field an attacker reaches, it must not become markup. */
function poisoned<T>(value: T): T {
  if (typeof value === "string") {
    const known =
      /^(?:\d{4}-\d\d-\d\dT|sha256:|(?:requested|waiting|queued|preparing|working|checking|publishing|in_review|merged|approved|approve|ok|no|wait|info|allow|ask|green|fixed|modified)$|[0-9]+$|run-)/;
    return (known.test(value) ? value : `${value}${NASTY}`) as T;
  }
  if (Array.isArray(value)) return value.map(poisoned) as T;
  if (value !== null && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, poisoned(item)])) as T;
  return value;
}

test("a hostile log, name, path or rule cannot become markup", () => {
  const page = renderRunPage(poisoned<RunPage>(mergedRun));
  const clean = renderRunPage(mergedRun);
  const tags = (text: string): string[] =>
    [...new Set([...text.matchAll(/<([a-z0-9]+)/gi)].map((match) => match[1] ?? ""))].sort();
  expect(tags(page)).toEqual(tags(clean));
  expect(page.match(/<script/g)).toHaveLength(1);
  expect(page.replace(/"[^"]*"/g, '""')).not.toMatch(/<[^>]*onerror/);
  expect(page).not.toMatch(/href="\s*javascript/i);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what is tested
  expect(page).not.toMatch(/[\u0000-\u0008\u001b\u202e]/);
  expect(page).toContain("&lt;/pre&gt;&lt;/li&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
});

test("a link of another scheme is shown as its words", () => {
  for (const href of ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/\\evil.example", "vbscript:x"]) {
    const page = renderRunPage({ ...mergedRun, place: { name: "#payments", href } });
    expect(page, href).toContain("in #payments ·");
  }
});

test("output of a hundred thousand lines does not make a page of that size", () => {
  const item = workingRun.timeline.at(-1);
  const output = "a line of a hostile log\n".repeat(100_000);
  const command = item?.command ? { ...item.command, output } : null;
  const page = renderRunPage({ ...workingRun, timeline: item === undefined ? [] : [{ ...item, command }] });
  expect(page.length).toBeLessThan(45_000);
  expect(page).toContain("99,800 lines left out");
});

test("a page that is live says where its events are, and a finished one does not", () => {
  expect(renderRunPage(workingRun)).toContain('data-events="/runs/run-142/events" data-version="22"');
  expect(renderRunPage(mergedRun)).not.toContain("data-events");
});

test("a fragment changes its version exactly when it changes", () => {
  const before = new Map(renderRunFragment(workingRun).map((fragment) => [fragment.id, fragment.version]));
  const [first, ...rest] = workingRun.timeline;
  const after = renderRunFragment({
    ...workingRun,
    timeline: [
      ...(first === undefined ? [] : [first, ...rest]),
      { ...(first ?? mergedRun.timeline[0]), id: "99" } as never,
    ],
    usage: { ...workingRun.usage, usd: 0.5 },
  });
  const changed = after
    .filter((fragment) => before.get(fragment.id) !== fragment.version)
    .map((fragment) => fragment.id);
  expect(changed).toEqual(["money", "e-99"]);
});

test("fragments are the page: each is in it as it would be sent", () => {
  const page = renderRunPage(workingRun);
  for (const fragment of renderRunFragment(workingRun)) {
    expect(page).toContain(fragment.html);
    expect(fragment.html).toContain(` id="${fragment.id}" data-v="${fragment.version}"`);
  }
});

test("the index says of each run who asked for it, what it cost and how many tokens it took", () => {
  const rows = [...renderRunIndex(runLines, null).matchAll(/<tr role="row">(.*?)<\/tr>/gs)].map(([, cells = ""]) =>
    [...cells.matchAll(/<t[dh][^>]*>(.*?)<\/t[dh]>/gs)].map(([, cell = ""]) => seen(cell).trim()).slice(2, 4),
  );
  expect(rows).toEqual([
    ["Asked by", "Cost"],
    ["Ana in payments", "under $0.01 1 token"],
    ["Ana in payments", "$0.31 41,204 tokens"],
    ["Cy in marketing", "$0.00 0 tokens"],
  ]);
});

test("the index says which runs had a scripted model", () => {
  const rows = renderRunIndex(runLines, null).split(/(?=<tr role="row">)/);
  expect(rows.filter((row) => row.includes("demo: scripted model"))).toEqual([rows[4]]);
});

test("the index lists runs with their state in words, and says what to do when there is none", () => {
  const text = seen(renderRunIndex(runLines, null));
  expect(text).toMatch(/143 Load the new cart fixtures acme\/shop · .*? Ana in payments/);
  expect(text).toContain("handed off");
  expect(seen(renderRunIndex([], null))).toContain("Write to @agent in a channel");
});
