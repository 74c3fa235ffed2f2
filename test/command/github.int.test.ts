import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "#config.ts";
import { command } from "#test/command.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";

let double: GithubDouble;
let dataDir = "";
beforeAll(async () => {
  double = await githubDouble({ repos: {}, installed: [], people: [] });
  dataDir = mkdtempSync(path.join(tmpdir(), "countersign-create-app-"));
});
afterAll(async () => {
  await double.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const started = (args: readonly string[] = []) =>
  command(["github", "create-app", ...args], { GITHUB_API_URL: double.apiUrl, COUNTERSIGN_DATA: dataDir });

function ask(url: string, host?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers: host === undefined ? {} : { host } }, (answer) => {
      text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject);
    });
    sent.once("error", reject);
    sent.end();
  });
}

const unescaped = (html: string): string =>
  html.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

test("a person makes an App with one page, and its key is theirs alone", async () => {
  const made = started(["--org", "acme", "--url", "https://agents.example.com"]);
  const [, page = ""] = await made.says(/Open (http:\S+) in a browser/);
  const { body } = await ask(page);
  const [, action = ""] = /<form action="([^"]+)"/.exec(body) ?? [];
  const [, manifest = ""] = /name="manifest" value="([^"]+)"/.exec(body) ?? [];
  const target = new URL(unescaped(action));
  expect(`${target.origin}${target.pathname}`).toBe(`${double.url}/organizations/acme/settings/apps/new`);
  expect(JSON.parse(unescaped(manifest))).toEqual({
    name: "Countersign acme",
    url: "https://agents.example.com",
    redirect_url: `${page}/made`,
    callback_urls: ["https://agents.example.com/identity/github/callback"],
    public: false,
    hook_attributes: { url: "https://agents.example.com/github/webhooks", active: true },
    default_permissions: {
      checks: "write",
      contents: "write",
      members: "read",
      metadata: "read",
      pull_requests: "write",
    },
    default_events: ["check_suite", "pull_request", "pull_request_review"],
  });

  const state = target.searchParams.get("state") ?? "";
  expect(state).toMatch(/^[\w-]{32}$/);
  expect((await ask(`${page}/made?code=good&state=${"x".repeat(32)}`)).status).toBe(400);
  expect((await ask(`${page}/made?code=good&state=${state}`, "evil.example.com")).status).toBe(400);
  const wrong = await ask(`${page}/made?code=bad&state=${state}`);
  expect(wrong).toMatchObject({ status: 502, body: expect.stringContaining("Not Found") });
  expect((await ask(`${page}/made?code=good&state=${state}`)).status).toBe(200);
  expect(await made.ended).toBe(0);

  const folder = path.join(dataDir, "github-app", "countersign-test");
  const key = path.join(folder, "private-key.pem");
  expect(readFileSync(key, "utf8")).toBe(double.privateKey.reveal());
  expect(readFileSync(path.join(folder, "webhook-secret"), "utf8").trim()).toBe(double.webhookSecret.reveal());
  for (const file of ["private-key.pem", "webhook-secret", "client-secret", "app.json"]) {
    expect([file, statSync(path.join(folder, file)).mode & 0o777]).toEqual([file, 0o600]);
  }
  const words = made.words();
  expect(words).toContain(`${double.url}/apps/countersign-test/installations/new`);
  expect(words).toContain(`GITHUB_APP_ID=4242\n       GITHUB_APP_PRIVATE_KEY_FILE=${key}\n`);
  expect(words).not.toContain(double.webhookSecret.reveal());
  const secret = path.join(folder, "client-secret");
  expect(words).toContain(`GITHUB_APP_CLIENT_ID=Iv23.double\n       GITHUB_APP_CLIENT_SECRET_FILE=${secret}\n`);
  expect(readFileSync(secret, "utf8")).toBe("double-client-secret\n");
  expect(words).not.toContain("double-client-secret");
  expect(words).not.toContain("PRIVATE KEY-----");
  expect(words).toContain("with SLACK_BOT_TOKEN and SLACK_APP_TOKEN (Socket Mode)");
  expect(double.problems).toEqual([]);
});

test("with what it prints for an address over http the service would start", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "countersign-create-http-"));
  const made = command(["github", "create-app", "--url", "http://agents.example.com"], {
    ...{ GITHUB_API_URL: double.apiUrl, COUNTERSIGN_DATA: folder },
  });
  const [, page = ""] = await made.says(/Open (http:\S+) in a browser/);
  const [, action = ""] = /<form action="([^"]+)"/.exec((await ask(page)).body) ?? [];
  const state = new URL(unescaped(action)).searchParams.get("state") ?? "";
  expect((await ask(`${page}/made?code=good&state=${state}`)).status).toBe(200);
  expect(await made.ended).toBe(0);
  const settings = Object.fromEntries([...made.words().matchAll(/^ {7}([A-Z_]+)=(.+)$/gm)].map(([, ...pair]) => pair));
  expect(settings).toMatchObject({ GITHUB_APP_ID: "4242", PUBLIC_URL: "http://agents.example.com" });
  const slack = { SLACK_BOT_TOKEN: "xoxb-1", SLACK_APP_TOKEN: "xapp-1" };
  expect(parseConfig({ ...slack, ...settings }, "/").githubApp).toMatchObject({ appId: 4242, oauth: null });
  expect(made.words()).toContain("link their GitHub account with a code");
  rmSync(folder, { recursive: true, force: true });
});

test("without a public address the App has no webhook, and Ctrl-C makes nothing", async () => {
  const made = started();
  const [, page = ""] = await made.says(/Open (http:\S+) in a browser/);
  const { body } = await ask(page);
  expect(body).toContain("no public address was named");
  const [, manifest = ""] = /name="manifest" value="([^"]+)"/.exec(body) ?? [];
  expect(JSON.parse(unescaped(manifest))).toMatchObject({ url: "https://github.com", default_events: [] });
  expect(JSON.parse(unescaped(manifest))).not.toHaveProperty("hook_attributes");
  expect(/action="([^"]+)"/.exec(body)?.[1]).toContain("/settings/apps/new");
  expect(await made.stop()).toBe(1);
});

test.each([
  [["create"], 2, 'there is no "github create"'],
  [["create-app", "--port", "many"], 2, '--port takes a port, not "many"'],
  [["create-app", "--url", "agents.example.com/x"], 2, "--url takes an address like"],
])("countersign github %j is not understood, with words", async (args, code, said) => {
  const ran = command(["github", ...args], { COUNTERSIGN_DATA: dataDir });
  expect(await ran.ended).toBe(code);
  expect(ran.words()).toContain(said);
});
