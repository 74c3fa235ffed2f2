import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { parse } from "yaml";
import {
  APP_METHODS,
  EVENTS,
  FEATURES,
  METHODS,
  OAUTH_METHODS,
  OWNER_METHODS,
  scopesNeeded,
} from "#surfaces/slack/needs.ts";

/** docs/slack-manifest.yaml, the code and Slack's own types say the same. */
const root = path.resolve(import.meta.dirname, "..", "..", "..");
const read = (file: string) => readFileSync(path.join(root, file), "utf8");

interface Manifest {
  readonly features: { readonly slash_commands: readonly object[]; readonly app_home: object };
  readonly oauth_config: { readonly scopes: { readonly bot: readonly string[] } };
  readonly settings: {
    readonly event_subscriptions: { readonly bot_events: readonly string[] };
    readonly interactivity: { readonly is_enabled: boolean };
    readonly socket_mode_enabled: boolean;
  };
}
const manifest = parse(read("docs/slack-manifest.yaml")) as Manifest;

/** What Slack has and the manifest's types of @slack/web-api 8.2 have not yet; its other types and its reference do. */
const NOT_TYPED_YET = ["assistant:write", "agent_session_stopped"];

const sources = (folder: string): string[] =>
  readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));

/** Every file of ours that holds one of Slack's clients. */
const code = [...sources("src/surfaces/slack"), ...sources("src/adapters/directory")].map(read).join("\n");

test("the manifest fits Slack's types, but for what they do not have yet", () => {
  const ajv = new Ajv({ strict: false, allErrors: true, verbose: true });
  const check = ajv.compile(JSON.parse(read("test/fixtures/slack/manifest.schema.json")) as object);
  check(manifest);
  expect((check.errors ?? []).map(({ data }) => data).sort()).toEqual([...NOT_TYPED_YET].sort());
});

test("the schema of a manifest refuses a misspelt key and an unknown event", () => {
  const check = new Ajv({ strict: false }).compile(
    JSON.parse(read("test/fixtures/slack/manifest.schema.json")) as object,
  );
  const display_information = { name: "agent" };
  expect(check({ display_information })).toBe(true);
  expect(check({ display_information, settings: { socket_mode: true } })).toBe(false);
  expect(check({ display_information, settings: { event_subscriptions: { bot_events: ["app_mentioned"] } } })).toBe(
    false,
  );
});

test("the table of methods is what the code calls", () => {
  const families = "agents|apps|assistant|auth|bots|chat|conversations|oauth|reactions|usergroups|users|views";
  const called = [
    ...code.matchAll(
      new RegExp(`(?:\\b(?:anonymous|bot|client|urgent|progress|reads)|\\))\\.((?:${families})\\.[A-Za-z0-9.]+)`, "g"),
    ),
  ]
    .map((match) => match[1])
    .filter((name) => name !== undefined);
  expect([...new Set(called)].sort()).toEqual(
    [METHODS, APP_METHODS, OAUTH_METHODS, OWNER_METHODS].flatMap((table) => Object.keys(table)).sort(),
  );
});

test("the table of events is what the code listens for", () => {
  const heard = [...code.matchAll(/\bapp\.event\("([a-z_]+)"/g)].map((match) => match[1]);
  const told = Object.keys(EVENTS).map((event) => event.replace(/\..*$/, ""));
  expect([...new Set(heard)].sort()).toEqual([...new Set(told)].sort());
});

test("the manifest asks for the scopes that the code needs, and for no other", () => {
  expect(manifest.oauth_config.scopes.bot).toEqual([...scopesNeeded().keys()]);
});

test("the manifest subscribes to the events that the code hears, and to no other", () => {
  expect(manifest.settings.event_subscriptions.bot_events).toEqual(Object.keys(EVENTS).sort());
});

test.each(Object.keys(FEATURES))("the manifest has %s, which doctor names by that key", (key) => {
  const at = key.split(".").reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], manifest);
  expect(at).toBeTruthy();
});

test("the manifest turns on what the code answers: commands, clicks, Home, direct messages, Socket Mode", () => {
  expect(manifest.features.slash_commands).toMatchObject([{ command: "/agent", should_escape: true }]);
  expect(manifest.features.app_home).toEqual({
    home_tab_enabled: true,
    messages_tab_enabled: true,
    messages_tab_read_only_enabled: false,
  });
  expect(manifest.settings).toMatchObject({ interactivity: { is_enabled: true }, socket_mode_enabled: true });
});
