import { expect, test } from "vitest";
import { parseConfig } from "#config.ts";

/** What is set where several workspaces install the app. */
const parse = (env: Record<string, string>) => parseConfig(env, "/srv");
const WORKSPACE = { SLACK_BOT_TOKEN: "xoxb-1", SLACK_SIGNING_SECRET: "s" };

const KEY = `${"A".repeat(43)}=`;
const SEVERAL = {
  SLACK_CLIENT_ID: "1.2",
  SLACK_CLIENT_SECRET: "client-hush",
  SLACK_SIGNING_SECRET: "signing-hush",
  COUNTERSIGN_SLACK_WORKSPACES: "T0ACME, T0BETA, E0ORG",
  COUNTERSIGN_TOKENS_KEY: KEY,
  PUBLIC_URL: "https://agents.example.com",
};
const without = (...names: string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(SEVERAL).filter(([name]) => !names.includes(name)));

const REFUSED: Record<string, [Record<string, string>, RegExp]> = {
  "a key for the tokens of several workspaces is not beside the token of one": [
    { ...SEVERAL, SLACK_BOT_TOKEN: "xoxb-1" },
    /^SLACK_BOT_TOKEN is of one workspace, and COUNTERSIGN_SLACK_WORKSPACES is for .*unset one/,
  ],
  "what several workspaces need and is missing is named at once": [
    { COUNTERSIGN_TOKENS_KEY: KEY },
    /^COUNTERSIGN_TOKENS_KEY is for .* needs SLACK_CLIENT_ID, SLACK_CLIENT_SECRET, COUNTERSIGN_SLACK_WORKSPACES, SLACK_APP_TOKEN or SLACK_SIGNING_SECRET too; for one workspace set SLACK_BOT_TOKEN/,
  ],
  "a list of workspaces alone needs a key": [
    without("COUNTERSIGN_TOKENS_KEY"),
    /^COUNTERSIGN_SLACK_WORKSPACES is .* needs COUNTERSIGN_TOKENS_KEY \(`openssl rand -base64 32`\) too/,
  ],
  "a key without a list lets nobody install": [
    without("COUNTERSIGN_SLACK_WORKSPACES"),
    /needs COUNTERSIGN_SLACK_WORKSPACES too/,
  ],
  "an old key alone is no key": [
    { ...without("COUNTERSIGN_TOKENS_KEY", "COUNTERSIGN_SLACK_WORKSPACES"), COUNTERSIGN_TOKENS_KEY_OLD: KEY },
    /^COUNTERSIGN_TOKENS_KEY_OLD is .* needs COUNTERSIGN_SLACK_WORKSPACES, COUNTERSIGN_TOKENS_KEY/,
  ],
  "several workspaces are heard in no other way than one is": [
    without("SLACK_SIGNING_SECRET"),
    /needs SLACK_APP_TOKEN or SLACK_SIGNING_SECRET too/,
  ],
  "half of what installs is told both ways": [
    without("COUNTERSIGN_TOKENS_KEY", "COUNTERSIGN_SLACK_WORKSPACES"),
    /^SLACK_CLIENT_ID needs SLACK_BOT_TOKEN, or, .*COUNTERSIGN_SLACK_WORKSPACES and COUNTERSIGN_TOKENS_KEY$/,
  ],
  "an installation comes back to an address": [without("PUBLIC_URL"), /^SLACK_CLIENT_ID needs PUBLIC_URL/],
  "an installation comes back over https": [
    { ...SEVERAL, PUBLIC_URL: "http://agents.example.com" },
    /needs an https:\/\/ PUBLIC_URL/,
  ],
  "a key of another length is refused without being shown": [
    { ...SEVERAL, COUNTERSIGN_TOKENS_KEY: "c2hvcnQ=" },
    /: COUNTERSIGN_TOKENS_KEY is not 32 bytes in base64: make one with `openssl rand -base64 32`$/,
  ],
  "so is an old one": [
    { ...SEVERAL, COUNTERSIGN_TOKENS_KEY_OLD: `${KEY},short` },
    /: COUNTERSIGN_TOKENS_KEY_OLD is not 32 bytes in base64/,
  ],
  "a workspace is named by its id": [
    { ...SEVERAL, COUNTERSIGN_SLACK_WORKSPACES: "acme.slack.com" },
    /COUNTERSIGN_SLACK_WORKSPACES is not a list of ids such as T0ACME/,
  ],
  "the policy's owners are in a workspace": [
    { ...SEVERAL, COUNTERSIGN_SLACK_WORKSPACES: "E0ORG,T0ACME" },
    /^COUNTERSIGN_SLACK_WORKSPACES begins with E0ORG: the first is the workspace of the policy's owners/,
  ],
  "tickets are answered in one workspace": [
    { ...SEVERAL, LINEAR_ACCESS_TOKEN: "lin_1", LINEAR_WEBHOOK_SECRET: "hook" },
    /^Linear's tickets are answered in one workspace: set SLACK_BOT_TOKEN/,
  ],
};
for (const [sentence, [env, message]] of Object.entries(REFUSED)) {
  test(sentence, () => expect(() => parse(env)).toThrow(message));
}

test("several workspaces install the app where no bot token says which one, and nothing of it shows", () => {
  const { slack, signIn } = parse({ ...SEVERAL, COUNTERSIGN_TOKENS_KEY_OLD: `${KEY},${KEY}` });
  expect(slack).toMatchObject({
    botToken: null,
    intake: { by: "http" },
    installs: { allowed: ["T0ACME", "T0BETA", "E0ORG"], home: "T0ACME", site: "https://slack.com" },
  });
  expect(slack?.installs?.keys).toHaveLength(3);
  expect(signIn).toMatchObject({ clientId: "1.2" });
  expect(JSON.stringify(slack)).not.toMatch(/hush|AAAA/);
  const gov = parse({ ...SEVERAL, SLACK_API_URL: "https://slack-gov.com/api" }).slack;
  expect(gov).toMatchObject({ apiUrl: "https://slack-gov.com/api/", installs: { site: "https://slack-gov.com" } });
  expect(parse(WORKSPACE).slack).toMatchObject({ installs: null });
});
