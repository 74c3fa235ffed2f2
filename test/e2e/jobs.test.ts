import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { PERSON_COOKIE, TOKEN_HEADER } from "#playground/slack/paths.ts";
import { type Chat, chatOf } from "#test/chaos/chat.ts";
import { openPage } from "#test/chaos/page.ts";
import { type Installation, inHouse } from "#test/chaos/product.ts";
import { type Ended, play } from "#test/chaos/story.ts";
import { expectOneOfEverything, only } from "#test/chaos/truth.ts";
import { until } from "#test/chaos/until.ts";
import { openCodeImage } from "#test/fixtures/acp/opencode-image.ts";
import { countersign } from "./product.ts";

/** The main job on a real repository, and by a real agent: the product as it is started for either. */

const MS = 300_000;

test("a repository given with --repo gets a merged pull request with its own checks green, and keeps every byte", {
  timeout: MS,
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "countersign-own-"));
  try {
    const original = ownRepository(path.join(folder, "own"));
    const before = fingerprint(original);
    await inHouse({ postgres: null, args: ["--repo", original] }, async (house) => {
      await house.first.start();
      const chat = chatOf(house);
      const played = await play(house, chat, { team: "yours", label: "A line of Ana's.", strikes: {}, ms: MS });
      expect(played.state).toBe("in review");
      await mergeToTheEnd(house, chat, played, "local/own");

      const [kept] = await expectOneOfEverything(house, chat, [{ ...played, state: "merged" }]);
      if (!kept) throw new Error("the run has no record");
      const ran = only(kept.bodies, "check.ran").map(({ name, on, exitCode }) => [name, on, exitCode]);
      expect(ran).toEqual(
        ["base", "head"].flatMap((on) => [
          ["tests", on, 0],
          ["manners", on, 0],
        ]),
      );
      expect(only(kept.bodies, "check.judged").map(({ name, verdict }) => [name, verdict])).toEqual([
        ["tests", "green"],
        ["manners", "green"],
      ]);
      expect(only(kept.bodies, "approval.voted").map(({ by, choice }) => [by.name, choice])).toEqual([
        ["Bo", "approve"],
      ]);
      expect(only(kept.bodies, "pull_request.changed")).toEqual([
        expect.objectContaining({ change: "merged", by: "Bo", repo: "local/own", number: 1 }),
      ]);
    });
    expect(fingerprint(original)).toBe(before);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const image = await openCodeImage();

test.skipIf(image === null)(
  "with the address of a model the real OpenCode does it, and the key stays outside of the sandbox",
  { timeout: MS },
  async () => {
    const key = "sk-of-the-operator-0123456789";
    const model = await outsideModel();
    try {
      const env = { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: key };
      await inHouse({ postgres: null, env }, async (house) => {
        const installed = path.join(house.dataDir, "images", path.basename(image ?? ""));
        cpSync(image ?? "", installed, { recursive: true, verbatimSymlinks: true });
        await house.first.start();
        const chat = chatOf(house);
        const played = await play(house, chat, { team: "shop", label: "by a real agent", strikes: {}, ms: MS });
        expect(played.state).toBe("in review");
        await mergeToTheEnd(house, chat, played, "acme/shop");
        // A model thought of it: nothing says that none did.
        const listed = await fetch(`${house.url}/code/acme/shop`, { headers: { [TOKEN_HEADER]: house.token() } });
        expect(await listed.text()).toMatch(/<h1>acme\/shop<\/h1>/);
        const [kept] = await expectOneOfEverything(house, chat, [{ ...played, state: "merged" }]);
        if (!kept) throw new Error("the run has no record");
        expect(only(kept.bodies, "pull_request.changed")).toEqual([
          expect.objectContaining({ change: "merged", by: "Bo", repo: "acme/shop", number: 1 }),
        ]);
        expect(only(kept.bodies, "run.requested")).toEqual([expect.objectContaining({ agent: "opencode" })]);
        expect(only(kept.bodies, "agent.started").map(({ name }) => name)).toEqual(["OpenCode"]);
        const called = only(kept.bodies, "model.called").filter(({ status }) => status === 200);
        expect(called.length).toBeGreaterThan(0);
        // What was billed has arrived, with the operator's key and never with the run's token.
        expect(model.calls().length).toBeGreaterThanOrEqual(called.length);
        expect(new Set(model.calls().map((call) => call.authorization))).toEqual(new Set([`Bearer ${key}`]));
        expect(JSON.stringify(kept.bodies)).not.toContain(key);

        const receipt = path.join(house.dataDir, "receipt.json");
        writeFileSync(receipt, kept.receipt ?? "");
        const { code, output } = await countersign("receipt", "verify", receipt);
        expect(output).toMatch(/^valid: acme\/shop@agent\/\S+ at [0-9a-f]{40}\n/);
        expect(code).toBe(0);
      });
    } finally {
      await model.close();
    }
  },
);

/** A work tree with one commit, whose own file names its checks; returns its folder. */
function ownRepository(folder: string): string {
  const files = {
    "README.md": "# Own\n\nA repository of somebody's own.\n",
    "package.json": JSON.stringify({
      name: "own",
      private: true,
      scripts: { test: "node --test", manners: "grep -q '^# ' README.md" },
    }),
    "sum.test.js": 'const test = require("node:test");\ntest("sums", () => require("node:assert").equal(1 + 1, 2));\n',
    ".countersign.yaml":
      "version: 1\nchecks:\n  - { name: tests, command: npm test, timeout: 2m }\n  - { name: manners, command: npm run --silent manners }\n",
  };
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder });
  git("init", "--quiet", "--initial-branch=main");
  git("add", "-A");
  git("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "commit", "--quiet", "-m", "Begin");
  return folder;
}

/** Every name, mode and byte below a folder, git's own among them. */
function fingerprint(folder: string): string {
  const hash = createHash("sha256");
  for (const name of (readdirSync(folder, { recursive: true }) as string[]).sort()) {
    const about = statSync(path.join(folder, name));
    hash.update(`${name}\0${about.mode}\0`);
    if (about.isFile()) hash.update(readFileSync(path.join(folder, name)));
  }
  return hash.digest("hex");
}

/** Bo merges the first pull request of a repository, and the run's thread and its page say so. */
async function mergeToTheEnd(house: Installation, chat: Chat, run: Ended, repo: string): Promise<void> {
  await merge(house, `/code/${repo}/pull/1`, "U0BO");
  const line = new RegExp(`Bo merged pull request <[^|]*\\|${repo} #1>`);
  await until("the thread says that it was merged", async () =>
    (await chat.messages(run.team)).some(
      ({ thread_ts, blocks }) => thread_ts === run.thread && line.test(JSON.stringify(blocks)),
    ),
  );
  const page = openPage(house, run.runId);
  await page.until("the run's page says merged", (seen) => seen.state === "merged");
  await page.close();
}

/** Presses Merge on the pull request's page, as the browser of a person who is signed in there does. */
async function merge(house: Installation, pull: string, user: string): Promise<void> {
  const headers = (cookies: readonly string[]) => ({
    [TOKEN_HEADER]: house.token(),
    cookie: [`${PERSON_COOKIE}=${user}`, ...cookies].join("; "),
    origin: house.url,
  });
  const page = await fetch(`${house.url}${pull}`, { headers: headers([]) });
  const form = /action="([^"]*\/merge)">.*?name="token" value="([^"]+)".*?name="head" value="([^"]+)"/.exec(
    await page.text(),
  );
  const [, action = "", token = "", head = ""] = form ?? [];
  const session = page.headers.getSetCookie().map((cookie) => cookie.split(";")[0] ?? "");
  const pressed = await fetch(`${house.url}${action}`, {
    method: "POST",
    redirect: "manual",
    headers: headers(session),
    body: new URLSearchParams({ token, head }),
  });
  expect(pressed.status, await pressed.text()).toBe(303);
}

/** The scripted model in a process of its own, as somebody else's service. */
async function outsideModel() {
  const file = path.join(import.meta.dirname, "scripted-model-process.ts");
  const child: ChildProcess = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const lines = () => said.split("\n").slice(0, -1);
  const url = await until("the model's address", () => lines()[0] ?? null);
  return {
    url,
    calls: () =>
      lines()
        .slice(1)
        .map((line) => JSON.parse(line) as { authorization?: string; status: number }),
    async close() {
      const exited = once(child, "exit");
      child.kill();
      await exited;
    },
  };
}
