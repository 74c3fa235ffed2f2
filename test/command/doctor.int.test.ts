import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { doctorCommand, type Examination, fine, wrong } from "#command/doctor.ts";
import { examinationsOf } from "#doctor.ts";
import { playgroundSeed, repositoryChannel } from "#playground/seed.ts";
import type { JsonObject } from "#playground/slack/world.ts";
import { EVENTS, FEATURES, scopesNeeded } from "#surfaces/slack/needs.ts";
import { command } from "#test/command.ts";
import { APP_TOKEN, openStage, type Stage } from "#test/playground/stage.ts";

/** Against a workspace whose app lacks what each test takes away. */
let stage: Stage;
let folder = "";
const root = path.resolve(import.meta.dirname, "../..");
/** What the app's settings are now, as Slack exports them; those of the documentation at first. */
const whole = () => parse(readFileSync(path.join(root, "docs/slack-manifest.yaml"), "utf8")) as Manifest;
let manifest = whole();
let endsAt = Number.POSITIVE_INFINITY;
const CONFIG = { SLACK_CONFIG_TOKEN: "xoxe.xoxp-1-for-tests" };
const SIGNING = "0123456789abcdef0123456789abcdef";
beforeAll(async () => {
  const away = repositoryChannel({ id: "C0AWAY", name: "away", topic: "The bot was not invited." });
  stage = await openStage({
    over: "socket",
    eventsUrl: "http://127.0.0.1:1/unused",
    seed: playgroundSeed([{ ...away, members: ["U0ANA"] }]),
    settings: {
      token: CONFIG.SLACK_CONFIG_TOKEN,
      endsAt: () => endsAt,
      manifest: () => manifest as unknown as JsonObject,
    },
  });
  folder = mkdtempSync(path.join(tmpdir(), "countersign-doctor-"));
  const policies = path.join(folder, "policies");
  cpSync(path.join(root, "policies"), policies, { recursive: true });
  const org = path.join(policies, "org.yaml");
  const text = readFileSync(org, "utf8")
    .replace("C0SHOP: shop,", "C0SHOP: shop, C0AWAY: shop, C0GONE: shop,")
    .replace("groups:\n", "groups:\n  ghosts: { slack_usergroup: S0GHOSTS }\n");
  writeFileSync(org, text);
});
afterAll(async () => {
  await stage.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Manifest {
  features: Record<string, unknown> & {
    app_home: Record<string, unknown>;
    slash_commands: { command: string; url?: string }[];
  };
  oauth_config: { redirect_urls?: string[] };
  settings: {
    socket_mode_enabled: boolean;
    event_subscriptions: { bot_events: string[]; request_url?: string };
    interactivity: { is_enabled: boolean; request_url?: string };
  };
}

interface Report {
  readonly ok: boolean;
  readonly examined: readonly {
    readonly of: string;
    readonly findings: readonly {
      readonly level: string;
      readonly id: string;
      readonly what: string;
      readonly fix: string | null;
    }[];
  }[];
}

const settings = (env: Readonly<Record<string, string>>) => ({
  COUNTERSIGN_DATA: path.join(folder, "data"),
  COUNTERSIGN_POLICIES: path.join(folder, "policies"),
  SLACK_BOT_TOKEN: "xoxb-for-tests",
  SLACK_APP_TOKEN: APP_TOKEN,
  SLACK_API_URL: `${stage.url}/slack-api/`,
  ...env,
});

/** The same as the command does, in this process. */
async function doctor(env: Readonly<Record<string, string>> = {}) {
  const said: string[] = [];
  const examinations = examinationsOf(settings(env), folder);
  const code = await doctorCommand(["--json"], { examinations, out: (text) => said.push(text) });
  return { code, ...read(said.join("")) };
}

function read(said: string) {
  const report = JSON.parse(said) as Report;
  const slack = report.examined.find(({ of }) => of === "Slack")?.findings ?? [];
  const wrongs = slack.filter(({ level }) => level === "wrong");
  return { report, slack, wrongs, ids: wrongs.map(({ id }) => id) };
}
const withhold = (missing: readonly string[]) => stage.control("scopes", { missing });

test("it names routed channels and groups that are not there, each with its place and fix", async () => {
  await withhold([]);
  const run = command(["doctor", "--json"], settings({}));
  expect(await run.ended).toBe(1);
  const { slack, wrongs, ids } = read(run.words());
  expect(ids.sort()).toEqual([
    "slack.channel.gone.C0GONE",
    "slack.channel.gone.C0YOURS",
    "slack.channel.not_member.C0AWAY",
    "slack.usergroup.gone.S0GHOSTS",
  ]);
  expect(wrongs.find(({ id }) => id.includes("C0AWAY"))).toMatchObject({
    what: expect.stringMatching(/#away \(C0AWAY\) \(org\.yaml:\d+:\d+\)/),
    fix: 'Type "/invite @agent" in it.',
  });
  expect(slack.map(({ id }) => id)).toEqual(
    expect.arrayContaining(["slack.scopes", "slack.app_token", "slack.channel.C0SHOP", "slack.usergroup.S0LEADS"]),
  );
});

test.each([...scopesNeeded().keys()])(
  "it names the missing scope %s and what does not work without it",
  async (scope) => {
    await withhold([scope]);
    const { code, wrongs } = await doctor();
    await withhold([]);
    expect(code).toBe(1);
    expect(wrongs.find(({ id }) => id === `slack.scope.${scope}`)).toMatchObject({
      what: expect.stringMatching(new RegExp(`^The bot scope ${scope} is missing, so \\S`)),
      fix: expect.stringContaining("Bot Token Scopes"),
    });
  },
);

test.each([
  ["a user token for the bot's", { SLACK_BOT_TOKEN: "xoxp-1" }, "slack.bot_token.kind", "that is a user token"],
  [
    "a token that is rotated",
    { SLACK_BOT_TOKEN: "xoxe.xoxb-1" },
    "slack.bot_token.kind",
    "that is a token that is rotated",
  ],
  ["a bot token that Slack refuses", { SLACK_BOT_TOKEN: "xoxb-wrong" }, "slack.bot_token", "invalid_auth"],
  ["a bot token for the app's", { SLACK_APP_TOKEN: "xoxb-for-tests" }, "slack.app_token.kind", "that is a bot token"],
  ["an app token that Slack refuses", { SLACK_APP_TOKEN: "xapp-wrong" }, "slack.app_token", "invalid_auth"],
])("it tells %s", async (_what, env, id, says) => {
  const { wrongs, report } = await doctor(env);
  expect(wrongs.find((one) => one.id === id)?.what).toContain(says);
  // What it says of a token is how it begins, and no more.
  expect(JSON.stringify(report)).not.toMatch(/xoxb-for-tests|xapp-for-tests|xoxb-wrong|xapp-wrong|xoxe\.xoxb/);
});

describe("over HTTP", () => {
  const http = { SLACK_APP_TOKEN: "", SLACK_SIGNING_SECRET: SIGNING, PUBLIC_URL: "https://agents.example.com" };
  test("it tells a signing secret that has not the form of one, and a missing address", async () => {
    expect((await doctor(http)).ids.filter((id) => /signing|public/.test(id))).toEqual([]);
    const bad = await doctor({ ...http, SLACK_SIGNING_SECRET: "xoxb-mistaken", PUBLIC_URL: "" });
    expect(bad.ids.filter((id) => /signing|public/.test(id))).toEqual(["slack.signing_secret", "slack.public_url"]);
    expect(JSON.stringify(bad.report)).not.toContain("xoxb-mistaken");
  });
});

describe("what no token can see", () => {
  const found = async (env: Readonly<Record<string, string>>, id: string) =>
    (await doctor(env)).slack.find((one) => one.id === id);
  const lines = async (env: Readonly<Record<string, string>>) =>
    ((await found(env, "slack.events"))?.fix ?? "").split("\n").slice(1);
  const app = { SLACK_CLIENT_ID: "1.2", SLACK_CLIENT_SECRET: "hush", PUBLIC_URL: "https://agents.example.com" };
  const several = {
    ...app,
    SLACK_BOT_TOKEN: "",
    COUNTERSIGN_SLACK_WORKSPACES: "T0ACME",
    COUNTERSIGN_TOKENS_KEY: Buffer.alloc(32, 7).toString("base64"),
  };
  const SETTINGS = [...Object.entries(EVENTS), ...Object.entries(FEATURES)];
  const told = ([, need]: (typeof SETTINGS)[number]) => expect.stringContaining(`: without it ${need.for}.`);

  test.each([
    ["with a bot token", {}],
    ["where several workspaces install the app", several],
    ["with a bot token that Slack refuses", { SLACK_BOT_TOKEN: "xoxb-wrong" }],
  ])("%s every event and feature is named with what fails without it", async (_what, env) => {
    expect(await found(env, "slack.events")).toMatchObject({ level: "note" });
    const said = await lines(env);
    expect(said.slice(0, SETTINGS.length)).toEqual(SETTINGS.map(told));
    for (const [n, [name]] of SETTINGS.entries()) expect(said[n]).toContain(name);
  });

  test("the addresses that Slack has to know are those of this installation, and no others", async () => {
    const addresses = async (env: Readonly<Record<string, string>>) =>
      (await lines(env)).slice(SETTINGS.length).map((line) => line.split(": without it")[0]);
    const at = "https://agents.example.com";
    const home = "features.app_home.messages_tab_read_only_enabled: false";
    const socket = [home, "settings.socket_mode_enabled: true"];
    expect(await addresses({})).toEqual(socket);
    expect(await addresses(app)).toEqual([...socket, `oauth_config.redirect_urls, ${at}/signin/slack`]);
    expect(await addresses(several)).toEqual([
      ...socket,
      `oauth_config.redirect_urls, ${at}/signin/slack`,
      `oauth_config.redirect_urls, ${at}/slack/oauth_redirect`,
      "Manage Distribution, a page of its own: public distribution",
    ]);
    expect(await addresses({ SLACK_APP_TOKEN: "", SLACK_SIGNING_SECRET: SIGNING, PUBLIC_URL: at })).toEqual([
      home,
      "settings.socket_mode_enabled: false",
      `settings.event_subscriptions.request_url, ${at}/slack/events`,
      `settings.interactivity.request_url, ${at}/slack/interactivity`,
      `features.slash_commands, url ${at}/slack/commands`,
    ]);
  });

  test("that the start link shows every run is said where nobody signs in, and only there", async () => {
    expect(await found({}, "slack.sign_in")).toEqual({
      level: "note",
      id: "slack.sign_in",
      what: expect.stringContaining("shows every run of every channel to whoever holds it"),
      fix: expect.stringMatching(/^Set SLACK_CLIENT_ID and SLACK_CLIENT_SECRET .* PUBLIC_URL\/signin\/slack /),
    });
    expect(await found(app, "slack.sign_in")).toMatchObject({ level: "ok", fix: null });
    expect(await found(several, "slack.sign_in")).toMatchObject({ level: "ok", fix: null });
    const report = await doctor(app);
    expect(JSON.stringify(report)).not.toContain("hush");
  });
});

describe("with the token of whoever made the app", () => {
  afterEach(() => {
    manifest = whole();
    endsAt = Number.POSITIVE_INFINITY;
  });
  /** What is said of the app's settings, and whether it says that something is wrong. */
  async function settingsFound(env: Readonly<Record<string, string>> = {}) {
    const { slack, code, report } = await doctor({ ...CONFIG, ...env });
    expect(JSON.stringify(report)).not.toContain(CONFIG.SLACK_CONFIG_TOKEN);
    return { code, of: slack.filter(({ id }) => /^slack\.(event|setting|config_token|app_id)/.test(id)) };
  }
  const without = (key: string): Manifest => {
    const made = whole();
    const [last = "", ...path] = key.split(".").reverse();
    const at = path.reverse().reduce<Record<string, unknown>>((part, name) => part[name] as typeof part, made as never);
    delete at[last];
    return made;
  };

  test("settings like those of the documentation have all that is needed", async () => {
    expect((await settingsFound()).of).toEqual([
      { level: "ok", id: "slack.events", what: expect.stringContaining("each of the 15 events"), fix: null },
    ]);
  });

  test.each(Object.entries(EVENTS))(
    "the missing event %s is named, with what fails and its fix",
    async (event, need) => {
      const all = manifest.settings.event_subscriptions.bot_events;
      manifest.settings.event_subscriptions.bot_events = all.filter((one) => one !== event);
      const { of, code } = await settingsFound();
      expect(of).toEqual([
        {
          level: "wrong",
          id: `slack.event.${event}`,
          what: `The app's settings lack settings.event_subscriptions.bot_events, ${event}; without it ${need.for}.`,
          fix: expect.stringContaining("docs/slack-manifest.yaml"),
        },
      ]);
      expect(code).toBe(1);
    },
  );

  test.each(Object.entries(FEATURES))("the missing feature %s is named", async (feature, need) => {
    manifest = without(feature);
    expect((await settingsFound()).of).toMatchObject([
      { level: "wrong", id: `slack.setting.${feature}`, what: expect.stringContaining(need.for) },
    ]);
  });

  test("a command of another name, a Home that nobody can write in and no Socket Mode are named", async () => {
    manifest.features.slash_commands = [{ command: "/other" }];
    manifest.features.app_home.messages_tab_read_only_enabled = true;
    manifest.settings.socket_mode_enabled = false;
    expect((await settingsFound()).of.map(({ id }) => id)).toEqual([
      "slack.setting.features.slash_commands",
      "slack.setting.features.app_home.messages_tab_read_only_enabled",
      "slack.setting.settings.socket_mode_enabled",
    ]);
  });

  test("each address that Slack has to know is compared, over HTTP and where people sign in", async () => {
    const at = "https://agents.example.com";
    const http = { SLACK_APP_TOKEN: "", SLACK_SIGNING_SECRET: SIGNING, PUBLIC_URL: at };
    const env = { ...http, SLACK_CLIENT_ID: "1.2", SLACK_CLIENT_SECRET: "hush" };
    expect((await settingsFound(env)).of.map(({ id }) => id)).toEqual([
      "slack.setting.settings.socket_mode_enabled",
      "slack.setting.settings.event_subscriptions.request_url",
      "slack.setting.settings.interactivity.request_url",
      "slack.setting.features.slash_commands.url",
      "slack.setting.oauth_config.redirect_urls/signin/slack",
    ]);
    manifest.settings.socket_mode_enabled = false;
    manifest.settings.event_subscriptions.request_url = `${at}/slack/events`;
    manifest.settings.interactivity.request_url = `${at}/slack/interactivity`;
    manifest.features.slash_commands = [{ command: "/agent", url: `${at}/slack/commands` }];
    for (const redirect of [`${at}/signin/slack`, `${at}/signin`, at]) {
      manifest.oauth_config.redirect_urls = [redirect];
      expect((await settingsFound(env)).of.map(({ level }) => level)).toEqual(["ok"]);
    }
    manifest.oauth_config.redirect_urls = [`${at}/sign`];
    expect((await settingsFound(env)).of.map(({ level }) => level)).toEqual(["wrong"]);
  });

  test("what no manifest shows is still for a person to see", async () => {
    const several = {
      ...{ SLACK_CLIENT_ID: "1.2", SLACK_CLIENT_SECRET: "hush", PUBLIC_URL: "https://agents.example.com" },
      ...{ SLACK_BOT_TOKEN: "", COUNTERSIGN_SLACK_WORKSPACES: "T0ACME" },
      COUNTERSIGN_TOKENS_KEY: Buffer.alloc(32, 7).toString("base64"),
    };
    const { of } = await settingsFound({ ...several, SLACK_APP_ID: "A0AGENT" });
    expect(of.at(-1)).toMatchObject({ level: "note", what: expect.stringContaining("Manage Distribution") });
    expect((await settingsFound(several)).of[0]).toMatchObject({
      ...{ level: "wrong", id: "slack.app_id" },
      fix: expect.stringContaining("SLACK_APP_ID"),
    });
  });

  test("a token that has ended, is another or may not see the app is said, with all there is to look for", async () => {
    const said = async (env: Readonly<Record<string, string>>) => {
      const { of, code } = await settingsFound(env);
      expect([code, of[1]?.id, of[1]?.fix?.split("\n").length]).toEqual([1, "slack.events", 16]);
      return of[0];
    };
    expect(await said({ SLACK_CONFIG_TOKEN: "xoxe-1-refresh" })).toMatchObject({ id: "slack.config_token.kind" });
    expect(await said({ SLACK_CONFIG_TOKEN: "xoxe.xoxp-other" })).toMatchObject({
      ...{ id: "slack.config_token", what: expect.stringContaining("invalid_auth") },
      fix: expect.stringContaining("Your App Configuration Tokens"),
    });
    expect(await said({ SLACK_APP_ID: "A0OTHER" })).toMatchObject({
      ...{ id: "slack.config_token.app", what: expect.stringContaining("A0OTHER: app_not_found") },
    });
    await withhold(["users:read"]);
    expect(await said({})).toMatchObject({ id: "slack.app_id", what: expect.stringContaining("missing_scope") });
    await withhold([]);
    endsAt = 0;
    expect(await said({})).toMatchObject({ id: "slack.config_token", what: expect.stringContaining("twelve hours") });
  });
});

test("settings that cannot be read are one finding, and nothing else is looked at", async () => {
  const { code, report } = await doctor({ SLACK_APP_TOKEN: "" });
  expect(code).toBe(1);
  expect(report.examined.map(({ of }) => of)).toEqual(["Settings"]);
  expect(report.examined[0]?.findings[0]?.what).toContain("SLACK_BOT_TOKEN alone hears nothing");
});

test("a database that is down and a policy that does not load are found without starting anything", async () => {
  const { report } = await doctor({
    DATABASE_URL: "postgres://u:s3cret@127.0.0.1:1/x",
    COUNTERSIGN_POLICIES: path.join(folder, "nowhere"),
  });
  const of = (name: string) => report.examined.find((one) => one.of === name)?.findings[0];
  expect(of("Database")).toMatchObject({ level: "wrong", what: expect.stringContaining("does not let us in") });
  expect(of("Policy")).toMatchObject({ level: "wrong", id: "policy.folder" });
  expect(JSON.stringify(report)).not.toContain("s3cret");
});

test("a policy folder that is no checkout is a note, with the line that keeps runs out of its repository, until it has one", async () => {
  const policies = path.join(folder, "unnamed");
  cpSync(path.join(folder, "policies"), policies, { recursive: true });
  const org = path.join(policies, "org.yaml");
  const text = readFileSync(org, "utf8");
  const findings = async () => {
    const { report } = await doctor({ COUNTERSIGN_POLICIES: policies });
    return report.examined.find(({ of }) => of === "Policy")?.findings.map(({ level, id, fix }) => [level, id, fix]);
  };
  expect(await findings()).toEqual([["ok", "policy", null]]);
  writeFileSync(org, text.replace("- deny: { git.repo: acme/policies }", "- deny: { git.path: secret }"));
  expect(await findings()).toEqual([
    ["ok", "policy", null],
    ["note", "policy.repository", 'add "- deny: { git.repo: OWNER/NAME }" under "always", with its name.'],
  ]);
});

test("without any setting nothing is wrong, and it says so in words", async () => {
  const run = command(["doctor"], { COUNTERSIGN_DATA: path.join(folder, "fresh") });
  const code = await run.ended;
  expect(run.words()).toMatch(/Slack\n {2}note {3}No Slack workspace/);
  expect(run.words()).toContain("Nothing is wrong");
  expect(code).toBe(0);
});

test("what an examination throws is a finding, and the next ones are made", async () => {
  const said: string[] = [];
  const examinations: Examination[] = [
    { of: "First", look: () => Promise.reject(new Error("it is not there")) },
    { of: "Second", look: async () => [fine("second", "All is well."), wrong("third", "One is not.", "Mend it.")] },
  ];
  expect(await doctorCommand([], { examinations, out: (text) => said.push(text) })).toBe(1);
  expect(said.join()).toMatch(
    /WRONG {2}it is not there[\s\S]*ok {5}All is well\.[\s\S]*-> Mend it\.[\s\S]*2 things are wrong\./,
  );
});
