import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { slackInstaller } from "#adapters/directory/slack-installer.ts";
import { slackOauth } from "#adapters/directory/slack-oauth.ts";
import { workspaceTokens } from "#adapters/directory/slack-tokens.ts";
import { openSeal } from "#adapters/secrets/seal.ts";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { Secret } from "#ports/secret.ts";
import { INSTALLED_AT, installRoutes } from "#surfaces/slack/install.ts";
import { scopesNeeded } from "#surfaces/slack/needs.ts";
import { startGate } from "#surfaces/web/gate.ts";
import { type House, house } from "#test/db/house.ts";
import { type SlackSite, slackSite } from "#test/doubles/slack/site.ts";

/** Installing by the link: our routes, a real store, Slack's own client, and the double of Slack's side. */
const HOME = "https://agents.example.com";
const START = "start-token";
const APP = { clientId: "1.2", clientSecret: "client-secret", redirectUrl: `${HOME}${INSTALLED_AT}` };
const ORG = "E0ORG";

let database: Database;
let kept: House;
let site: SlackSite;
let log: string[] = [];
let operator = "";

beforeAll(async () => {
  database = await memoryDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  kept = await house(database);
  log = [];
  const bot = { botUser: "U0AGENT", botId: "B0AGENT" };
  site = slackSite({
    ...APP,
    workspaces: [
      { id: "T0ACME", name: "Acme", ...bot },
      { id: "T0GRID", name: "Grid", enterprise: ORG, ...bot },
      { id: "T0EVIL", name: "Evil <Corp>", ...bot },
      { id: "T0MOVED", name: "Moved", enterprise: ORG, ...bot, saysOfItself: { enterprise_id: "E0OTHER" } },
      { id: "T0NONE", name: "None", enterprise: ORG, ...bot, saysOfItself: { enterprise_id: "" } },
      { id: "T0WHOLE", name: "Whole", enterprise: ORG, ...bot, saysOfItself: { is_enterprise_install: true } },
      { id: "T0ELSE", name: "Else", enterprise: ORG, ...bot, saysOfItself: { team_id: "T0ACME" } },
    ],
  });
});

function replica() {
  const say = (message: string, fields = {}) => void log.push(`${message} ${JSON.stringify(fields)}`);
  const oauth = slackOauth({
    ...APP,
    clientSecret: new Secret("slack_client_secret", APP.clientSecret),
    site: "https://slack.test",
    slackApiUrl: "https://slack.test/api/",
    fetch: site.fetch,
    log: say,
  });
  const key = new Secret("tokens_key", randomBytes(32).toString("base64"));
  const store = kept.workspaces;
  const tokens = workspaceTokens({ store, seal: openSeal([key]), oauth, orgId: kept.orgId, now: Date.now, log: say });
  const routes = installRoutes({
    gate: startGate({ token: START, baseUrl: HOME }),
    attempts: store,
    address: oauth.address,
    install: slackInstaller({ oauth, tokens, allowed: ["T0ACME", ORG], log: say }),
    baseUrl: HOME,
    log: say,
  });
  const ask = (where: string, cookie = "", host = "agents.example.com") =>
    routes.request(where.startsWith("http") ? where : `${HOME}${where}`, { headers: { cookie, host } });
  return { ask };
}
type Replica = ReturnType<typeof replica>;

const cookiesOf = (answer: Response): string =>
  answer.headers
    .getSetCookie()
    .map((line) => line.split(";", 1)[0] ?? "")
    .filter((pair) => !pair.endsWith("="))
    .join("; ");

async function begin({ ask }: Replica) {
  operator ||= cookiesOf(await ask(`/slack/install?token=${START}`));
  const answer = await ask("/slack/install", operator);
  return { answer, address: answer.headers.get("location") ?? "", cookie: cookiesOf(answer) };
}

async function come(one: Replica, o: Parameters<SlackSite["consent"]>[1]) {
  const { address, cookie } = await begin(one);
  const answer = await one.ask(site.consent(address, o), cookie);
  return { status: answer.status, page: await answer.text() };
}

const ids = async () => (await kept.workspaces.all()).map(({ id }) => id);

test("the operator installs it in a workspace of the list, and another replica may finish what one began", async () => {
  const [one, two] = [replica(), replica()];
  const { answer, address, cookie } = await begin(one);
  expect(answer.status).toBe(302);
  const asked = new URL(address);
  expect(asked.origin + asked.pathname).toBe("https://slack.test/oauth/v2/authorize");
  expect(asked.searchParams.get("scope")?.split(",")).toEqual([...scopesNeeded().keys()]);
  const done = await two.ask(site.consent(address, { workspace: "T0ACME" }), cookie);
  expect(done.status).toBe(200);
  expect(await done.text()).toContain("Countersign is in Acme");
  expect(await kept.workspaces.get("T0ACME")).toMatchObject({
    name: "Acme",
    botUserId: "U0AGENT",
    botId: "B0AGENT",
    url: "https://acme.slack.test",
    installedBy: "U0INSTALLER",
    scopes: [...scopesNeeded().keys()],
  });
});

test("without the start link nobody begins, whatever name the page was opened under", async () => {
  const { ask } = replica();
  expect((await ask("/slack/install")).status).toBe(401);
  expect((await ask("/slack/install?token=wrong")).status).toBe(401);
  await begin(replica());
  expect((await ask("/slack/install", operator, "evil.example.com")).status).toBe(403);
  expect((await ask(INSTALLED_AT, "", "evil.example.com")).status).toBe(403);
});

test("the browser's part is a cookie for this host alone, over https, for ten minutes, not for scripts", async () => {
  const { answer } = await begin(replica());
  expect(answer.headers.getSetCookie()).toEqual([
    expect.stringMatching(
      /^__Host-countersign_install=[A-Za-z0-9_-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    ),
  ]);
  expect(answer.headers.get("cache-control")).toBe("no-store");
});

test("a replayed, forged, strange or late return installs nothing, and costs the one who began nothing", async () => {
  const one = replica();
  const mine = await begin(one);
  const back = site.consent(mine.address, { workspace: "T0ACME" });
  const other = await begin(one);
  const forged = back.replace(/state=[^&]+/, `state=${"A".repeat(43)}`);
  const tries: [string, string][] = [
    [back, ""],
    [back, other.cookie],
    [back, "__Host-countersign_install=nonsense"],
    [forged, mine.cookie],
    [`${INSTALLED_AT}?code=1`, mine.cookie],
    [INSTALLED_AT, mine.cookie],
  ];
  for (const [where, cookie] of tries) {
    const answer = await one.ask(where, cookie);
    expect([where, answer.status]).toEqual([where, 400]);
    expect(await answer.text()).toContain("Begin again");
  }
  expect(site.of("oauth.v2.access")).toEqual([]);
  expect((await one.ask(back, mine.cookie)).status).toBe(200);
  expect((await one.ask(back, mine.cookie)).status).toBe(400);
  expect(site.of("oauth.v2.access")).toHaveLength(1);
});

test("a workspace that is not in the list is told so, and the app is taken out of it again", async () => {
  const { status, page } = await come(replica(), { workspace: "T0EVIL" });
  expect(status).toBe(403);
  expect(page).toContain("This workspace may not install it");
  expect(page).toContain("Evil &lt;Corp&gt; (T0EVIL)");
  expect(site.of("apps.uninstall")).toMatchObject([{ workspace: "T0EVIL", error: null }]);
  expect(await ids()).toEqual([]);

  site.fail("apps.uninstall", { error: "internal_error" });
  const stuck = await come(replica(), { workspace: "T0EVIL" });
  expect(stuck.page).toContain("remove it there");
  expect(await ids()).toEqual([]);
});

test("an organisation in the list means its workspaces, one at a time", async () => {
  expect((await come(replica(), { workspace: "T0GRID" })).status).toBe(200);
  expect(await ids()).toEqual(["T0GRID"]);
  expect(await kept.workspaces.get("T0GRID")).toMatchObject({ enterprise: ORG });
  const whole = await come(replica(), { workspace: "T0GRID", orgWide: true });
  expect([whole.status, whole.page]).toEqual([403, expect.stringContaining("One workspace at a time")]);
});

test("what the token says of itself decides, and not what came along with it", async () => {
  const strangers: [string, number, string][] = [
    ["T0MOVED", 403, "This workspace may not install it"],
    ["T0NONE", 403, "This workspace may not install it"],
    ["T0WHOLE", 403, "One workspace at a time"],
    ["T0ELSE", 400, "team_mismatch"],
  ];
  for (const [workspace, status, words] of strangers) {
    const came = await come(replica(), { workspace });
    expect([workspace, came.status, came.page]).toEqual([workspace, status, expect.stringContaining(words)]);
    expect(site.of("apps.uninstall").at(-1)).toMatchObject({ workspace, error: null });
  }
  expect(await ids()).toEqual([]);
});

test("a no, a code that Slack refuses and a Slack that is away each have their page, and keep nothing", async () => {
  const one = replica();
  const refused = await begin(one);
  const declined = await one.ask(site.decline(refused.address), refused.cookie);
  expect([declined.status, await declined.text()]).toEqual([400, expect.stringContaining("Nothing was installed")]);

  const again = await begin(one);
  const state = new URL(again.address).searchParams.get("state") ?? "";
  const strange = await one.ask(`${INSTALLED_AT}?state=${state}&code=made-up`, again.cookie);
  expect([strange.status, await strange.text()]).toEqual([400, expect.stringContaining("invalid_code")]);

  site.fail("oauth.v2.access", { error: "bad_client_secret" });
  expect((await come(one, { workspace: "T0ACME" })).page).toContain("SLACK_CLIENT_SECRET");
  site.fail("oauth.v2.access", { lost: "before" });
  expect(await come(one, { workspace: "T0ACME" })).toMatchObject({
    status: 503,
    page: expect.stringContaining("Slack does not answer"),
  });
  expect(await ids()).toEqual([]);
});

test("what Slack did not grant is named, and nothing secret is on a page or in the log", async () => {
  const { page } = await come(replica(), { workspace: "T0ACME", scopes: ["chat:write"] });
  expect(page).toContain("Slack did not grant");
  expect(page).toContain("users:read.email");
  expect(page + log.join()).not.toMatch(/xox|client-secret/);
});
