import { expect, test } from "vitest";
import { parseConfig } from "#config.ts";
import { configuredSecrets, openLog } from "#log.ts";
import { redactor } from "#runs/redact.ts";

const written = (known: Record<string, string>) => {
  const lines: string[] = [];
  const redact = redactor(Object.entries(known).map(([name, value]) => ({ name, value })));
  return { lines, log: openLog({ level: "info", redact, out: { write: (line) => lines.push(line) } }) };
};

test("a secret in a line of the log is masked, in its words and in its fields, and the line stays JSON", () => {
  const { lines, log } = written({ slack_bot_token: "no-shape-of-its-own" });
  log("Slack refused no-shape-of-its-own", { sent: { headers: ["Bearer no-shape-of-its-own"] }, level: "error" });
  expect(lines).toHaveLength(1);
  expect(lines.join("")).not.toContain("no-shape");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    msg: "Slack refused [secret slack_bot_token]",
    sent: { headers: ["Bearer [secret slack_bot_token]"] },
  });
});

test("a secret that JSON writes in another way is masked too", () => {
  const value = 'first line\nsecond "line" \\ end';
  const { lines, log } = written({ private_key: value });
  log("it broke", { error: `cannot read ${value}` });
  expect(lines.join("")).not.toMatch(/first line|second/);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ error: "cannot read [secret private_key]" });
});

test("a token that nobody knew is masked by its shape", () => {
  const { lines, log } = written({});
  log("Slack gave xoxb-1234567890-abcdef, and xoxe-1-0123456789abcdef");
  expect(lines.join("")).not.toMatch(/1234567890|0123456789/);
});

test("what is below the level is not written", () => {
  const lines: string[] = [];
  const log = openLog({ level: "warn", redact: redactor([]), out: { write: (line) => lines.push(line) } });
  log("nothing of note");
  expect(lines).toEqual([]);
});

const KEY = `${"A".repeat(42)}E=`;
/** Each value that is nobody's to read says so; some exclude each other. */
const SETTINGS: readonly Readonly<Record<string, string>>[] = [
  {
    ...{ SLACK_BOT_TOKEN: "hush-bot", SLACK_APP_TOKEN: "hush-app", SLACK_SIGNING_SECRET: "hush-signing" },
    ...{ OPENAI_API_KEY: "hush-openai", ANTHROPIC_API_KEY: "hush-anthropic", DAYTONA_API_KEY: "hush-daytona" },
    ...{ COUNTERSIGN_GITHUB_TOKEN: "hush-github", COUNTERSIGN_SECRET_CMS_READ: "hush-cms" },
    ...{ GITHUB_APP_ID: "1", GITHUB_APP_PRIVATE_KEY: "hush-key", GITHUB_WEBHOOK_SECRET: "hush-hook" },
    ...{ GITHUB_APP_CLIENT_ID: "Iv1", GITHUB_APP_CLIENT_SECRET: "hush-app-client" },
    ...{ LINEAR_ACCESS_TOKEN: "hush-linear", LINEAR_WEBHOOK_SECRET: "hush-linear-hook" },
    ...{ PUBLIC_URL: "https://agents.example.com", DATABASE_URL: "postgres://app:secret-of-db@db.example.com/app" },
  },
  {
    ...{ SLACK_CLIENT_ID: "1.2", SLACK_CLIENT_SECRET: "hush-client", SLACK_SIGNING_SECRET: "hush-signing" },
    ...{
      COUNTERSIGN_SLACK_WORKSPACES: "T0ACME",
      COUNTERSIGN_TOKENS_KEY: KEY,
      PUBLIC_URL: "https://agents.example.com",
    },
    ...{ COUNTERSIGN_TOKENS_KEY_OLD: KEY.replace("E=", "I="), DATABASE_URL: "postgres://app:postgres@db/app" },
  },
];
for (const [n, env] of SETTINGS.entries()) {
  test(`every secret that configuration brings is known, ${n === 0 ? "with one workspace" : "with several"}`, () => {
    const known = configuredSecrets(parseConfig(env, "/srv"), null).map((secret) => secret.reveal());
    const hidden = Object.values(env).flatMap(
      (value) => /hush[\w%-]+/.exec(value)?.[0] ?? (/^A{42}/.test(value) ? value : []),
    );
    expect(hidden.length).toBeGreaterThan(3);
    expect(known).toEqual(expect.arrayContaining(hidden));
    // A password may be a word that is in every record: it is one beside its user alone.
    expect(known).toContain(n === 0 ? "app:secret-of-db@" : "app:postgres@");
    expect(known).not.toContain("postgres");
  });
}
