import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { linearDouble } from "#test/doubles/linear/double.ts";
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
