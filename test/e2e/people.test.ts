import { expect } from "vitest";
import { ask, become, threadOf, write } from "./browser.ts";
import { inBrowser, stageOfFile } from "./stage.ts";

/** People who say no, people who may not, and a person who stops it. */

const stage = stageOfFile();

inBrowser("a denial needs a reason, and the requester reads it in the thread", async () => {
  const page = await stage.visit();
  const thread = await ask(page, '@agent append "Closed on Mondays." to README.md');
  const approve = thread.getByRole("button", { name: /^Approve start of run/ });
  await approve.waitFor();
  await become(page, "Bo");
  await thread.getByRole("button", { name: /^Deny start of run/ }).click();
  const dialog = page.getByRole("dialog", { name: "Deny" });
  const reason = dialog.getByLabel("Why not?");
  await dialog.getByRole("button", { name: "Deny", exact: true }).click();
  await dialog.getByText("Please complete this required field.").waitFor();
  await stage.shoot(page, "denial-without-a-reason");
  await reason.fill("The hours belong on the website, not in the README.");
  await dialog.getByRole("button", { name: "Deny", exact: true }).click();
  await dialog.waitFor({ state: "detached" });

  await become(page, "Ana");
  await thread.getByText(/^Run \d+ was denied\./).waitFor();
  const told = thread.getByText("The hours belong on the website, not in the README.");
  await expect.poll(() => told.count()).toBeGreaterThanOrEqual(1);
  await thread.getByText("Change the request as they say, then mention me again.").waitFor();
  expect(await approve.count()).toBe(0);
  await stage.shoot(page, "denied");
});

inBrowser("a bystander's approval does not count, and they read who may", async () => {
  const page = await stage.visit();
  const thread = await ask(page, '@agent append "We ship on Mondays." to README.md');
  const approve = thread.getByRole("button", { name: /^Approve start of run/ });
  await approve.waitFor();
  await page.getByLabel(/^\d+ unread for Bo$/).waitFor();
  await become(page, "Cy");
  await approve.click();
  await thread.getByText("Only visible to you").waitFor();
  await thread.getByText(/^You are not an approver here.*It needs somebody from leads/).waitFor();
  expect(await approve.count()).toBe(1);
  await stage.shoot(page, "bystander-refused");
});

inBrowser("a guest is told that a member has to ask", async () => {
  const page = await stage.visit();
  await become(page, "Dee");
  await page.getByLabel("Message #website as Dee").waitFor();
  await write(page, '@agent replace "Wendesday" with "Wednesday" in content/opening-hours.md');
  await page.getByRole("main").getByText("Guests and apps may not. Ask a member to do it for you.").waitFor();
  await stage.shoot(page, "guest-refused");
  expect(await threadOf(page).count()).toBe(0);
});

inBrowser("what one writes is in view, and the end stays in view when a thread opens beside it", async () => {
  const page = await stage.visit();
  const room = page.getByRole("main");
  const inView = async (words: string) => {
    const said = room.getByText(words).last();
    await said.waitFor();
    await expect
      .poll(
        () =>
          said.evaluate((node) => {
            const [at, within] = [node, node.closest(".scroller") ?? node].map((one) => one.getBoundingClientRect());
            return at !== undefined && within !== undefined && at.bottom <= within.bottom && at.top >= within.top;
          }),
        { timeout: 10_000 },
      )
      .toBe(true);
  };
  for (let n = 1; n <= 12; n += 1) {
    await write(page, `Line ${n} of a long talk among people.`);
    await inView(`Line ${n} of a long talk among people.`);
  }
  await ask(page, '@agent append "A talk." to README.md');
  await inView("A talk.");
  await room.getByRole("log", { name: "Messages in #shop" }).hover();
  await page.mouse.wheel(0, -4_000);
  await write(page, "And one more after reading what was above.");
  await inView("And one more after reading what was above.");
  await page.setViewportSize({ width: 900, height: 500 });
  await inView("And one more after reading what was above.");
});

inBrowser("an approver decides on a phone, in the dark, and nothing is wider than the screen", async () => {
  const page = await stage.visit({ viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true });
  const thread = await ask(page, '@agent append "We ship on Fridays." to README.md');
  await become(page, "Bo");
  const approve = thread.getByRole("button", { name: /^Approve start of run/ });
  await approve.waitFor();
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
  await stage.shoot(page, "phone-approval");
  await approve.tap();
  await thread.getByText(/Approved by Bo at/).waitFor();
  await thread.getByText(/^Run \d+: Your approval is recorded\./).waitFor();
  await stage.shoot(page, "phone-approved");
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
});

inBrowser("stop ends a run that is at work, after one question", async () => {
  const page = await stage.visit();
  await page.getByRole("link", { name: /data/ }).click();
  await page.getByLabel("Message #data as Ana").waitFor();
  const thread = await ask(page, "@agent run `sleep 300`");
  const task = thread.getByRole("listitem").filter({ hasText: "Run sleep 300" });
  await task.getByRole("img", { name: "Working" }).waitFor();
  await stage.shoot(page, "at-work");
  await thread.getByRole("button", { name: /^Stop run/ }).click();
  const dialog = page.getByRole("dialog", { name: /^Stop run/ });
  await stage.shoot(page, "stop-asks-first");
  await dialog.getByRole("button", { name: "Stop it" }).click();
  await thread.getByText("All its processes have ended.").waitFor();
  await thread.getByText("Ana stopped it.").waitFor();
  expect(
    await threadOf(page)
      .getByRole("button", { name: /^Stop run/ })
      .count(),
  ).toBe(0);
  await stage.shoot(page, "stopped");
});
