import { mkdirSync } from "node:fs";
import path from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launch, noBrowser, visit } from "./browser.ts";
import { keepEvidence } from "./evidence.ts";
import { type Product, type Starting, startProductWith } from "./product.ts";

/** A product and a browser for one file of tests. What people see is found by role, label and text only. */
export interface Stage {
  readonly product: Product;
  /** A browser of its own (cookies, tabs), opened at the printed address. Resolves when Ana can be chosen. */
  visit(options?: BrowserContextOptions): Promise<Page>;
  /** An error that a page of this test will rightly report; any other fails the test, and so does its absence. */
  expectProblem(words: RegExp): void;
  /** Keeps what the page shows now in `screenshots/`, numbered by the order of taking. */
  shoot(page: Page, name: string, o?: { fullPage?: boolean }): Promise<void>;
}

const SCREENSHOTS = path.join(import.meta.dirname, "screenshots");

const skipped = noBrowser();

/** A test that needs the browser. Skipped without one; in CI the file fails instead. */
export const inBrowser = test.skipIf(skipped);

/** What the product is started beside, and told of. */
export interface Surroundings {
  readonly settings: Readonly<Record<string, string>>;
  /** Absent: as the tests start it. */
  readonly starting?: Starting;
  close(): Promise<void>;
}

/**
 * Starts the product and the browser before the file's first test, and ends both after its last. `beginMs`: how long that and
 * what is around it may take to begin, when longer than any hook.
 */
export function stageOfFile(surround?: () => Promise<Surroundings>, beginMs?: number): Stage {
  let browser: Browser | null = null;
  let product: Product | null = null;
  let surroundings: Surroundings | null = null;
  let problems: string[] = [];
  let expected: RegExp[] = [];
  let taken = 0;

  const started = (): Product => {
    if (product === null) throw new Error("the product has not been started");
    return product;
  };

  beforeAll(async () => {
    if (skipped) return;
    mkdirSync(SCREENSHOTS, { recursive: true });
    surroundings = (await surround?.()) ?? null;
    const { settings = {}, starting } = surroundings ?? {};
    [product, browser] = await Promise.all([startProductWith(settings, starting), launch()]);
  }, beginMs);
  afterAll(async () => {
    await browser?.close();
    const code = await product?.stop();
    await surroundings?.close();
    if (!skipped) expect(code, product?.lastWords()).toBe(0);
  });
  afterEach(async ({ task }) => {
    const pages = browser?.contexts().flatMap((context) => context.pages()) ?? [];
    if (task.result?.state === "fail") {
      const kept = await keepEvidence({
        pages,
        productUrl: product?.url ?? null,
        file: (what) => file(`failed-${task.name}`, `-${what}`),
      });
      console.error([product?.lastWords(), ...kept].join("\n"));
    }
    for (const context of browser?.contexts() ?? []) await context.close();
    const [seen, foreseen] = [problems, expected];
    [problems, expected] = [[], []];
    expect(seen).toEqual(foreseen.map((words) => expect.stringMatching(words)));
  });

  return {
    get product() {
      return started();
    },
    async visit(options = {}) {
      if (browser === null) throw new Error("the browser has not been started");
      return visit(browser, started().url, options, (problem) => problems.push(problem));
    },
    expectProblem: (words) => void expected.push(words),
    async shoot(page, name, o = {}) {
      taken += 1;
      await page.screenshot({ path: file(`${String(taken).padStart(2, "0")}-${name}`, ".png"), ...o });
    },
  };
}

const file = (name: string, end: string): string =>
  path.join(SCREENSHOTS, `${name.replaceAll(/[^\w-]+/g, "-").slice(0, 80)}${end}`);
