import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { Client } from "pg";
import { expect, inject, test } from "vitest";
import { gitText } from "#adapters/git.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { BRANCHES, listed } from "#test/chaos/places.ts";
import { daytonaPlatform } from "#test/doubles/daytona/platform.ts";
import { githubDouble } from "#test/doubles/github/double.ts";
import { filledShop } from "#test/doubles/github/repository.ts";
import { linearDouble } from "#test/doubles/linear/double.ts";
import { neonDouble } from "#test/doubles/neon/proxy.ts";
import { APP_TOKEN, openStage } from "#test/playground/stage.ts";

/** Suites that need an account are run by few, seldom. Against the doubles they are run here, so that they stay true. */

const root = path.resolve(import.meta.dirname, "../..");
const VITEST = path.join(root, "node_modules", "vitest", "vitest.mjs");

async function run(suite: string, env: Readonly<Record<string, string>>): Promise<void> {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [VITEST, "run", "--config", "vitest.long.config.ts", `test/long/${suite}`], {
    cwd: root,
    env: { PATH, HOME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  expect(child.exitCode, out + err).toBe(0);
  expect(out + err).not.toMatch(/skipped/);
}

test("the suite of Linear passes against Linear's double, every request valid by Linear's schema", async () => {
  const linear = await linearDouble({ users: [], teams: ["SHOP"] });
  try {
    const issue = linear.issue("SHOP", "A ticket for trials");
    await run("live-linear", {
      LIVE_LINEAR_CLIENT_ID: linear.client.id,
      LIVE_LINEAR_CLIENT_SECRET: linear.client.secret,
      LIVE_LINEAR_ISSUE: issue.identifier,
      LIVE_LINEAR_PULL: "https://github.com/acme/shop/pull/1",
      LIVE_LINEAR_API_URL: linear.apiUrl,
    });
    expect(linear.stateOf(issue)).toBe("SHOP-todo");
    expect(linear.problems).toEqual([]);
  } finally {
    await linear.close();
  }
});

test("the suite of Slack passes against the stand-in, and leaves nothing in the channel", async () => {
  const slack = await openStage({ over: "socket", eventsUrl: "http://127.0.0.1:1/unused" });
  try {
    await run("live-slack", {
      LIVE_SLACK_BOT_TOKEN: "xoxb-for-tests",
      LIVE_SLACK_APP_TOKEN: APP_TOKEN,
      LIVE_SLACK_CHANNEL: "C0SHOP",
      LIVE_SLACK_API_URL: `${slack.url}/slack-api/`,
    });
    const { body } = await slack.control("messages/C0SHOP");
    expect(body.messages).toEqual([]);
  } finally {
    await slack.close();
  }
});

test("the suite of GitHub passes against GitHub's double, every request valid by GitHub's description, and leaves no branch", async () => {
  const repo = "acme/shop";
  const github = await githubDouble({ repos: { [repo]: filledShop() }, installed: [repo], people: ["bo"] });
  const folder = mkdtempSync(path.join(tmpdir(), "live-suites-"));
  try {
    const keyFile = path.join(folder, "app.pem");
    github.settings(keyFile);
    await run("live-github", {
      LIVE_GITHUB_APP_ID: String(github.appId),
      LIVE_GITHUB_PRIVATE_KEY_FILE: keyFile,
      LIVE_GITHUB_REPO: repo,
      LIVE_GITHUB_API_URL: github.apiUrl,
    });
    const all = await github.as("bo")("GET", `/repos/${repo}/pulls?state=all`);
    expect(all).toMatchObject([{ state: "closed", merged: false }]);
    expect(listed(await gitText(github.git, [...BRANCHES], { gitDir: github.gitDir(repo) }))).toEqual([]);
    expect(github.problems).toEqual([]);
  } finally {
    await github.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test.skipIf(noBubblewrap !== null)(
  "the suite of Daytona passes against Daytona's double, every request one of its client's, and leaves no sandbox",
  async () => {
    const { double, settings, close } = await daytonaPlatform();
    try {
      await run("live-daytona", {
        LIVE_DAYTONA_API_KEY: settings.DAYTONA_API_KEY,
        LIVE_DAYTONA_API_URL: settings.DAYTONA_API_URL,
        LIVE_DAYTONA_GATEWAY_URL: settings.COUNTERSIGN_GATEWAY_URL,
        LIVE_DAYTONA_GATEWAY_LISTEN: settings.COUNTERSIGN_GATEWAY_LISTEN,
      });
      expect(double.sandboxes()).toEqual([]);
      expect(double.invalid).toEqual([]);
    } finally {
      await close();
    }
  },
);

test("the suite of Neon passes over Neon's double, with nothing through the pooler that must not be, and leaves no database", async () => {
  const neon = await neonDouble(inject("postgres"));
  try {
    await run("live-neon", { LIVE_NEON_URL: neon.at("postgres", { pooled: true }), LIVE_NEON_WS_PROXY: neon.url });
    expect(neon.problems).toEqual([]);
    const server = new Client({ connectionString: inject("postgres") });
    await server.connect();
    const left = await server.query("select datname from pg_database where datname like 'countersign_live%'");
    await server.end();
    expect(left.rows).toEqual([]);
  } finally {
    await neon[Symbol.asyncDispose]();
  }
});
