import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { ask, become, opened } from "./browser.ts";
import { inBrowser, stageOfFile } from "./stage.ts";

/** Two requests change the same line: one is merged, and the other's pull request says what that means for it. */

const stage = stageOfFile();
const FILE = "sql/top-articles.sql";

/** Asks in #data, where nobody has to approve, in a browser of its own. Resolves when the pull request is open. */
async function proposed(wish: string, number: number): Promise<{ page: Page; thread: Locator; pull: Page }> {
  const page = await stage.visit();
  await page.getByRole("link", { name: /data/ }).click();
  await page.getByLabel("Message #data as Ana").waitFor();
  const thread = await ask(page, wish);
  await thread.getByText(new RegExp(`pull request acme/reports #${number} is open as a draft`)).waitFor();
  const pull = await opened(page, thread.getByRole("link", { name: `Open pull request ${number} of run` }).last());
  await pull.getByRole("heading", { name: "1 file changed" }).waitFor();
  return { page, thread, pull };
}

inBrowser("a base that moved under a pull request is said on its page, before and after the press", async () => {
  const first = await proposed(`@agent replace "limit 20" with "limit 50" in ${FILE}`, 1);
  const second = await proposed(`@agent replace "limit 20" with "limit 30" in ${FILE}`, 2);

  // Who asked has no button to merge, and reads who has.
  await second.pull.getByText("somebody else has to merge it. Bo or Cy can.").waitFor();
  expect(await second.pull.getByRole("button", { name: "Merge" }).count()).toBe(0);
  await stage.shoot(second.pull, "own-pull-request");

  await become(second.page, "Bo");
  await second.pull.reload();
  await second.pull.getByRole("button", { name: "Merge" }).waitFor();
  await become(first.page, "Bo");
  await first.pull.reload();
  await first.pull.getByRole("button", { name: "Merge" }).click();
  await first.pull.getByText("Bo merged it").waitFor();

  // Bo's second page is from before the merge, and still has its button.
  stage.expectProblem(/status of 409/);
  await second.pull.getByRole("button", { name: "Merge" }).click();
  const refused = second.pull.getByRole("alert");
  await refused.getByText("Nothing was changed.").waitFor();
  await refused.getByText("The change conflicts with main in these files. Close it and ask again").waitFor();
  await refused.getByText(FILE).waitFor();
  await second.pull.getByText(`It conflicts with main in ${FILE}.`).waitFor();
  expect(await second.pull.getByRole("button", { name: "Merge" }).count()).toBe(0);
  await stage.shoot(second.pull, "conflict-refused", { fullPage: true });

  await second.pull.getByRole("link", { name: "acme/reports" }).click();
  await second.pull.getByRole("link", { name: /limit 30/ }).click();
  await second.pull.getByText(`It conflicts with main in ${FILE}.`).waitFor();
  expect(await second.pull.getByRole("button", { name: "Merge" }).count()).toBe(0);
  await stage.shoot(second.pull, "conflict-said-before");

  await second.pull.getByRole("button", { name: "Close" }).click();
  await second.pull.getByText("Bo closed it").waitFor();
  await second.page.bringToFront();
  await second.thread.getByText("Bo closed pull request acme/reports #2.").waitFor();
});
