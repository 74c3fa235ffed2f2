import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { become, opened, threadOf } from "./browser.ts";
import { countersign } from "./product.ts";
import type { Stage } from "./stage.ts";

/** The README's two minutes, as a person does them: from the request to a merged pull request and its receipt. */
export async function twoMinutes(stage: Stage): Promise<void> {
  const from = performance.now();
  const laps: string[] = [];
  const lap = (what: string) => laps.push(`${((performance.now() - from) / 1000).toFixed(1)} s  ${what}`);

  const page = await stage.visit();
  await stage.shoot(page, "welcome");
  await page.getByText("demo: scripted model").waitFor();
  lap("the page is there");

  // Ana asks, through a suggestion: it fills the box, she sends it.
  await page.getByRole("button", { name: /Reach a blocked host/ }).click();
  const box = page.getByLabel("Message #shop as Ana");
  await expect.poll(() => box.inputValue()).toContain("@agent fetch https://rates.example.org/today");
  await stage.shoot(page, "request-filled-in");
  await box.press("Enter");
  const thread = threadOf(page);
  const approve = thread.getByRole("button", { name: /^Approve start of run 1/ });
  await approve.waitFor();
  await thread.getByText("Waiting for leads").first().waitFor();
  await stage.shoot(page, "approval-asked");
  lap("the approval is asked for");

  // Her own yes does not count, and only she is told.
  await approve.click();
  await thread.getByText("Only visible to you").waitFor();
  await thread.getByText(/so your own answer does not count/).waitFor();
  await stage.shoot(page, "own-approval-refused");
  lap("her own approval is refused");

  await become(page, "Bo");
  await expect.poll(() => thread.getByText("Only visible to you").count()).toBe(0);
  await stage.shoot(page, "seen-by-the-approver");
  await approve.click();
  await thread.getByText(/Approved by Bo at/).waitFor();
  await expect.poll(() => approve.count()).toBe(0);
  lap("Bo has approved");

  // The run's page follows along, live, from here to the end.
  const runPage = await opened(page, thread.getByRole("link", { name: "Open the page of run 1" }).first());
  await page.bringToFront();

  const task = (title: string) => thread.getByRole("listitem").filter({ hasText: title });
  await task("Prepare a sandbox").getByRole("img", { name: "Done" }).waitFor();
  await stage.shoot(page, "tasks-move");
  lap("the sandbox is ready");
  await thread.getByText(/tried to reach it once and was refused, because no rule allows it/).waitFor();
  await thread.getByText("Blocked: rates.example.org:443").waitFor();
  await stage.shoot(page, "host-blocked");
  lap("a host is blocked, with the reason");

  await thread.getByText(/pull request acme\/shop #1 is open as a draft/).waitFor();
  await thread.getByText(/signed by ed25519:/).waitFor();
  for (const title of ["Approval by leads", "Run the checks on a clean checkout", "Open the pull request"])
    await task(title).getByRole("img", { name: "Done" }).waitFor();
  await stage.shoot(page, "receipt");
  lap("the receipt has arrived");

  await runPage.bringToFront();
  await runPage.getByText("Receipt signed").waitFor();
  await runPage.getByText("Live: what happens next appears here.").waitFor();
  // What it did, what it could not reach and what it cost, as the record says it.
  const section = (name: RegExp) => runPage.locator("section").filter({ has: runPage.getByRole("heading", { name }) });
  await section(/^Changed: 1 file/)
    .getByRole("row", { name: /^README\.md modified \+1 −0$/ })
    .waitFor();
  await section(/^Network$/)
    .getByRole("row", { name: /^rates\.example\.org no rule allows it refused 1$/ })
    .waitFor();
  await section(/^Money$/)
    .getByRole("row", { name: /^Model [1-9]\d* calls?$/ })
    .waitFor();
  await section(/^Money$/)
    .getByRole("row", { name: /^Tokens [1-9][\d,]* in · [1-9][\d,]* out$/ })
    .waitFor();
  await stage.shoot(runPage, "run-page", { fullPage: true });

  // The diff, then the merge: a person's press on the host's own page.
  await page.bringToFront();
  const pull = await opened(page, thread.getByRole("link", { name: "Open pull request 1 of run 1" }).last());
  await pull.getByRole("heading", { name: "1 file changed" }).waitFor();
  await pull.getByRole("row", { name: /\+ ?Rates change daily\./ }).waitFor();
  await stage.shoot(pull, "pull-request", { fullPage: true });
  await pull.getByRole("button", { name: "Merge" }).click();
  await pull.getByText("Bo merged it").waitFor();
  await stage.shoot(pull, "merged", { fullPage: true });
  lap("Bo has merged");

  await page.bringToFront();
  await thread.getByText("Bo merged pull request acme/shop #1.").waitFor();
  await stage.shoot(page, "thread-says-merged");
  lap("the thread says so");
  await runPage.getByText("merged", { exact: true }).first().waitFor();
  await stage.shoot(runPage, "run-page-merged", { fullPage: true });

  const download = runPage.waitForEvent("download");
  await runPage.getByRole("link", { name: "Download" }).click();
  const folder = mkdtempSync(path.join(tmpdir(), "countersign-receipt-"));
  try {
    const receipt = path.join(folder, "receipt.json");
    await (await download).saveAs(receipt);
    const { code, output } = await countersign("receipt", "verify", receipt);
    expect(output).toMatch(/^valid: acme\/shop\b.* at [0-9a-f]{40}\nsigned by ed25519:/);
    expect(code).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
  lap("the receipt is verified offline");
  console.info(`the two minutes:\n  ${laps.join("\n  ")}`);
}
