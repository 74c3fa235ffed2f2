import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Product, startProduct } from "./product.ts";

/** A product and a browser for one file of tests. What people see is found by role, label and text only. */
export interface Stage {
  readonly product: Product;
  /** A browser of its own (cookies, tabs), opened at the printed address. Resolves when Ana can be chosen. */
  visit(options?: BrowserContextOptions): Promise<Page>;
  /** Keeps what the page shows now in `screenshots/`, numbered by the order of taking. */
  shoot(page: Page, name: string, o?: { fullPage?: boolean }): Promise<void>;
}

const CHROMIUM = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
const PATIENCE_MS = 45_000;
const SCREENSHOTS = path.join(import.meta.dirname, "screenshots");

const there = existsSync(CHROMIUM);
if (!there) {
  const words = `no Chromium at ${CHROMIUM}: install it (apt-get install chromium) or name one with CHROMIUM_PATH`;
  if (process.env.CI) throw new Error(words);
  console.warn(`skipped: ${words}`);
}

/** A test that needs the browser. Skipped without one; in CI the file fails instead. */
export const inBrowser = test.skipIf(!there);

/** Starts the product and the browser before the file's first test, and ends both after its last. */
export function stageOfFile(): Stage {
  let browser: Browser | null = null;
  let product: Product | null = null;
  let problems: string[] = [];
  let taken = 0;

  const started = (): Product => {
    if (product === null) throw new Error("the product has not been started");
    return product;
  };

  beforeAll(async () => {
    if (!there) return;
    mkdirSync(SCREENSHOTS, { recursive: true });
    [product, browser] = await Promise.all([
      startProduct(),
      chromium.launch({ executablePath: CHROMIUM, args: FLAGS }),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    const code = await product?.stop();
    if (there) expect(code, product?.lastWords()).toBe(0);
  });
  afterEach(async ({ task }) => {
    const pages = browser?.contexts().flatMap((context) => context.pages()) ?? [];
    if (task.result?.state === "fail") {
      for (const [i, page] of pages.entries()) await page.screenshot({ path: file(`failed-${task.name}-${i}`) });
      console.error(product?.lastWords());
    }
    for (const context of browser?.contexts() ?? []) await context.close();
    const seen = problems;
    problems = [];
    expect(seen).toEqual([]);
  });

  return {
    get product() {
      return started();
    },
    async visit(options = {}) {
      if (browser === null) throw new Error("the browser has not been started");
      const context = await browser.newContext(options);
      context.setDefaultTimeout(PATIENCE_MS);
      context.on("weberror", (error) => problems.push(String(error.error())));
      context.on("console", (message) => {
        if (message.type() === "error") problems.push(message.text());
      });
      const page = await context.newPage();
      await page.goto(started().url);
      await page.getByRole("radio", { name: /Ana/ }).waitFor();
      return page;
    },
    async shoot(page, name, o = {}) {
      taken += 1;
      await page.screenshot({ path: file(`${String(taken).padStart(2, "0")}-${name}`), ...o });
    },
  };
}

const file = (name: string): string => path.join(SCREENSHOTS, `${name.replaceAll(/[^\w-]+/g, "-").slice(0, 80)}.png`);

/** The thread beside the channel. */
export const threadOf = (page: Page): Locator => page.getByRole("complementary", { name: "Thread" });

/** From now on whoever presses or writes on this page is this person. */
export async function become(page: Page, name: "Ana" | "Bo" | "Cy" | "Dee"): Promise<void> {
  await page.getByRole("radio", { name: new RegExp(name) }).check();
}

/** Writes in the channel, as the person the page shows. */
export async function write(page: Page, text: string): Promise<void> {
  await page.getByRole("main").getByRole("textbox").fill(text);
  await page.keyboard.press("Enter");
}

/** Writes, and waits for the answer: its thread opens by itself. */
export async function ask(page: Page, text: string): Promise<Locator> {
  await write(page, text);
  const thread = threadOf(page);
  await thread
    .getByRole("article", { name: /^agent/ })
    .first()
    .waitFor();
  return thread;
}

/** What a press opens in a new tab. */
export async function opened(page: Page, link: Locator): Promise<Page> {
  const [tab] = await Promise.all([page.context().waitForEvent("page"), link.click()]);
  await tab.waitForLoadState();
  return tab;
}
