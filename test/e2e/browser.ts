import { existsSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";

/** A browser as a person uses it: what is on the page is found by role, label and text only. */

export const CHROMIUM = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
const PATIENCE_MS = 45_000;

/** `null`: there is one. Else what to do about it. */
export const missingBrowser = (): string | null =>
  existsSync(CHROMIUM)
    ? null
    : `no Chromium at ${CHROMIUM}: install it (apt-get install chromium) or name one with CHROMIUM_PATH`;

/** For `skipIf`: says once why, and in CI fails the file instead. */
export function noBrowser(): boolean {
  const missing = missingBrowser();
  if (missing === null) return false;
  if (process.env.CI) throw new Error(missing);
  console.warn(`skipped: ${missing}`);
  return true;
}

export const launch = (): Promise<Browser> => chromium.launch({ executablePath: CHROMIUM, args: FLAGS });

/** Opens the printed address with cookies of its own. Resolves when Ana can be chosen. `problem`: each error of a page. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions,
  problem: (words: string) => void,
): Promise<Page> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  context.on("weberror", (error) => problem(String(error.error())));
  context.on("console", (message) => {
    if (message.type() === "error") problem(message.text());
  });
  const page = await context.newPage();
  await page.goto(url);
  await page.getByRole("radio", { name: /Ana/ }).waitFor();
  return page;
}

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
