import { execFile } from "node:child_process";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { type ServerType, serve } from "@hono/node-server";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { webPages } from "#surfaces/web/pages.ts";
import type { RunPage } from "#surfaces/web/run-view.ts";
import { launch, noBrowser } from "#test/e2e/browser.ts";
import { mergedRun, workingRun } from "#test/fixtures/run-page.ts";

const root = path.resolve(import.meta.dirname, "../..");

test("the page's script is checked as strictly as the rest", async () => {
  const flags = ["--ignoreConfig", "--noEmit", "--allowJs", "--checkJs", "--strict", "--noUncheckedIndexedAccess"];
  const target = ["--target", "es2024", "--lib", "es2024,dom,dom.iterable", "--types", ""];
  const tsc = path.join(root, "node_modules/.bin/tsc");
  const args = [...flags, ...target, path.join(root, "src/surfaces/web/live.js")];
  const checked = await promisify(execFile)(tsc, args, {
    env: { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin` },
  }).catch((error: { stdout: string }) => error);
  expect(checked.stdout).toBe("");
});

describe.skipIf(noBrowser())("in a browser", () => {
  let browser: Browser;
  let server: ServerType;
  let origin: string;
  let now: RunPage;
  let next: PromiseWithResolvers<RunPage>;
  const problems: string[] = [];

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    now = workingRun;
    next = Promise.withResolvers();
    problems.length = 0;
    const app = webPages({
      load: async () => now,
      list: async () => [],
      patch: async () => ({ patch: null, why: "none" }),
      async *watch(_, signal) {
        yield now;
        const gone = new Promise<null>((resolve) =>
          signal.addEventListener("abort", () => resolve(null), { once: true }),
        );
        for (;;) {
          const page = await Promise.race([next.promise, gone]);
          if (page === null) return;
          yield page;
        }
      },
      receipt: async () => null,
      visitor: async () => "start link",
      mayRead: async () => true,
      quick: async () => [],
      signIn: null,
    });
    const up = Promise.withResolvers<AddressInfo>();
    server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, up.resolve);
    origin = `http://127.0.0.1:${(await up.promise).port}`;
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    if ("closeAllConnections" in server) server.closeAllConnections();
    await closed.promise;
    expect(problems).toEqual([]);
  });

  async function visit(o: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await browser.newContext({ viewport: { width: 1000, height: 500 }, ...o })).newPage();
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(`${origin}/runs/run-142`);
    return page;
  }

  /** From now on the run is this; readers are told. */
  function happen(page: RunPage): void {
    const told = next;
    next = Promise.withResolvers();
    now = page;
    told.resolve(page);
  }

  const more = (n: number): RunPage => ({
    ...workingRun,
    version: 22 + n,
    usage: { ...workingRun.usage, usd: 0.5 },
    timeline: [
      ...workingRun.timeline,
      ...Array.from({ length: n }, (_, i) => ({
        id: String(100 + i),
        at: workingRun.startedAt,
        mark: "ok" as const,
        words: [`Event ${i}`],
        quote: null,
        command: null,
      })),
    ],
  });

  test("what happens appears, and what one reads does not move", async () => {
    const page = await visit();
    await page.getByText("Live: what happens next appears here.").waitFor();
    const policy = page.getByRole("heading", { name: "Policy" });
    await policy.evaluate((element) => element.scrollIntoView());
    const before = await policy.boundingBox();
    happen(more(30));
    await page.getByText("Event 29").waitFor();
    await page.getByText("$0.50 of $2.00").waitFor();
    const after = await policy.boundingBox();
    expect(Math.abs((after?.y ?? 0) - (before?.y ?? 0))).toBeLessThanOrEqual(1);
    expect(await page.locator("#timeline > li").count()).toBe(workingRun.timeline.length + 30);
  });

  test("what the reader opened stays open, and the keyboard stays where it was", async () => {
    const page = await visit();
    await page.getByText("Live: what happens next appears here.").waitFor();
    const command = page.locator("#e-20 summary");
    await command.focus();
    await page.keyboard.press("Enter");
    const last = workingRun.timeline.at(-1);
    if (last?.command == null) throw new Error("the fixture ends with a command");
    const ended = { ...last.command, ended: true, exitCode: 0, ms: 900, output: "ok 1 … ok 40\n" };
    happen({
      ...workingRun,
      version: 23,
      timeline: [...workingRun.timeline.slice(0, -1), { ...last, command: ended }],
    });
    await page.getByText("exit 0").waitFor();
    expect(await page.locator("#e-20 details").getAttribute("open")).not.toBeNull();
    expect(await command.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
  });

  test("a run that ends says so, in the title too", async () => {
    const page = await visit();
    await page.getByText("Live: what happens next appears here.").waitFor();
    happen(mergedRun);
    await page.getByText("This run is over.").waitFor();
    expect(await page.title()).toBe("Run 142 · merged · acme/shop");
    await page.getByRole("link", { name: "Open pull request" }).waitFor();
  });

  test("without JavaScript the page is whole, and says that it does not follow", async () => {
    const page = await visit({ javaScriptEnabled: false });
    await page.getByText("Reload to see what happened since.").waitFor();
    await page.getByText("for i in $(seq 40)").waitFor();
    await page.getByText("teams/payments.yaml:14:5").first().waitFor();
  });

  test("nothing sticks out on a phone", async () => {
    now = mergedRun;
    const page = await visit({ viewport: { width: 390, height: 844 } });
    const wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    expect(wide).toBe(0);
  });
});
