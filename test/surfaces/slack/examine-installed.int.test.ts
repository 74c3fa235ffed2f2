import { expect, test } from "vitest";
import { slackAccess } from "#adapters/directory/slack-access.ts";
import { isAllowed } from "#adapters/directory/slack-installations.ts";
import { SealBroken } from "#adapters/secrets/seal.ts";
import { Secret } from "#ports/secret.ts";
import type { InstalledWorkspace } from "#ports/workspaces.ts";
import { examineInstalled } from "#surfaces/slack/examine-installed.ts";
import { scopesNeeded } from "#surfaces/slack/needs.ts";
import { slackSite } from "#test/doubles/slack/site.ts";

/** What doctor says of each workspace, with Slack's own client and the double of Slack's side. */
const APP = { clientId: "1.2", clientSecret: "s", redirectUrl: "https://agents.example.com/slack/oauth_redirect" };
const NOW = new Date("2026-11-24T14:00:00.000Z");
const SCOPES = [...scopesNeeded().keys()];
const site = slackSite({
  ...APP,
  workspaces: [
    ...["T0ACME", "T0BETA", "T0ENDS"].map((id) => ({ id, name: id })),
    { id: "T0GRID", name: "Grid", enterprise: "E0ORG" },
    { id: "T0MOVED", name: "Moved", enterprise: "E0OTHER" },
  ].map((one) => ({ ...one, botUser: "U0AGENT", botId: "B0AGENT" })),
});

async function tokenOf(workspace: string, scopes: readonly string[]): Promise<Secret> {
  const page = `https://slack.test/oauth/v2/authorize?${new URLSearchParams({ client_id: APP.clientId, redirect_uri: APP.redirectUrl, scope: scopes.join(","), state: "s" })}`;
  const code = new URL(site.consent(page, { workspace, scopes })).searchParams.get("code") ?? "";
  const form = { client_id: APP.clientId, client_secret: APP.clientSecret, code, redirect_uri: APP.redirectUrl };
  const answer = await site.fetch("https://slack.test/api/oauth.v2.access", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(form).toString(),
  });
  return new Secret("slack_bot_token", ((await answer.json()) as { access_token: string }).access_token);
}

const installed = (id: string, o: Partial<InstalledWorkspace["tokens"]> = {}): InstalledWorkspace => ({
  ...{ id, name: "Acme", enterprise: null, url: null, botUserId: "U0AGENT", botId: "B0AGENT" },
  ...{ scopes: SCOPES, installedBy: "U0ANA", installedAt: NOW },
  tokens: { keyId: "k", access: id, refresh: "r", expiresAt: null, lost: null, ...o },
});

async function look(workspaces: readonly InstalledWorkspace[], tokens: Readonly<Record<string, Secret>>) {
  const allowed = ["T0ACME", "T0BETA", "T0ENDS", "E0ORG"];
  const found = await examineInstalled({
    workspaces,
    allowed,
    isAllowed: (workspace) => isAllowed(allowed, workspace),
    clientOf: ({ id, tokens: { access } }) => {
      const botToken = tokens[id];
      if (botToken === undefined) throw new SealBroken("unknown_key", `${access} was sealed by the key k`);
      const at = { slackApiUrl: "https://slack.test/api/", fetch: site.fetch };
      return slackAccess({ botToken, ...at, log: () => {} }).reads;
    },
    now: NOW,
    installUrl: "https://agents.example.com/slack/install",
  });
  return { found, ids: found.map(({ level, id }) => `${level} ${id}`) };
}

test("each workspace is named with what it lacks, and those of the list that have not installed the app", async () => {
  const most = SCOPES.filter((scope) => scope !== "users:read");
  const tokens = { T0ACME: await tokenOf("T0ACME", SCOPES), T0BETA: await tokenOf("T0BETA", most) };
  const { found, ids } = await look([installed("T0ACME"), installed("T0BETA")], tokens);
  expect(ids).toEqual([
    "ok slack.workspace.T0ACME",
    "ok slack.scopes.T0ACME",
    "ok slack.workspace.T0BETA",
    "wrong slack.scope.T0BETA.users:read",
    "note slack.workspace.absent.T0ENDS",
  ]);
  expect(found[3]).toMatchObject({ what: expect.stringContaining("missing in Acme (T0BETA)") });
});

test("a workspace that has moved to an organisation off the list is told apart from one that is still in it", async () => {
  const mine = { ...installed("T0GRID"), enterprise: "E0ORG" };
  const [still, moved] = [await tokenOf("T0GRID", SCOPES), await tokenOf("T0MOVED", SCOPES)];
  expect((await look([mine], { T0GRID: still })).ids).toContain("ok slack.workspace.T0GRID");
  const { found } = await look([mine], { T0GRID: moved });
  expect(found[0]).toMatchObject({
    id: "slack.workspace.moved.T0GRID",
    what: expect.stringContaining("in E0OTHER now"),
  });
});

test("tokens that no key opens, that Slack refuses, that ended, that are lost, and strangers are told apart", async () => {
  const refused = new Secret("slack_bot_token", "xoxb-made-up");
  const soon = new Date(NOW.getTime() + 60_000);
  const { found, ids } = await look(
    [
      installed("T0ACME"),
      installed("T0BETA"),
      installed("T0ENDS", { expiresAt: NOW }),
      installed("T0LEFT"),
      { ...installed("T0BETA", { expiresAt: soon, lost: "invalid_refresh_token" }), name: "Beta" },
    ],
    { T0BETA: refused, T0ENDS: refused },
  );
  expect(ids).toEqual([
    "wrong slack.workspace.sealed.T0ACME",
    "wrong slack.workspace.token.T0BETA",
    "note slack.workspace.ended.T0ENDS",
    "ok slack.scopes.T0ENDS",
    "wrong slack.workspace.not_allowed.T0LEFT",
    "wrong slack.workspace.lost.T0BETA",
  ]);
  for (const { level, fix } of found) if (level === "wrong") expect(fix).toMatch(/\.$/);
  expect(JSON.stringify(found)).not.toContain("xoxb");
});
