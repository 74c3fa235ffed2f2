import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { gitText } from "#adapters/git.ts";
import { playgroundSeed } from "#playground/seed.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { chatOf } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";
import { type Command, command, freePort } from "#test/command.ts";
import { postTo } from "#test/doubles/deliver.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";
import { OAUTH_APP } from "#test/doubles/github/oauth.ts";
import { filledShop } from "#test/doubles/github/repository.ts";
import { openStage, type Stage, TOKEN } from "#test/playground/stage.ts";

/** The product as an organisation has it: a real workspace's protocol on one side, GitHub's on the other. */
const PATIENCE_MS = 240_000;
const repo = "acme/shop";

interface Pull {
  readonly title: string;
  readonly body: string;
  readonly draft: boolean;
  readonly state: string;
  readonly head: { readonly ref: string; readonly sha: string };
  readonly user: { readonly login: string };
}

describe.skipIf(noBubblewrap !== null)("with GitHub", { timeout: PATIENCE_MS }, () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-github-"));
  const policies = path.join(dataDir, "policies");
  let stage: Stage;
  let double: GithubDouble;
  let product: Command;
  let port = 0;

  beforeAll(async () => {
    port = await freePort();
    const here = `http://127.0.0.1:${port}/slack`;
    const dm = { id: "D0ANA", name: "agent", topic: "", members: ["U0ANA", "U0AGENT"], examples: [] };
    stage = await openStage({
      eventsUrl: `${here}/events`,
      interactivityUrl: `${here}/interactivity`,
      seed: playgroundSeed([dm]),
    });
    double = await githubDouble({
      repos: { [repo]: filledShop({ ".github/CODEOWNERS": "* @cy\n" }) },
      installed: [repo],
      people: ["bo", "cy"],
    });
    double.deliverTo(postTo(`http://127.0.0.1:${port}/github/webhooks`));
    cpSync(path.resolve(import.meta.dirname, "../policies"), policies, { recursive: true });
    product = command(["serve"], {
      PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      COUNTERSIGN_POLICIES: policies,
      GITHUB_APP_CLIENT_ID: OAUTH_APP.client_id,
      GITHUB_APP_CLIENT_SECRET: OAUTH_APP.client_secret,
      COUNTERSIGN_DATA: dataDir,
      SLACK_BOT_TOKEN: "xoxb-for-tests",
      SLACK_SIGNING_SECRET: "signing-secret-for-tests",
      SLACK_API_URL: `${stage.url}/slack-api/`,
      ...double.settings(path.join(dataDir, "app.pem")),
    });
    await product.says(/code {6}GitHub, as App 4242/);
  }, PATIENCE_MS);
  afterAll(async () => {
    await product?.stop();
    await stage?.close();
    await double?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(product.words().slice(-6_000), double.problems);
  });

  test("a request in chat ends as a pull request that a person merges on GitHub", async () => {
    const chat = chatOf({ url: stage.url, token: () => TOKEN });
    const thread = await chat.ask("shop", 'append "Orders are shipped from Lyon." to README.md');
    await chat.approveNext("shop", thread);
    const said = async () => JSON.stringify(await chat.messages("shop"));
    await until("the pull request in the thread", async () => (await said()).includes(`${double.url}/${repo}/pull/1`));

    const pull = (await double.as("bo")("GET", `/repos/${repo}/pulls/1`)) as Pull;
    expect(pull).toMatchObject({ draft: true, state: "open", user: { login: expect.stringContaining("bot") } });
    expect(pull.head.ref).toMatch(/^agent\//);
    expect(pull.body).toContain("| Receipt | signed by `ed25519:");
    expect(pull.head.sha).toBe(await double.branch(repo, pull.head.ref));
    await until("the thread says that it is in review", async () => (await said()).includes("Review it, then merge"));
    const { check_runs } = (await double.as("bo")("GET", `/repos/${repo}/commits/${pull.head.sha}/check-runs`)) as {
      check_runs: { name: string; conclusion: string }[];
    };
    expect(check_runs.find((run) => run.name === "countersign")).toMatchObject({ conclusion: "success" });
    const asked = (await double.as("bo")("GET", `/repos/${repo}/pulls/1`)) as {
      requested_reviewers: { login: string }[];
    };
    expect(asked.requested_reviewers.map((one) => one.login)).toEqual(["cy"]);

    await double.merge(repo, 1, "bo");
    await until("the thread says who merged", async () => /bo merged pull request/.test(await said()));
    expect(double.problems).toEqual([]);
    expect(JSON.stringify(await chat.messages("shop"))).not.toMatch(/ghs_|PRIVATE KEY/);
    expect(product.words()).not.toMatch(/ghs_|PRIVATE KEY/);
  });

  test("a run waits until its author has linked an account on GitHub, and its commit credits that account", async () => {
    const file = path.join(policies, "teams/shop.yaml");
    const members = "members: group:shop\n";
    writeFileSync(file, readFileSync(file, "utf8").replace(members, `${members}linked: { authors: github }\n`));
    await product.says(/policy reloaded/);
    const chat = chatOf({ url: stage.url, token: () => TOKEN });
    const said = async () => JSON.stringify(await chat.messages("shop"));
    const thread = await chat.ask("shop", 'append "Orders are sent from Nantes." to README.md');
    await until("it is said what the run waits for", async () =>
      (await said()).includes("GitHub account linked first"),
    );

    await chat.ask("shop", "link github");
    const start = await until("a link for Ana alone", async () => {
      const [url] = /http:\/\/127\.0\.0\.1:\d+\/identity\/github\/start\?link=[\w.-]+/.exec(await said()) ?? [];
      return url ?? null;
    });
    expect(await (await fetch(start)).text()).toContain("Link a GitHub account with");
    const home = new URL(start);
    const pressed = await fetch(`${home.origin}${home.pathname}`, {
      method: "POST",
      redirect: "manual",
      headers: { origin: home.origin },
      body: new URLSearchParams({ link: home.searchParams.get("link") ?? "" }),
    });
    const back = double.oauth.consent(pressed.headers.get("location") ?? "", { id: 583231, login: "ana-at-acme" });
    const cookie = (pressed.headers.getSetCookie()[0] ?? "").split(";", 1)[0] ?? "";
    expect((await fetch(back)).status).toBe(400);
    // Slack says who Ana is, and takes no message for a while.
    await stage.control("fault", { method: "chat.postMessage", status: 503, times: 4 });
    expect(await (await fetch(back, { headers: { cookie } })).text()).toContain("ana-at-acme on GitHub is");

    const direct = async () => {
      const { body } = await stage.control("messages/D0ANA");
      return body.messages as unknown as readonly { text: string }[];
    };
    const linked = async () =>
      (await direct()).filter(({ text }) => /^ana-at-acme on GitHub is linked with/.test(text));
    await until("Ana is told when Slack is back", async () => (await linked()).length > 0);

    await chat.approveNext("shop", thread);
    await until("its pull request", async () => (await said()).includes(`${double.url}/${repo}/pull/2`));
    expect(await linked()).toHaveLength(1);
    const pull = (await double.as("bo")("GET", `/repos/${repo}/pulls/2`)) as Pull;
    const message = await gitText(double.git, ["log", "-1", "--format=%B", pull.head.sha], {
      gitDir: double.gitDir(repo),
    });
    const credited = `<583231+ana-at-acme@users.noreply.${new URL(double.url).host}>`;
    expect(message.match(/^Co-authored-by: .*$/gm)).toEqual([expect.stringContaining(credited)]);
    expect(double.problems).toEqual([]);
    expect(product.words()).not.toMatch(/ghu_|cslink_|double-client-secret/);
  });

  test("the operator takes that account back through the running service, and its person is told", async () => {
    const operator = (...args: string[]) => command(["unlink", ...args], { COUNTERSIGN_DATA: dataDir });
    const taken = operator("github", "ana-at-acme");
    await taken.says(/ana-at-acme on GitHub is no longer linked with .*, who is told in Slack\./);
    expect(await taken.ended).toBe(0);
    await until("Ana is told in a direct message", async () => {
      const { body } = await stage.control("messages/D0ANA");
      return (body.messages as unknown as readonly { text: string }[]).some(({ text }) =>
        text.startsWith("ana-at-acme on GitHub is no longer linked with you"),
      );
    });
    const again = operator("github", "ana-at-acme");
    expect(await again.ended).toBe(1);
    expect(again.words()).toContain("nobody has linked ana-at-acme on GitHub");
    const listed = operator("--list");
    await listed.says(/Z {2}ana-at-acme on GitHub \(127\.0\.0\.1:\d+\/583231\), from .*, by operator /);
    expect(await listed.ended).toBe(0);
  });
});
