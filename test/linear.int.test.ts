import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { chatOf } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";
import { type Command, command, freePort } from "#test/command.ts";
import { postTo } from "#test/doubles/deliver.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";
import { filledShop } from "#test/doubles/github/repository.ts";
import { type LinearDouble, linearDouble } from "#test/doubles/linear/double.ts";
import { anaSignsIn } from "#test/doubles/linear/sign-in.ts";
import { openStage, type Stage, TOKEN } from "#test/playground/stage.ts";

/** The product as an organisation has it: tickets on one side, people in a workspace on the other, code on GitHub. */
const PATIENCE_MS = 240_000;
const repo = "acme/shop";

describe.skipIf(noBubblewrap !== null)("with Linear", { timeout: PATIENCE_MS }, () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-linear-"));
  let stage: Stage;
  let github: GithubDouble;
  let linear: LinearDouble;
  let product: Command;

  beforeAll(async () => {
    const port = await freePort();
    const here = `http://127.0.0.1:${port}`;
    stage = await openStage({ eventsUrl: `${here}/slack/events`, interactivityUrl: `${here}/slack/interactivity` });
    github = await githubDouble({ repos: { [repo]: filledShop() }, installed: [repo], people: ["bo"] });
    linear = await linearDouble({
      users: [{ name: "Ana" }, { name: "Zed" }],
      teams: ["SHOP"],
      callbacks: () => [`${here}/identity/linear/callback`],
    });
    github.deliverTo(postTo(`${here}/github/webhooks`));
    linear.deliverTo(postTo(`${here}/linear/webhooks`));
    product = command(["serve"], {
      PORT: String(port),
      PUBLIC_URL: here,
      COUNTERSIGN_DATA: dataDir,
      SLACK_BOT_TOKEN: "xoxb-for-tests",
      SLACK_SIGNING_SECRET: "signing-secret-for-tests",
      SLACK_API_URL: `${stage.url}/slack-api/`,
      ...github.settings(path.join(dataDir, "app.pem")),
      ...linear.settings,
    });
    await product.says(/tickets {3}Linear, in Acme/);
  }, PATIENCE_MS);
  afterAll(async () => {
    await product?.stop();
    await stage?.close();
    await github?.close();
    await linear?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(product.words().slice(-6_000), linear.problems, github.problems);
  });

  const chat = () => chatOf({ url: stage.url, token: () => TOKEN });

  /** The thread that the run of this ticket has in its team's channel. */
  async function threadOf(ticket: string): Promise<string> {
    let thread: string | undefined;
    await until("the run's thread in Slack", async () => {
      thread = (await chat().messages("shop")).find((message) =>
        JSON.stringify(message).includes(`Linear ${ticket}`),
      )?.ts;
      return thread !== undefined;
    });
    return thread ?? "";
  }

  test("a ticket that a person delegates is linked, followed, approved in Slack by another, and ends as a merged pull request", async () => {
    const issue = linear.issue("SHOP", "Say where we ship from", 'append "Orders are shipped from Lyon." to README.md');
    const session = await linear.delegate(issue, "Ana");
    await linear.sees(session.id, ({ content }) => content.body?.startsWith("On it") === true);
    await linear.sees(session.id, ({ signal }) => signal === "auth");
    await anaSignsIn(chat(), linear);
    await linear.sees(session.id, ({ content }) => content.body?.includes("linked with Ana") === true);

    // What was asked for before goes on by itself, and asks in Slack.
    const question = await linear.sees(session.id, ({ content }) => content.body?.includes("is no vote") === true);
    const thread = await threadOf(issue.identifier);
    expect(question.content.body).toContain(`/C0SHOP/p${thread.replace(".", "")}`);
    await linear.prompt(session, "Zed", "approve");
    await linear.sees(
      session.id,
      ({ content }) => content.body?.includes("do not know whose account this is") === true,
    );
    await chat().approveNext("shop", thread);
    await linear.sees(
      session.id,
      ({ content }) => content.body?.includes("Bo approved the start of this run in Slack") === true,
    );

    const done = await linear.sees(session.id, ({ content }) => content.type === "response");
    const pull = `${github.url}/${repo}/pull/1`;
    expect(done.content.body).toContain(pull);
    expect(done.content.body).toContain("Approved by Bo");
    expect(linear.stateOf(issue)).toBe("SHOP-progress");
    await until("the pull request on the ticket", async () => linear.attachments.some(({ url }) => url === pull));
    expect(linear.outlineOf(session.id)?.externalUrls.map(({ label }) => label)).toEqual([
      "Run 1",
      "Slack thread",
      "Pull request #1",
    ]);
    const thread1 = (await chat().messages("shop")).filter(
      (message) => message.thread_ts === thread || message.ts === thread,
    );
    expect(JSON.stringify(thread1)).toContain(pull);

    await github.merge(repo, 1, "bo");
    await linear.sees(session.id, ({ content }) => /bo merged pull request/.test(content.body ?? ""));
    await until("the thread says who merged", async () =>
      /bo merged pull request/.test(JSON.stringify(await chat().messages("shop"))),
    );
    expect(linear.activitiesOf(session.id).at(-1)?.content.type).toBe("response");
    expect(linear.problems).toEqual([]);
    expect(github.problems).toEqual([]);
    expect(product.words()).not.toMatch(/cslink_|lin_oauth_|linear-client-secret/);
    expect(linear.oauth.given.length).toBeGreaterThan(0);
    for (const token of linear.oauth.given) expect(product.words()).not.toContain(token);
  });

  test("the stop button on a ticket ends its run, and the thread in Slack shows it", async () => {
    const issue = linear.issue("SHOP", "Something else", 'append "Returns are free." to README.md');
    const session = await linear.delegate(issue, "Ana");
    const thread = await threadOf(issue.identifier);
    await linear.prompt(session, "Ana", "", { stop: true });
    await linear.sees(
      session.id,
      ({ content }) => content.type === "response" && /stopped it/.test(content.body ?? ""),
    );
    await until("the thread shows the stop", async () =>
      (await chat().messages("shop")).some((message) => message.ts === thread && /was stopped/.test(message.text)),
    );
    expect(linear.problems).toEqual([]);
  });
});
