import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { chatOf } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";
import { type Command, command, freePort } from "#test/command.ts";
import { APP_TOKEN, openStage, type Stage, TOKEN } from "#test/playground/stage.ts";

/**
 * The product in Socket Mode: a bot token and an app token, and no address that Slack could reach. The stand-in for
 * slack.com is the playground's server in this process.
 */
const PATIENCE_MS = 120_000;

describe.skipIf(noBubblewrap !== null)("with a real workspace in Socket Mode", { timeout: PATIENCE_MS }, () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-socket-"));
  let port = 0;
  let stage: Stage;
  let product: Command;

  beforeAll(async () => {
    port = await freePort();
    stage = await openStage({ over: "socket", eventsUrl: "http://127.0.0.1:1/unused" });
    product = command(["serve"], {
      PORT: String(port),
      COUNTERSIGN_DATA: dataDir,
      SLACK_BOT_TOKEN: "xoxb-for-tests",
      SLACK_APP_TOKEN: APP_TOKEN,
      SLACK_SIGNING_SECRET: "signing-secret-for-tests",
      SLACK_API_URL: `${stage.url}/slack-api/`,
    });
    await product.says(/open http\S+/);
  }, PATIENCE_MS);
  afterAll(async () => {
    await product?.stop();
    await stage?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(product.words().slice(-6_000));
  });

  test("the start says which of two ways is used, and the other door is not there", async () => {
    expect(product.words()).toContain(
      "over Socket Mode: SLACK_APP_TOKEN comes before SLACK_SIGNING_SECRET; unset it for HTTP",
    );
    const sent = await fetch(`http://127.0.0.1:${port}/slack/events`, { method: "POST", body: "{}" });
    expect(sent.status).toBe(404);
  });

  test("a request, its approval and its pull request go over the socket, also over one that Slack changes meanwhile", async () => {
    const chat = chatOf({ url: stage.url, token: () => TOKEN });
    const thread = await chat.ask("shop", 'append "Orders are shipped from Lyon." to README.md');
    await until("the request's card", async () => (await chat.messages("shop")).length > 2);
    stage.playground.sockets?.refresh("refresh_requested");
    await chat.approveNext("shop", thread);
    await until("a pull request in the thread", async () =>
      /\/code\/acme\/[\w-]+\/pull\/\d+/.test(JSON.stringify(await chat.messages("shop"))),
    );
  });

  test("a command and the Home reach the same product", async () => {
    const { body } = await stage.control("command", {
      channel: "C0SHOP",
      user: "U0ANA",
      command: "/agent",
      text: "policy",
    });
    expect(body).toEqual({ ok: true });
    const shown = async () => JSON.stringify((await stage.control("messages/C0SHOP")).body);
    await until("the policy of the channel's team", async () => (await shown()).includes("What team shop may do"));
    await stage.control("home", { user: "U0ANA" });
    await until("Ana's Home", async () =>
      JSON.stringify((await stage.control("home/U0ANA")).body).includes("Your runs"),
    );
  });

  test("the native Stop stops a run at work, and its thread says who did", async () => {
    const chat = chatOf({ url: stage.url, token: () => TOKEN });
    const thread = await chat.ask("shop", 'append "Stop here." to README.md, then run `sleep 600`');
    const statusSays = (fits: RegExp) =>
      until(`the thread says ${fits}`, async () =>
        (await chat.messages("shop")).some((one) => one.thread_ts === thread && fits.test(one.text)),
      );
    const press = () => stage.control("stop", { channel: "C0SHOP", thread_ts: thread, user: "U0ANA" });
    await statusSays(/ waits for approval/);
    await chat.approveNext("shop", thread);
    await statusSays(/ is at work/);
    // Slack shows the button from the moment it is told that something works, which nobody waits for.
    await until("the button is there to be pressed", async () => (await press()).status === 200);
    await statusSays(/ was stopped/);
    await until("the thread says who stopped it", async () =>
      (await chat.messages("shop")).some((one) => one.thread_ts === thread && /Ana stopped/.test(JSON.stringify(one))),
    );
    await until("the button is gone", async () => /Nothing is working/.test(JSON.stringify((await press()).body)));
  });

  test("the product ends while it holds a socket", async () => {
    expect(await product.stop()).toBe(0);
    await expect.poll(() => stage.playground.sockets?.count()).toBe(0);
  });
});
