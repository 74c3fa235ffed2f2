import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { chatOf } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";
import { type Command, command, freePort } from "#test/command.ts";
import { openStage, type Stage, TOKEN } from "#test/playground/stage.ts";

/**
 * The product as a real workspace has it: bot token, signing secret, a public address. The stand-in for slack.com is the
 * playground's server in this process, which the product knows by its Web API's address only.
 */
const PUBLIC = "https://agents.example.com";
const PATIENCE_MS = 120_000;

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe.skipIf(noBubblewrap !== null)("with a real workspace", { timeout: PATIENCE_MS }, () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-workspace-"));
  let port = 0;
  let stage: Stage;
  let product: Command;
  let startPath = "";
  let cookie = "";

  beforeAll(async () => {
    port = await freePort();
    const here = `http://127.0.0.1:${port}/slack`;
    stage = await openStage({ eventsUrl: `${here}/events`, interactivityUrl: `${here}/interactivity` });
    product = command(["serve"], {
      PORT: String(port),
      COUNTERSIGN_DATA: dataDir,
      PUBLIC_URL: PUBLIC,
      SLACK_BOT_TOKEN: "xoxb-for-tests",
      SLACK_SIGNING_SECRET: "signing-secret-for-tests",
      SLACK_API_URL: `${stage.url}/slack-api/`,
    });
    const [, printed = ""] = await product.says(/open (http\S+)/);
    expect(printed).toMatch(/^https:\/\/agents\.example\.com\/\?token=/);
    startPath = printed.slice(PUBLIC.length);
  }, PATIENCE_MS);
  afterAll(async () => {
    await product?.stop();
    await stage?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(product.words().slice(-6_000));
  });

  /** As a browser at the public address asks, through a proxy that keeps the Host. */
  function ask(
    where: string,
    o: { host?: string; cookie?: string; form?: URLSearchParams; origin?: string } = {},
  ): Promise<Answer> {
    const body = o.form?.toString();
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: "127.0.0.1",
          port,
          path: where,
          method: body === undefined ? "GET" : "POST",
          headers: {
            host: o.host ?? new URL(PUBLIC).host,
            ...(o.cookie === undefined ? {} : { cookie: o.cookie }),
            ...(body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
            ...(o.origin === undefined ? {} : { origin: o.origin }),
          },
        },
        (answer) => {
          text(answer).then(
            (said) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: said }),
            reject,
          );
        },
      );
      sent.once("error", reject);
      sent.end(body);
    });
  }

  const cookieOf = (answer: Answer): string =>
    (answer.headers["set-cookie"] ?? []).map((line) => line.split(";", 1)[0]).join("; ");

  test("the printed link opens the pages at the public address, once per browser", async () => {
    const first = await ask(startPath);
    expect(first).toMatchObject({ status: 303, headers: { location: "/" } });
    expect(first.headers["set-cookie"]?.join()).toMatch(/HttpOnly; Secure; SameSite=Lax/);
    cookie = cookieOf(first);
    expect(await ask("/", { cookie })).toMatchObject({ status: 302, headers: { location: "/runs" } });
    expect((await ask("/runs", { cookie })).status).toBe(200);
  });

  test("without the link, with a wrong one, or under a strange name, nothing is shown", async () => {
    for (const where of ["/", "/runs", "/runs/x", "/code", "/code/acme/shop", "/?token=wrong"]) {
      const answer = await ask(where);
      expect([where, answer.status]).toEqual([where, 401]);
      expect(answer.body).toContain("start link");
    }
    for (const host of ["evil.example.com", "agents.example.com.evil.com", `10.0.0.5:${port}`]) {
      expect((await ask("/runs", { host, cookie })).status, host).toBe(403);
      expect((await ask(startPath, { host })).status, host).toBe(403);
    }
    expect((await ask("/runs", { host: `localhost:${port}`, cookie })).status).toBe(200);
    expect(await ask("/slack-api/auth.test", { form: new URLSearchParams() })).toMatchObject({ status: 404 });
  });

  test("a request of the workspace leads to links that open, and the holder of the link merges", async () => {
    const chat = chatOf({ url: stage.url, token: () => TOKEN });
    const thread = await chat.ask("shop", 'append "Orders are shipped from Lyon." to README.md');
    await chat.approveNext("shop", thread);
    const said = async () => JSON.stringify(await chat.messages("shop"));
    const pull = await until("a pull request in the thread", async () =>
      /https:\/\/agents\.example\.com(\/code\/acme\/[\w-]+\/pull\/\d+)/.exec(await said()),
    );
    const run = /https:\/\/agents\.example\.com(\/runs\/[0-9a-f-]+)/.exec(await said())?.[1] ?? "";

    const runPage = await ask(run, { cookie });
    expect(runPage.status).toBe(200);
    // auth.test of the stand-in says where the workspace is.
    expect(runPage.body).toContain(`href="${stage.url}/archives/C0SHOP/p${thread.replace(".", "")}"`);

    const where = pull[1] ?? "";
    const page = await ask(where, { cookie });
    expect(page.status).toBe(200);
    expect(page.body).toContain("You are <b>Operator (start link)</b>");
    const field = (name: string) => new RegExp(`/merge">.*?name="${name}" value="([^"]+)"`).exec(page.body)?.[1] ?? "";
    const form = new URLSearchParams({ token: field("token"), head: field("head") });
    const browser = `${cookie}; ${cookieOf(page)}`;
    expect((await ask(`${where}/merge`, { cookie: browser, form, origin: "https://evil.example.com" })).status).toBe(
      403,
    );
    expect((await ask(`${where}/merge`, { cookie: browser, form, origin: PUBLIC })).status).toBe(303);
    await until("the thread says who merged", async () => (await said()).includes("Operator (start link)"));
    expect((await ask(where, { cookie })).body).toContain("<b>Operator (start link)</b> merged it");
  });
});
