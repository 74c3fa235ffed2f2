import { expect, test } from "vitest";
import { hostInUrl, parseConfig } from "#config.ts";
import { gatewayConfiguration } from "#gateway-role.ts";

const parse = (env: Record<string, string>) => parseConfig(env, "/srv");

test("a gateway that was started with another model key is another gateway", () => {
  const [old, rotated] = ["sk-one", "sk-two"].map((OPENAI_API_KEY) => gatewayConfiguration(parse({ OPENAI_API_KEY })));
  expect(old).not.toBe(rotated);
  expect(gatewayConfiguration(parse({ OPENAI_API_KEY: "sk-one" }))).toBe(old);
});

const REFUSED: Record<string, [Record<string, string>, RegExp]> = {
  "the local Slack page has no public address": [{ PUBLIC_URL: "https://agents.example.com" }, /PUBLIC_URL needs/],
  "the local Slack page does not listen for others": [{ HOST: "10.1.2.3" }, /HOST=10\.1\.2\.3/],
  "a name that begins like loopback is not loopback": [{ HOST: "127.example.com" }, /HOST=127\.example\.com/],
  "real credentials are refused beside the local Slack page, where one person acts as everybody": [
    { LINEAR_API_KEY: "lin_1", GITHUB_APP_ID: "7" },
    /^GITHUB_APP_ID, LINEAR_API_KEY: .*the local Slack page.*Unset them, or set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET/,
  ],
  "the local Slack page does not listen on every address": [{ HOST: "0.0.0.0" }, /HOST=0\.0\.0\.0/],
  "the local Slack page does not listen on every address of the newer kind": [{ HOST: "::" }, /HOST=::/],
};
for (const [sentence, [env, message]] of Object.entries(REFUSED)) {
  test(sentence, () => expect(() => parse(env)).toThrow(message));
}

const slack = { SLACK_BOT_TOKEN: "xoxb-1", SLACK_SIGNING_SECRET: "s" };

test("real credentials are no obstacle to a real workspace, and an empty one is none", () => {
  expect(parse({ ...slack, LINEAR_API_KEY: "lin_1" }).slack).not.toBeNull();
  expect(parse({ LINEAR_API_KEY: "" }).slack).toBeNull();
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
