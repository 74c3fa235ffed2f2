import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { ask, become } from "./browser.ts";
import { keepEvidence } from "./evidence.ts";
import { inBrowser, stageOfFile } from "./stage.ts";

/** What is left of a failure, so that it can be read without being repeated. */

const stage = stageOfFile();

inBrowser("of a failed test each page is kept, and everything that was said to the stand-in for Slack", async () => {
  const page = await stage.visit();
  const thread = await ask(page, '@agent append "Kept for later." to README.md');
  await thread.getByRole("button", { name: /^Approve start of run/ }).waitFor();
  await become(page, "Bo");
  const folder = mkdtempSync(path.join(tmpdir(), "countersign-evidence-"));
  try {
    const { url } = stage.product;
    const file = (what: string) => path.join(folder, what);
    const kept = await keepEvidence({ pages: [page], productUrl: url, file });
    expect(kept).toEqual([file("0.png"), file("slack.jsonl")]);
    expect(readFileSync(file("0.png")).subarray(1, 4).toString()).toBe("PNG");
    const text = readFileSync(file("slack.jsonl"), "utf8");
    const log = text.split("\n").filter(Boolean);
    const kinds = log.map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds).toEqual(expect.arrayContaining(["person", "event", "event.answer", "api"]));
    expect(log.find((line) => line.includes("chat.postMessage"))).toContain("Kept for later.");
    expect(text).not.toContain(new URL(url).searchParams.get("token"));

    const gone = new URL("/nowhere/", url).href.replace(/:\d+\//, ":1/");
    expect(await keepEvidence({ pages: [], productUrl: gone, file })).toEqual([
      expect.stringMatching(/^not kept: slack\.jsonl: /),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
