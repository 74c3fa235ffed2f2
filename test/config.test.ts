import { expect, test } from "vitest";
import { apiOf, hostInUrl, parseConfig } from "#config.ts";
import { gatewayConfiguration } from "#gateway-role.ts";
import { siteOf } from "#site.ts";

const parse = (env: Record<string, string>) => parseConfig(env, "/srv");

test("a gateway that was started with another model key is another gateway", () => {
  const [old, rotated] = ["sk-one", "sk-two"].map((OPENAI_API_KEY) => gatewayConfiguration(parse({ OPENAI_API_KEY })));
  expect(old).not.toBe(rotated);
  expect(gatewayConfiguration(parse({ OPENAI_API_KEY: "sk-one" }))).toBe(old);
});

const WORKSPACE = { SLACK_BOT_TOKEN: "xoxb-1", SLACK_SIGNING_SECRET: "s" };
const GITHUB_CLIENT = { GITHUB_APP_CLIENT_ID: "Iv23", GITHUB_APP_CLIENT_SECRET: "s" };

const REFUSED: Record<string, [Record<string, string>, RegExp]> = {
  "OpenCode without a model has nothing to ask": [
    { COUNTERSIGN_AGENT: "opencode" },
    /COUNTERSIGN_AGENT=opencode needs/,
  ],
  "what is no address is said, and nothing else of it": [
    { PUBLIC_URL: "nonsense" },
    /: PUBLIC_URL is not an http\(s\) URL$/,
  ],
  "pages live at the root of their address": [
    { SLACK_BOT_TOKEN: "xoxb-1", SLACK_SIGNING_SECRET: "s", PUBLIC_URL: "https://example.com/agents" },
    /PUBLIC_URL has a path/,
  ],
  "the local Slack page has no public address": [{ PUBLIC_URL: "https://agents.example.com" }, /PUBLIC_URL needs/],
  "the local Slack page does not listen for others": [{ HOST: "10.1.2.3" }, /HOST=10\.1\.2\.3/],
  "a name that begins like loopback is not loopback": [{ HOST: "127.example.com" }, /HOST=127\.example\.com/],
  "real credentials are refused beside the local Slack page, where one person acts as everybody": [
    { LINEAR_API_KEY: "lin_1", GITHUB_APP_ID: "7" },
    /^GITHUB_APP_ID, LINEAR_API_KEY: .*the local Slack page.*Unset them, or set SLACK_BOT_TOKEN and SLACK_APP_TOKEN/,
  ],
  "a bot token without a way for Slack's requests is told both ways": [
    { SLACK_BOT_TOKEN: "xoxb-1" },
    /^SLACK_BOT_TOKEN alone hears nothing: set SLACK_APP_TOKEN \(Socket Mode.*SLACK_SIGNING_SECRET with PUBLIC_URL \(HTTP\)$/,
  ],
  "an app token needs the bot's": [{ SLACK_APP_TOKEN: "xapp-1" }, /^SLACK_APP_TOKEN needs SLACK_BOT_TOKEN/],
  "a signing secret needs the bot's token": [
    { SLACK_SIGNING_SECRET: "s" },
    /^SLACK_SIGNING_SECRET needs SLACK_BOT_TOKEN/,
  ],
  "a secret's variable that could be read as two names is refused": [
    { COUNTERSIGN_SECRET_cms__read: "v" },
    /^COUNTERSIGN_SECRET_cms__read: after COUNTERSIGN_SECRET_ comes a name/,
  ],
  "a secret of two lines fits in no header": [
    { COUNTERSIGN_SECRET_A: "a\nb" },
    /COUNTERSIGN_SECRET_A: a secret is one line/,
  ],
  "a package index is reached over TLS on its own port": [
    { COUNTERSIGN_PYPI_INDEX: "https://packages.example.com:8443/simple/" },
    /COUNTERSIGN_PYPI_INDEX names a port/,
  ],
  "a forge has an API beside its pages": [
    { COUNTERSIGN_GITHUB_HOSTS: "git.example.com" },
    /COUNTERSIGN_GITHUB_HOSTS names the web host and the API's/,
  ],
  "half of what sign-in needs is no sign-in": [
    { ...WORKSPACE, SLACK_CLIENT_ID: "1.2", PUBLIC_URL: "https://agents.example.com" },
    /^SLACK_CLIENT_ID and SLACK_CLIENT_SECRET go together/,
  ],
  "who signs in has to come back somewhere": [
    { ...WORKSPACE, SLACK_CLIENT_ID: "1.2", SLACK_CLIENT_SECRET: "s" },
    /^SLACK_CLIENT_ID needs PUBLIC_URL: .*PUBLIC_URL\/signin\/slack/,
  ],
  "nobody signs in over a wire that others read": [
    { ...WORKSPACE, SLACK_CLIENT_ID: "1.2", SLACK_CLIENT_SECRET: "s", PUBLIC_URL: "http://agents.example.com" },
    /^SLACK_CLIENT_ID needs an https:\/\/ PUBLIC_URL/,
  ],
  "on the local Slack page nobody signs in": [
    { SLACK_CLIENT_ID: "1.2", SLACK_CLIENT_SECRET: "s" },
    /^SLACK_CLIENT_ID, SLACK_CLIENT_SECRET: real credentials/,
  ],
  "a GitHub App without its key is no App": [
    { ...WORKSPACE, GITHUB_APP_ID: "7" },
    /^GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY/,
  ],
  "a webhook's secret without an App is for nobody": [
    { ...WORKSPACE, GITHUB_WEBHOOK_SECRET: "s" },
    /^GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY/,
  ],
  "a key that is given twice is a question": [
    { ...WORKSPACE, GITHUB_APP_ID: "7", GITHUB_APP_PRIVATE_KEY: "k", GITHUB_APP_PRIVATE_KEY_FILE: "k.pem" },
    /^GITHUB_APP_PRIVATE_KEY and GITHUB_APP_PRIVATE_KEY_FILE say the same thing twice/,
  ],
  "a client ID without its secret links nobody": [
    { ...WORKSPACE, GITHUB_APP_ID: "7", GITHUB_APP_PRIVATE_KEY: "k", GITHUB_APP_CLIENT_ID: "Iv23" },
    /^GITHUB_APP_CLIENT_ID and GITHUB_APP_CLIENT_SECRET/,
  ],
  "people come back from GitHub to an address that has to be known": [
    { ...WORKSPACE, GITHUB_APP_ID: "7", GITHUB_APP_PRIVATE_KEY: "k", ...GITHUB_CLIENT },
    /^GITHUB_APP_CLIENT_ID needs PUBLIC_URL: .*\/identity\/github\/callback/,
  ],
  "an account is not linked over an open line": [
    {
      ...{ ...WORKSPACE, ...GITHUB_CLIENT, GITHUB_APP_ID: "7", GITHUB_APP_PRIVATE_KEY: "k" },
      PUBLIC_URL: "http://agents.example.com",
    },
    /^GITHUB_APP_CLIENT_ID needs an https:\/\/ PUBLIC_URL/,
  ],
  "a webhook's secret is as real as the App it belongs to": [
    { GITHUB_WEBHOOK_SECRET: "s" },
    /^GITHUB_WEBHOOK_SECRET: real/,
  ],
  "a pooler of a database that is embedded is of no use": [
    { DATABASE_POOLED_URL: "postgres://me@db/shop" },
    /^DATABASE_POOLED_URL is about a Postgres server, and the database is embedded/,
  ],
  "a WebSocket proxy is no web page": [{ NEON_WS_PROXY: "https://proxy" }, /: NEON_WS_PROXY is not a ws/],
  "half a certificate is none": [
    { COUNTERSIGN_GATEWAY_URL: "https://gw.example.com", COUNTERSIGN_GATEWAY_CERT: "gw.pem" },
    /COUNTERSIGN_GATEWAY_CERT and COUNTERSIGN_GATEWAY_KEY go together/,
  ],
  "a gateway that listens for others has to say where they find it": [
    { COUNTERSIGN_GATEWAY_LISTEN: "0.0.0.0:443" },
    /COUNTERSIGN_GATEWAY_URL says how the gateway is reached from elsewhere/,
  ],
  "a hosted sandbox comes over TLS": [{ COUNTERSIGN_GATEWAY_URL: "http://gw.example.com" }, /is https:\/\/HOST/],
  "half a Linear app is no Linear app": [
    { ...WORKSPACE, LINEAR_CLIENT_ID: "app" },
    /^LINEAR_WEBHOOK_SECRET and LINEAR_CLIENT_ID with LINEAR_CLIENT_SECRET \(or LINEAR_ACCESS_TOKEN\) go together/,
  ],
  "a Linear app without its webhook hears of nothing": [
    { ...WORKSPACE, LINEAR_ACCESS_TOKEN: "lin_1" },
    /^LINEAR_WEBHOOK_SECRET and/,
  ],
  "a Linear app is named once": [
    { ...WORKSPACE, LINEAR_ACCESS_TOKEN: "lin_1", LINEAR_CLIENT_ID: "app", LINEAR_WEBHOOK_SECRET: "hook" },
    /^LINEAR_ACCESS_TOKEN and LINEAR_CLIENT_ID with LINEAR_CLIENT_SECRET say who we are twice/,
  ],
  "tickets need people, and those are in a real workspace": [
    { LINEAR_ACCESS_TOKEN: "lin_1", LINEAR_WEBHOOK_SECRET: "hook" },
    /^LINEAR_ACCESS_TOKEN, LINEAR_WEBHOOK_SECRET: real credentials/,
  ],
  "a sandbox begins as one thing": [
    { DAYTONA_API_KEY: "dtn_1", DAYTONA_SNAPSHOT: "ours", DAYTONA_IMAGE: "node:24" },
    /DAYTONA_SNAPSHOT and DAYTONA_IMAGE/,
  ],
  "the local Slack page does not listen on every address": [{ HOST: "0.0.0.0" }, /HOST=0\.0\.0\.0/],
  "the local Slack page does not listen on every address of the newer kind": [{ HOST: "::" }, /HOST=::/],
};
for (const [sentence, [env, message]] of Object.entries(REFUSED)) {
  test(sentence, () => expect(() => parse(env)).toThrow(message));
}

test("a secret of the environment has the name that policy gives it, and another value is another gateway", () => {
  const config = parse({ COUNTERSIGN_SECRET_CMS_READ: "REAL-VALUE" });
  expect([...config.secrets.keys()]).toEqual(["cms-read"]);
  expect(config.secrets.get("cms-read")?.reveal()).toBe("REAL-VALUE");
  expect(JSON.stringify(config)).not.toContain("REAL-VALUE");
  expect(gatewayConfiguration(config)).not.toBe(gatewayConfiguration(parse({ COUNTERSIGN_SECRET_CMS_READ: "OTHER" })));
  expect(gatewayConfiguration(config)).not.toContain("REAL-VALUE");
});

test("policy's presets open the index and the forge that the operator names", () => {
  const config = parse({
    COUNTERSIGN_PYPI_INDEX: "https://packages.example.com/simple/",
    COUNTERSIGN_PYPI_FILES: "https://files.example.com/",
    COUNTERSIGN_GO_PROXY: "https://packages.example.com/go/",
    COUNTERSIGN_GITHUB_HOSTS: "git.example.com, api.git.example.com, raw.git.example.com",
    COUNTERSIGN_SECRET_CMS_READ: "REAL-VALUE",
  });
  expect(siteOf(config, new Date("2026-12-01T10:00:00Z"))).toMatchObject({
    pypi: [
      { host: "packages.example.com", paths: ["/simple", "/simple/**"] },
      { host: "files.example.com", paths: ["/**"] },
    ],
    goProxy: { host: "packages.example.com", base: "/go" },
    github: { web: "git.example.com", api: "api.git.example.com", files: ["raw.git.example.com"] },
    secrets: ["cms-read"],
    today: "2026-12-01",
  });
});

const slack = { SLACK_BOT_TOKEN: "xoxb-1", SLACK_SIGNING_SECRET: "s" };

test("real credentials are no obstacle to a real workspace, and an empty one is none", () => {
  expect(parse({ ...slack, LINEAR_API_KEY: "lin_1" }).slack).not.toBeNull();
  expect(parse({ LINEAR_API_KEY: "" }).slack).toBeNull();
});

test("an app token means Socket Mode, a signing secret HTTP, and of both Socket Mode", () => {
  const intake = (env: Record<string, string>) => parse({ SLACK_BOT_TOKEN: "xoxb-1", ...env }).slack?.intake;
  expect(intake({ SLACK_APP_TOKEN: "xapp-1" })).toMatchObject({ by: "socket", unused: null });
  expect(intake({ SLACK_SIGNING_SECRET: "s" })).toMatchObject({ by: "http" });
  const both = parse({ ...slack, SLACK_APP_TOKEN: "xapp-1" }).slack;
  expect(both?.intake).toMatchObject({ by: "socket", unused: { name: "slack_signing_secret" } });
});

test("with a real workspace any address may be listened on", () => {
  for (const HOST of ["0.0.0.0", "::"]) expect(parse({ ...slack, HOST }).host).toBe(HOST);
  expect(parse({ ...slack, HOST: "10.1.2.3", PUBLIC_URL: "https://a.example.com/" }).publicUrl).toBe(
    "https://a.example.com",
  );
});

const IN_URLS: Record<string, string> = {
  "127.0.0.1": "127.0.0.1",
  "0.0.0.0": "127.0.0.1",
  "::": "127.0.0.1",
  "::1": "[::1]",
};
for (const [host, shown] of Object.entries(IN_URLS)) {
  test(`what listens on ${host} is opened at ${shown}`, () => expect(hostInUrl(host)).toBe(shown));
}

/** Environment → agent, its model, the API that model is asked of, and both base URLs. */
const MODELS: Record<
  string,
  [Record<string, string>, readonly [string, string, string, string | null, string | null]]
> = {
  "no model configured: the demo agent": [{}, ["demo", "scripted", "-", null, null]],
  "an OpenAI key": [{ OPENAI_API_KEY: "sk" }, ["opencode", "gpt-5.5", "openai", "https://api.openai.com/v1", null]],
  "a base URL of an OpenAI-compatible API, without a key": [
    { OPENAI_BASE_URL: "http://10.0.0.1:8000/v1" },
    ["opencode", "gpt-5.5", "openai", "http://10.0.0.1:8000/v1", null],
  ],
  "an Anthropic key alone": [
    { ANTHROPIC_API_KEY: "sk" },
    ["opencode", "claude-sonnet-5", "anthropic", null, "https://api.anthropic.com"],
  ],
  "a base URL of an Anthropic-compatible API, with the version that some clients want in it": [
    { ANTHROPIC_BASE_URL: "http://10.0.0.1:8000/v1/" },
    ["opencode", "claude-sonnet-5", "anthropic", null, "http://10.0.0.1:8000"],
  ],
  "both: OpenAI's default model, from OpenAI": [
    { OPENAI_API_KEY: "sk", ANTHROPIC_API_KEY: "sk" },
    ["opencode", "gpt-5.5", "openai", "https://api.openai.com/v1", "https://api.anthropic.com"],
  ],
  "both, and a model of Anthropic's: from Anthropic": [
    { OPENAI_API_KEY: "sk", ANTHROPIC_API_KEY: "sk", COUNTERSIGN_MODEL: "claude-opus-5" },
    ["opencode", "claude-opus-5", "anthropic", "https://api.openai.com/v1", "https://api.anthropic.com"],
  ],
  "a model of Anthropic's behind an OpenAI-compatible API": [
    { OPENAI_BASE_URL: "http://10.0.0.1:8000/v1", COUNTERSIGN_MODEL: "claude-opus-5" },
    ["opencode", "claude-opus-5", "openai", "http://10.0.0.1:8000/v1", null],
  ],
  "the demo agent beside a key": [
    { OPENAI_API_KEY: "sk", COUNTERSIGN_AGENT: "demo" },
    ["demo", "scripted", "-", "https://api.openai.com/v1", null],
  ],
};
for (const [sentence, [env, expected]] of Object.entries(MODELS)) {
  test(`models: ${sentence}`, () => {
    const { agent, model, models } = parse(env);
    const api = agent === "demo" ? "-" : apiOf(models, model);
    expect([agent, model, api, models.openai.baseUrl, models.anthropic.baseUrl]).toEqual(expected);
  });
}

test("bubblewrap is where it was found, or in the usual places", () => {
  expect([parse({ BWRAP_PATH: "/opt/bwrap" }).bwrap, parse({}).bwrap]).toEqual(["/opt/bwrap", null]);
});

test("a GitHub App is github.com's unless another server is named, and its key may lie in a file", () => {
  expect(parse({}).githubApp).toBeNull();
  const config = parse({ ...WORKSPACE, GITHUB_APP_ID: "7", GITHUB_APP_PRIVATE_KEY_FILE: "app/key.pem" });
  expect(config.githubApp).toEqual({
    appId: 7,
    privateKey: { file: "/srv/app/key.pem" },
    webhookSecret: null,
    oauth: null,
  });
  expect(config.githubApiUrl).toBe("https://api.github.com");
  const enterprise = parse({
    ...WORKSPACE,
    GITHUB_APP_ID: "7",
    GITHUB_APP_PRIVATE_KEY: "PEM-TEXT",
    GITHUB_WEBHOOK_SECRET: "HOOK-TEXT",
    GITHUB_API_URL: "https://ghe.example.com/api/v3/",
  });
  expect(enterprise.githubApiUrl).toBe("https://ghe.example.com/api/v3");
  expect(JSON.stringify(enterprise)).not.toMatch(/PEM-TEXT|HOOK-TEXT/);
});

test("a Linear app is Linear's own unless another address is named, and none of it prints", () => {
  expect(parse({}).linear).toBeNull();
  const config = parse({
    ...WORKSPACE,
    LINEAR_CLIENT_ID: "app",
    LINEAR_CLIENT_SECRET: "CLIENT-TEXT",
    LINEAR_WEBHOOK_SECRET: "HOOK-TEXT",
  });
  expect(config.linear).toMatchObject({ apiUrl: "https://api.linear.app", access: { clientId: "app" } });
  expect(JSON.stringify(config)).not.toMatch(/CLIENT-TEXT|HOOK-TEXT/);
  const elsewhere = parse({
    ...WORKSPACE,
    LINEAR_ACCESS_TOKEN: "TOKEN-TEXT",
    LINEAR_WEBHOOK_SECRET: "HOOK-TEXT",
    LINEAR_API_URL: "https://linear.example.com/",
  });
  expect(elsewhere.linear?.apiUrl).toBe("https://linear.example.com");
  expect(JSON.stringify(elsewhere)).not.toContain("TOKEN-TEXT");
});

test("people sign in at Linear where its app has a client id and they come back over https, and write a code elsewhere", () => {
  const hook = { ...WORKSPACE, LINEAR_WEBHOOK_SECRET: "hook" };
  const app = { ...hook, LINEAR_CLIENT_ID: "app", LINEAR_CLIENT_SECRET: "secret" };
  const oauth = (env: Readonly<Record<string, string>>) => parse(env).linear?.oauth?.clientId;
  expect(oauth({ ...app, PUBLIC_URL: "https://agents.example.com" })).toBe("app");
  expect(oauth({ ...app, PUBLIC_URL: "http://127.0.0.1:3000" })).toBe("app");
  expect(oauth({ ...app, PUBLIC_URL: "http://agents.example.com" })).toBeUndefined();
  expect(oauth(app)).toBeUndefined();
  expect(oauth({ ...hook, LINEAR_ACCESS_TOKEN: "lin_1", PUBLIC_URL: "https://agents.example.com" })).toBeUndefined();
});

test("sandboxes are on this machine unless a key says Daytona, and the gateway listens for nobody else", () => {
  expect(parse({})).toMatchObject({ daytona: null, publicDoor: null });
  const elsewhere = parse({ DAYTONA_API_KEY: "dtn_1", COUNTERSIGN_GATEWAY_URL: "https://gw.example.com" });
  expect(elsewhere.daytona).toMatchObject({
    apiUrl: "https://app.daytona.io/api",
    target: null,
    base: { image: "node:24-bookworm" },
  });
  expect(elsewhere.publicDoor).toEqual({
    url: "https://gw.example.com",
    listen: { host: "0.0.0.0", port: 8443 },
    certificate: null,
  });
  expect(JSON.stringify(elsewhere)).not.toContain("dtn_1");
  expect(gatewayConfiguration(elsewhere)).not.toBe(gatewayConfiguration(parse({})));
});

test("people sign in at the workspace whose API is asked, and the secret does not show", () => {
  const app = {
    ...WORKSPACE,
    SLACK_CLIENT_ID: "1.2",
    SLACK_CLIENT_SECRET: "hush",
    PUBLIC_URL: "https://agents.example.com",
  };
  expect(parse(WORKSPACE).signIn).toBeNull();
  const { signIn } = parse(app);
  expect(signIn).toMatchObject({ clientId: "1.2", issuer: "https://slack.com" });
  expect(JSON.stringify(signIn)).not.toContain("hush");
  expect(parse({ ...app, SLACK_API_URL: "https://slack-gov.com/api/" }).signIn?.issuer).toBe("https://slack-gov.com");
  expect(parse({ ...app, PUBLIC_URL: "http://127.0.0.1:3000" }).signIn?.issuer).toBe("https://slack.com");
});
