import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { serve } from "@hono/node-server";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { playgroundSeed } from "#playground/seed.ts";
import { postSigned } from "#playground/slack/sign.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { chatOf } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";
import { type Command, command, freePort } from "#test/command.ts";
import { type SlackSite, slackSite } from "#test/doubles/slack/site.ts";
import { openStage, type Stage, TOKEN } from "#test/playground/stage.ts";

/**
 * The product as several workspaces install it. Two stand-ins for workspaces, with the same ids of people and channels, behind
 * one address that knows them by their tokens; the product has neither token at its start.
 */
const PATIENCE_MS = 120_000;
const [ACME, BETA] = ["T0LOCAL", "T0BETA"];
const SIGNING = "signing-secret-for-tests";
const KEY = "b3V0IG9mIHRoZSBkYXRhYmFzZSwgb3V0IG9mIGxvZ3M=";

/** A supervisor that outlived its control plane takes its log away when it ends: what is gone holds nothing. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

describe.skipIf(noBubblewrap !== null)("with two workspaces", { timeout: PATIENCE_MS }, () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-installs-"));
  const closing: (() => unknown)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
  let home = "";
  let site: SlackSite;
  let acme: Stage;
  let beta: Stage;
  let product: Command;
  let environment: Record<string, string> = {};
  let install = "";
  let operator = "";

  async function start(): Promise<void> {
    product = command(["serve"], environment);
    const [, printed = ""] = await product.says(/install it: (http\S+)/);
    install = printed;
  }

  beforeAll(async () => {
    const port = await freePort();
    home = `http://127.0.0.1:${port}`;
    const urls = { eventsUrl: `${home}/slack/events`, interactivityUrl: `${home}/slack/interactivity` };
    acme = await openStage(urls);
    beta = await openStage({
      ...urls,
      seed: { ...playgroundSeed(), team: { id: BETA, name: "Beta", domain: "beta" } },
    });
    closing.push(
      () => acme.close(),
      () => beta.close(),
    );
    const at = (stage: Stage) => (method: string, body: string, type: string) =>
      fetch(`${stage.url}/slack-api/${method}`, {
        method: "POST",
        headers: { authorization: "Bearer xoxb-for-tests", "content-type": type },
        body,
      });
    const bot = { botUser: "U0AGENT", botId: "B0AGENT" };
    site = slackSite({
      clientId: "1.2",
      clientSecret: "client-secret-for-tests",
      redirectUrl: `${home}/slack/oauth_redirect`,
      workspaces: [
        { id: ACME, name: "Acme", ...bot, api: at(acme) },
        { id: BETA, name: "Beta", ...bot, api: at(beta) },
        { id: "T0EVIL", name: "Evil", ...bot },
      ],
    });
    const listening = Promise.withResolvers<AddressInfo>();
    const server = serve({ fetch: site.app.fetch, hostname: "127.0.0.1", port: 0 }, listening.resolve);
    closing.push(() => server.close());
    environment = {
      PORT: String(port),
      COUNTERSIGN_DATA: dataDir,
      PUBLIC_URL: home,
      SLACK_CLIENT_ID: "1.2",
      SLACK_CLIENT_SECRET: "client-secret-for-tests",
      SLACK_SIGNING_SECRET: SIGNING,
      SLACK_API_URL: `http://127.0.0.1:${(await listening.promise).port}/api/`,
      COUNTERSIGN_SLACK_WORKSPACES: `${ACME},${BETA}`,
      COUNTERSIGN_TOKENS_KEY: KEY,
    };
    await start();
  }, PATIENCE_MS);
  afterAll(async () => {
    await product?.stop();
    for (const close of closing.reverse()) await close();
  });
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(product.words().slice(-6_000));
  });

  const get = (where: string, cookie = "") => fetch(new URL(where, home), { redirect: "manual", headers: { cookie } });
  const cookiesOf = (answer: Response) =>
    answer.headers
      .getSetCookie()
      .map((line) => line.split(";", 1)[0])
      .join("; ");

  /** As the operator's browser does it, by the printed link. */
  async function installIn(workspace: string): Promise<{ status: number; page: string }> {
    operator ||= cookiesOf(await get(install));
    const away = await get("/slack/install", operator);
    const back = site.consent(away.headers.get("location") ?? "", { workspace });
    const done = await get(back, cookiesOf(away));
    return { status: done.status, page: await done.text() };
  }

  const shop = (stage: Stage) => chatOf({ url: stage.url, token: () => TOKEN });
  const texts = async (stage: Stage) => JSON.stringify(await shop(stage).messages("shop"));
  /** Whose tokens our calls bore since. */
  const whoseCalls = (since: number) => [...new Set(site.asked.slice(since).map(({ workspace }) => workspace))];
  const say = (stage: Stage, text: string) =>
    stage.control("message", { channel: "C0SHOP", user: "U0ANA", text: `<@U0AGENT> ${text}` });

  test("a workspace is heard once it has installed the app, and no other may", async () => {
    await say(beta, "help");
    await beta.playground.idle();
    expect(site.asked).toEqual([]);
    for (const workspace of [ACME, BETA]) expect((await installIn(workspace)).status, workspace).toBe(200);
    expect(await installIn("T0EVIL")).toMatchObject({
      status: 403,
      page: expect.stringContaining("This workspace may not install it"),
    });
    expect((await get("/slack/install")).status).toBe(401);
  });

  test("a mention in one workspace is answered there, with its token and no other", async () => {
    const since = site.asked.length;
    await say(beta, "policy");
    await until("an answer in Beta", async () => (await texts(beta)).includes(`"is_ephemeral":true`));
    expect(whoseCalls(since)).toEqual([BETA]);
    expect(await texts(acme)).not.toContain(`"is_ephemeral":true`);
  });

  test("a request is approved and becomes a pull request in its own workspace, through an ended token", async () => {
    const since = site.asked.length;
    site.expire(BETA);
    const chat = shop(beta);
    const thread = await chat.ask("shop", 'append "Orders are shipped from Lyon." to README.md');
    await chat.approveNext("shop", thread);
    await until("a pull request in the thread", async () => /\/code\/acme\/[\w-]+\/pull\/\d+/.test(await texts(beta)));
    const renewals = site.asked.slice(since).filter(({ method }) => method === "oauth.v2.access");
    expect(renewals.map(({ error }) => error)).toEqual([null]);
    expect(whoseCalls(since).filter((workspace) => workspace !== null)).toEqual([BETA]);
    expect(await texts(acme)).not.toContain("Lyon");
  });

  test("a restart keeps the installations, and what is on the disk and in the log is no token", async () => {
    await product.stop();
    const files = readdirSync(dataDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((file) => /xoxe[.-]/.test(textOf(file)))).toEqual([]);
    await start();
    const since = site.asked.length;
    await say(acme, "policy");
    await until("an answer in Acme", async () => (await texts(acme)).includes(`"is_ephemeral":true`));
    expect(whoseCalls(since)).toEqual([ACME]);
    expect(product.words()).not.toMatch(/xox[eb]|client-secret-for-tests/);
  });

  test("doctor finds both workspaces once the service is stopped, and a key that opens nothing", async () => {
    await product.stop();
    const doctor = async (env: Record<string, string> = {}) => {
      const run = command(["doctor", "--json"], { ...environment, ...env });
      await run.ended;
      return run.words();
    };
    const fine = await doctor();
    expect(fine).toContain("The app is installed in Acme");
    expect(fine).toContain(`slack.scopes.${BETA}`);
    const blind = await doctor({ COUNTERSIGN_TOKENS_KEY: Buffer.alloc(32, 7).toString("base64") });
    expect(blind).toContain(`slack.workspace.sealed.${ACME}`);
    expect(blind).toContain("COUNTERSIGN_TOKENS_KEY_OLD");
    const fewer = await doctor({ COUNTERSIGN_SLACK_WORKSPACES: `${ACME},T0NEW` });
    expect(fewer).toContain(`slack.workspace.not_allowed.${BETA}`);
    expect(fewer).toContain("slack.workspace.absent.T0NEW");
    await start();
  });

  /** A run in Beta that waits for its people. */
  async function asked(words: string): Promise<string> {
    const chat = shop(beta);
    const thread = await chat.ask("shop", `append "${words}" to README.md`);
    await until("a question", async () =>
      (await chat.messages("shop")).some(
        ({ thread_ts, blocks }) => thread_ts === thread && JSON.stringify(blocks).includes(`"action_id":"approve"`),
      ),
    );
    return thread;
  }
  async function restart(o: Record<string, string>): Promise<void> {
    await product.stop();
    environment = { ...environment, ...o };
    await start();
  }

  test("with a key that opens nothing both workspaces are blocked and told so, and with the old one beside it they work", async () => {
    const next = Buffer.alloc(32, 7).toString("base64");
    await restart({ COUNTERSIGN_TOKENS_KEY: next });
    await product.says(/the tokens of Beta cannot be opened/);
    const since = site.asked.length;
    const form = {
      token: "t",
      team_id: BETA,
      channel_id: "C0SHOP",
      user_id: "U0ANA",
      command: "/agent",
      text: "status",
    };
    const answer = await postSigned({
      ...{ url: `${home}/slack/commands`, body: new URLSearchParams({ ...form, trigger_id: "1.2.3" }).toString() },
      ...{ contentType: "application/x-www-form-urlencoded", secret: SIGNING, now: Date.now(), withinMs: 3_000 },
    });
    expect(answer).toMatchObject({ ok: true, status: 200, body: expect.stringContaining("cannot be opened") });
    await say(beta, "help");
    await beta.playground.idle();
    expect(site.asked.slice(since)).toEqual([]);
    expect(product.words().match(/the tokens of Beta cannot be opened/g)).toHaveLength(1);
    await restart({ COUNTERSIGN_TOKENS_KEY_OLD: KEY });
    await product.says(/sealed anew/);
    await say(beta, "policy");
    await until("an answer in Beta", async () => whoseCalls(since).includes(BETA));
  });

  test("a workspace that is taken off the list has its runs ended, its threads say so, and put back it is heard", async () => {
    const thread = await asked("Nobody hears this.");
    await restart({ COUNTERSIGN_SLACK_WORKSPACES: ACME });
    await product.says(/runs of a workspace that is off the list were ended/);
    await until("the end in the thread", async () =>
      (await shop(beta).messages("shop")).some(
        ({ thread_ts, ...said }) => thread_ts === thread && JSON.stringify(said).includes("taken off the list"),
      ),
    );
    const since = site.asked.length;
    await say(beta, "help");
    await beta.playground.idle();
    expect(site.asked.slice(since).filter(({ method }) => method === "chat.postEphemeral")).toEqual([]);
    await restart({ COUNTERSIGN_SLACK_WORKSPACES: `${ACME},${BETA}` });
    await say(beta, "policy");
    await until("an answer in Beta", async () =>
      site.asked.slice(since).some(({ method, workspace }) => method === "chat.postEphemeral" && workspace === BETA),
    );
  });

  test("a workspace that removed the app while nobody listened is found at the start", async () => {
    await asked("Nobody sees this.");
    await product.stop();
    site.remove(BETA);
    await start();
    const [line] = await product.says(/\{[^\n]*a workspace was forgotten[^\n]*/);
    expect(JSON.parse(line)).toMatchObject({ workspace: BETA, runs: 1, why: "account_inactive" });
    expect((await installIn(BETA)).status).toBe(200);
  });

  test("a workspace that removes the app is forgotten, its run ends, and the other goes on", async () => {
    await asked("Nobody answers this.");
    const tell = async (event_id: string, event: object) => {
      const body = JSON.stringify({
        ...{ token: "t", team_id: BETA, api_app_id: "A0AGENT", type: "event_callback", event_id },
        ...{ event_time: Math.floor(Date.now() / 1_000), event },
      });
      const answer = await postSigned({
        ...{ url: `${home}/slack/events`, body, contentType: "application/json", secret: SIGNING },
        ...{ now: Date.now(), withinMs: 3_000 },
      });
      expect(answer).toMatchObject({ ok: true, status: 200 });
    };
    // Slack says it late, or of a token that another has replaced.
    await tell("EvLATE", { type: "tokens_revoked", tokens: { bot: ["U0AGENT"] } });
    await product.says(/a workspace still takes our token/);
    site.remove(BETA);
    await tell("EvGONE", { type: "app_uninstalled" });
    const [line] = await product.says(/\{[^\n]*a workspace was forgotten[^\n]*/);
    expect(JSON.parse(line)).toMatchObject({ workspace: BETA, runs: 1 });
    const since = site.asked.length;
    await say(beta, "help");
    await beta.playground.idle();
    await say(acme, "help");
    await until("an answer in Acme", async () => whoseCalls(since).includes(ACME));
    expect(whoseCalls(since)).not.toContain(BETA);
    expect((await installIn(BETA)).status).toBe(200);
  });
});
