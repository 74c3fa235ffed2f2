import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { threadOf } from "./browser.ts";
import { inBrowser, stageOfFile } from "./stage.ts";

/** From the request to the approval without a pointer. */

const stage = stageOfFile();
const MOST_TABS = 80;

/** Presses until the focus is there, as a person who looks for it does. */
async function reach(page: Page, target: Locator, key: "Tab" | "Shift+Tab" = "Tab"): Promise<void> {
  for (let presses = 0; presses < MOST_TABS; presses += 1) {
    if (await target.evaluate((element) => element === element.ownerDocument.activeElement)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${String(target)} was not reached with ${MOST_TABS} presses of ${key}`);
}

inBrowser("asking, being refused and approving need no pointer", async () => {
  const page = await stage.visit();
  await reach(page, page.getByRole("button", { name: /Change the README/ }));
  await page.keyboard.press("Enter");
  const box = page.getByLabel("Message #shop as Ana");
  await expect.poll(() => box.inputValue()).toContain("@agent replace");
  await reach(page, box);
  await page.keyboard.press("Enter");

  const thread = threadOf(page);
  const approve = thread.getByRole("button", { name: /^Approve start of run/ });
  await approve.waitFor();
  await reach(page, approve, "Shift+Tab");
  await stage.shoot(page, "keyboard-focus-on-approve");
  await page.keyboard.press("Enter");
  await thread.getByText(/so your own answer does not count/).waitFor();

  await reach(page, page.getByRole("radio", { name: /Ana/ }), "Shift+Tab");
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => page.getByRole("radio", { name: /Bo/ }).isChecked()).toBe(true);
  await reach(page, approve);
  await page.keyboard.press("Enter");
  await thread.getByText(/Approved by Bo at/).waitFor();
  await thread.getByText(/pull request acme\/shop #1 is open as a draft/).waitFor();
  await reach(page, thread.getByRole("link", { name: "Open pull request 1 of run 1" }).last());
  await stage.shoot(page, "keyboard-done");
});
