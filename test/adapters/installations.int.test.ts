import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { memoryInstallations } from "#adapters/directory/memory-installations.ts";
import { slackAccess } from "#adapters/directory/slack-access.ts";
import { slackInstallations } from "#adapters/directory/slack-installations.ts";
import { slackOauth } from "#adapters/directory/slack-oauth.ts";
import { workspaceTokens } from "#adapters/directory/slack-tokens.ts";
import { openSeal } from "#adapters/secrets/seal.ts";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { Secret } from "#ports/secret.ts";
import { type InstallationsBench, installationsContract } from "#test/contracts/installations.ts";
import { house } from "#test/db/house.ts";
import { slackSite } from "#test/doubles/slack/site.ts";

const APP = { clientId: "1.2", clientSecret: "s", redirectUrl: "https://agents.example.com/slack/oauth_redirect" };
const LIST = ["T0ACME", "E0ORG"];

installationsContract("in memory", async () => {
  const installations = memoryInstallations();
  installations.allow(...LIST);
  return { installations, arrange: async (id, word) => installations.say(id, word) };
});

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
});
afterAll(() => database.close());

/** Slack's own client, over the double of Slack's side and a real store. */
async function bench() {
  const { workspaces: store, orgId } = await house(database, `org ${randomBytes(6).toString("hex")}`);
  const bot = { botUser: "U0AGENT", botId: "B0AGENT" };
  const log: string[] = [];
  const say = (message: string, fields = {}) => void log.push(`${message} ${JSON.stringify(fields)}`);
  let time = Date.now();
  const now = () => time;
  const at = { slackApiUrl: "http://slack.test/api/" };
  const sites = [undefined, "E0ORG"].map((enterprise) =>
    slackSite({
      ...APP,
      workspaces: [{ id: "T0ACME", name: "Acme", ...bot, ...(enterprise === undefined ? {} : { enterprise }) }],
      now,
    }),
  );
  let [site] = sites;
  const fetch = (url: string | URL, init?: object) => {
    if (site === undefined) throw new Error("there is no Slack");
    return site.fetch(url, init);
  };
  const oauth = slackOauth({
    ...{ ...APP, ...at, fetch, log: say, site: "http://slack.test" },
    clientSecret: new Secret("slack_client_secret", APP.clientSecret),
  });
  const key = new Secret("tokens_key", randomBytes(32).toString("base64"));
  const tokens = workspaceTokens({ store, seal: openSeal([key]), oauth, orgId, now, log: say });
  const installations = slackInstallations({
    ...{ tokens, allowed: LIST, now },
    clientOf: (id) => slackAccess({ botToken: tokens.of(id), ...at, fetch, log: say }).reads,
  });
  const install = async (which = 0) => {
    site = sites[which];
    const back = new URL(
      site?.consent(oauth.address({ state: "s", scopes: ["chat:write"] }), { workspace: "T0ACME" }) ?? "",
    );
    const grant = await oauth.exchange(back.searchParams.get("code") ?? "");
    const { botUserId, botId, url } = await oauth.identity(grant.access);
    const { scopes, installedBy, enterprise } = grant;
    await tokens.keep({ id: "T0ACME", name: "Acme", enterprise, url, botUserId, botId, scopes, installedBy }, grant);
  };
  return {
    ...{ installations, install, store, tokens, log },
    fail: (...of: Parameters<ReturnType<typeof slackSite>["fail"]>) => site?.fail(...of),
    remove: () => site?.remove("T0ACME"),
    later: (ms: number) => {
      time += ms;
    },
  };
}

async function slackBench(): Promise<InstallationsBench> {
  const { installations, install, store, fail, remove } = await bench();
  return {
    installations,
    async arrange(id, word) {
      if (word === null) return;
      await install(word.kind === "taken" && word.enterprise !== null ? 1 : 0);
      if (word.kind === "gone") {
        remove();
        fail("auth.test", { error: word.why });
      }
      if (word.kind === "unknown" || word.kind === "refused") fail("auth.test", { error: word.why }, 2);
      if (word.kind !== "sealed") return;
      const there = await store.get(id);
      if (there === null) throw new Error("it was just installed");
      await store.put({ ...there, tokens: { ...there.tokens, keyId: "000000000000" } });
    },
  };
}
installationsContract("at Slack", slackBench);

const GONE = ["account_inactive", "token_revoked", "app_uninstalled"];
const NOT_GONE = [
  "not_authed",
  "access_denied",
  "org_login_required",
  "missing_scope",
  "fatal_error",
  "ratelimited",
  "a_new_word",
];

test("Slack's words for an installation that is over are a list, and every other word ends nothing", async () => {
  const { installations, install, fail } = await bench();
  await install();
  for (const error of GONE) {
    fail("auth.test", { error });
    expect(await installations.ask("T0ACME")).toEqual({ kind: "gone", why: error });
  }
  fail("auth.test", { error: "invalid_auth" });
  expect(await installations.ask("T0ACME")).toEqual({ kind: "refused", why: "invalid_auth" });
  for (const error of NOT_GONE) {
    fail("auth.test", { error });
    expect((await installations.ask("T0ACME")).kind, error).toBe("unknown");
  }
  fail("auth.test", { lost: "before" }, 2);
  expect(await installations.ask("T0ACME")).toMatchObject({ kind: "unknown" });
  expect(await installations.ask("T0ACME")).toMatchObject({ kind: "taken" });
});

test("an ended token that Slack refuses to renew says that the installation is over only in the words for that", async () => {
  for (const [error, kind] of [
    ["token_revoked", "gone"],
    ["invalid_refresh_token", "unknown"],
  ] as const) {
    const { installations, install, fail, later, tokens } = await bench();
    await install();
    later(13 * 3_600_000);
    fail("oauth.v2.access", { error });
    await expect(tokens.of("T0ACME").current()).rejects.toThrow("cannot be renewed");
    expect(await installations.ask("T0ACME")).toEqual({ kind, why: error });
  }
});
