import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { slackAccess } from "#adapters/directory/slack-access.ts";
import { slackOauth } from "#adapters/directory/slack-oauth.ts";
import { workspaceTokens } from "#adapters/directory/slack-tokens.ts";
import { openSeal, SealBroken } from "#adapters/secrets/seal.ts";
import type { Database } from "#db/open.ts";
import { knownAs, openLog } from "#log.ts";
import { Secret } from "#ports/secret.ts";
import type { WorkspaceStore } from "#ports/workspaces.ts";
import { redactor } from "#runs/redact.ts";
import { DATABASES, type Ground } from "#test/db/databases.ts";
import { house } from "#test/db/house.ts";
import { type SlackSite, slackSite } from "#test/doubles/slack/site.ts";

/** Tokens that Slack rotates, over real databases and Slack's own client. */
const ACME = "T0ACME";
const HOUR = 3_600_000;
const APP = {
  clientId: "1.2",
  clientSecret: "client-secret",
  redirectUrl: "https://agents.example.com/slack/oauth_redirect",
};
const newKey = () => new Secret("tokens_key", randomBytes(32).toString("base64"));
const KEY = newKey();

describe.each(Object.entries(DATABASES))("over %s", (_name, ground) => {
  let opened: Ground;
  let clock = Date.now();
  let site: SlackSite;
  let log: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  let stores: WorkspaceStore[] = [];
  let orgId = "";

  let databases: readonly Database[] = [];
  beforeAll(async () => {
    opened = await ground();
    databases = await Promise.all([opened.open(), opened.open()]);
  });
  afterAll(() => opened.close());
  afterEach(() => {
    expect(JSON.stringify(log)).not.toMatch(/xox[eb]/);
  });

  /** One process: its memory is its own, the database everybody's. */
  function worker(
    o: { n?: number; keys?: [Secret, ...Secret[]]; store?: (real: WorkspaceStore) => WorkspaceStore } = {},
  ) {
    const real = stores[o.n ?? 0];
    if (!real) throw new Error("no such process");
    const store = o.store?.(real) ?? real;
    const say = (message: string, fields: Readonly<Record<string, unknown>> = {}) => void log.push({ message, fields });
    const oauth = slackOauth({
      ...APP,
      clientSecret: new Secret("slack_client_secret", APP.clientSecret),
      site: "http://slack.test",
      slackApiUrl: "http://slack.test/api/",
      fetch: site.fetch,
      log: say,
    });
    const tokens = workspaceTokens({
      store,
      seal: openSeal(o.keys ?? [KEY]),
      oauth,
      orgId,
      now: () => clock,
      log: say,
    });
    const access = slackAccess({
      botToken: tokens.of(ACME),
      slackApiUrl: "http://slack.test/api/",
      fetch: site.fetch,
      log: say,
    });
    return { oauth, tokens, call: () => access.urgent.auth.test() };
  }

  /** As the page for it does. */
  async function install({ oauth, tokens }: ReturnType<typeof worker>) {
    const back = new URL(site.consent(oauth.address({ state: "s", scopes: ["chat:write"] }), { workspace: ACME }));
    const grant = await oauth.exchange(back.searchParams.get("code") ?? "");
    const { botUserId, botId, url } = await oauth.identity(grant.access);
    const { scopes, installedBy } = grant;
    await tokens.keep({ id: ACME, name: "Acme", enterprise: null, url, botUserId, botId, scopes, installedBy }, grant);
  }

  const renewals = () => site.of("oauth.v2.access").filter(({ args }) => args.grant_type === "refresh_token");
  const row = async () => {
    const there = await stores[0]?.get(ACME);
    if (!there) throw new Error("the workspace is not there");
    return there;
  };

  beforeEach(async () => {
    clock = Date.now();
    log = [];
    const org = `org ${randomBytes(6).toString("hex")}`;
    const houses = await Promise.all(databases.map((database) => house(database, org)));
    orgId = houses[0]?.orgId ?? "";
    stores = houses.map(({ workspaces }) => workspaces);
    site = slackSite({
      ...APP,
      workspaces: [{ id: ACME, name: "Acme", botUser: "U0AGENT", botId: "B0AGENT" }],
      now: () => clock,
    });
  });

  test("what the database has of a token is not the token", async () => {
    const one = worker();
    await install(one);
    const kept = JSON.stringify(await row());
    expect(kept).not.toMatch(/xox/);
    const access = await one.tokens.of(ACME).current();
    expect(site.takes(ACME, access.reveal())).toBe(true);
    expect(`${access} ${JSON.stringify(one.tokens.secrets())}`).not.toMatch(/xox/);
  });

  test("two processes that need another token at once spend one refresh token, and both have what came of it", async () => {
    const [one, two] = [worker({ n: 0 }), worker({ n: 1 })];
    await install(one);
    clock += 11.5 * HOUR;
    const calls = [one, two, one, two, two, one].map(({ call }) => call());
    for (const answer of await Promise.all(calls)) expect(answer).toMatchObject({ ok: true, team_id: ACME });
    expect(renewals()).toHaveLength(1);
    const [mine, theirs] = await Promise.all([one, two].map(({ tokens }) => tokens.of(ACME).current()));
    expect(mine?.reveal()).toBe(theirs?.reveal());
    // Again, with the refresh token that came with it.
    clock += 12 * HOUR;
    await Promise.all([two.call(), one.call()]);
    expect(renewals().map(({ error }) => error)).toEqual([null, null]);
  });

  test("a token that Slack ends early is renewed once, and the call is made again by itself", async () => {
    const [one, two] = [worker({ n: 0 }), worker({ n: 1 })];
    await install(one);
    await Promise.all([one.call(), two.call()]);
    site.expire(ACME);
    const answers = await Promise.all([one.call(), two.call(), one.call()]);
    for (const answer of answers) expect(answer).toMatchObject({ ok: true });
    expect(renewals()).toHaveLength(1);
    // A call that is refused for good is not made for ever.
    site.expire(ACME);
    site.fail("oauth.v2.access", { error: "invalid_refresh_token" });
    await expect(one.call()).rejects.toThrow("token_expired");
    await expect(one.call()).rejects.toThrow("token_expired");
    expect(renewals()).toHaveLength(2);
  });

  test("while Slack does not answer, a token that is still good is used, and Slack is not asked with every call", async () => {
    const one = worker();
    await install(one);
    clock += 11.5 * HOUR;
    site.fail("oauth.v2.access", { lost: "before" }, 2);
    await one.call();
    await one.call();
    expect(renewals()).toHaveLength(0);
    expect(log.filter(({ message }) => message.includes("could not be renewed"))).toHaveLength(1);
    clock += 61_000;
    await one.call();
    clock += 61_000;
    await one.call();
    expect(renewals().map(({ error }) => error)).toEqual([null]);
    expect((await row()).tokens.lost).toBeNull();
  });

  test("a mistake of ours in the app's secret loses no workspace", async () => {
    const one = worker();
    await install(one);
    clock += 13 * HOUR;
    site.fail("oauth.v2.access", { error: "bad_client_secret" });
    await expect(one.call()).rejects.toThrow();
    expect((await row()).tokens.lost).toBeNull();
    expect(await one.call()).toMatchObject({ ok: true });
  });

  test("a connection that breaks after Slack's answer costs no refresh token while the process lives", async () => {
    let breaks = 1;
    const one = worker({
      store: (real) => ({
        ...real,
        renew: (id, work) =>
          real.renew(id, async (there) => {
            const done = await work(there);
            if (breaks-- > 0) throw new Error("the connection broke");
            return done;
          }),
      }),
    });
    await install(one);
    clock += 13 * HOUR;
    await expect(one.call()).rejects.toThrow();
    expect(await one.call()).toMatchObject({ ok: true });
    expect(renewals().map(({ error }) => error)).toEqual([null]);
  });

  test("a process that dies between Slack's answer and the commit leaves a token that works until it ends, and says what to do", async () => {
    await install(worker());
    clock += 11.5 * HOUR;
    const dying = worker({
      store: (real) => ({
        ...real,
        renew: (id, work) =>
          real.renew(id, async (there) => {
            await work(there);
            throw new Error("killed");
          }),
      }),
    });
    await dying.call();
    expect(renewals().map(({ error }) => error)).toEqual([null]);

    const next = worker({ n: 1 });
    expect(await next.call()).toMatchObject({ ok: true });
    expect(renewals().map(({ error }) => error)).toEqual([null, "invalid_refresh_token"]);
    expect((await row()).tokens.lost).toBe("invalid_refresh_token");
    expect(log.at(-1)).toMatchObject({ fields: { level: "error", workspace: ACME, why: "invalid_refresh_token" } });
    await worker().call();
    clock += HOUR;
    await expect(next.call()).rejects.toThrow("token_expired");
    await expect(worker().call()).rejects.toThrow("token_expired");
    // Nobody asks Slack again with what it has refused.
    expect(renewals()).toHaveLength(2);
    await install(next);
    expect(await worker().call()).toMatchObject({ ok: true });
    expect((await row()).tokens.lost).toBeNull();
  });

  test("a token without an end is never renewed", async () => {
    site = slackSite({
      ...APP,
      workspaces: [{ id: ACME, name: "Acme", botUser: "U0AGENT", botId: "B0AGENT" }],
      rotates: false,
      now: () => clock,
    });
    const one = worker();
    await install(one);
    expect((await row()).tokens).toMatchObject({ refresh: null, expiresAt: null });
    clock += 1_000 * HOUR;
    expect(await one.call()).toMatchObject({ ok: true });
    expect(renewals()).toHaveLength(0);
  });

  test("another process's installation is used as soon as the old token is refused, and a removal within seconds", async () => {
    const [one, two] = [worker({ n: 0 }), worker({ n: 1 })];
    await install(one);
    await one.call();
    site.remove(ACME);
    await install(two);
    expect(await one.call()).toMatchObject({ ok: true });
    await stores[1]?.remove(ACME, new Date(clock + HOUR));
    clock += 6_000;
    expect(await one.tokens.workspace(ACME)).toBeNull();
    await expect(one.call()).rejects.toThrow("not_installed");
  });

  test("every token that was in our hands is known to whoever keeps it out of the log, given ones and used ones too", async () => {
    const one = worker();
    await install(one);
    const known = () => one.tokens.secrets().map((secret) => secret.reveal());
    expect(known()).toHaveLength(2);
    const [first] = known();
    clock += 11.5 * HOUR;
    site.fail("oauth.v2.access", { lost: "before" });
    await one.call();
    clock += 61_000;
    await one.call();
    // The pair that ended is one that somebody may still have.
    expect(known()).toHaveLength(4);
    expect(known()).toContain(first);
    // Another process finds them in the row.
    const two = worker({ n: 1 });
    await two.call();
    expect(known()).toEqual(expect.arrayContaining(two.tokens.secrets().map((secret) => secret.reveal())));
    const lines: string[] = [];
    const log = openLog({
      level: "info",
      redact: redactor(knownAs([...one.tokens.secrets(), new Secret("plain", "no-shape-of-its-own")])),
      out: { write: (line) => lines.push(line) },
    });
    for (const token of known()) log(`Slack says: bad token ${token}`, { sent: { authorization: `Bearer ${token}` } });
    log("no-shape-of-its-own");
    expect(lines).toHaveLength(5);
    expect(lines.join("")).not.toMatch(/xox[eb]|no-shape/);
    expect(lines.join("")).toContain("[secret slack_refresh_token]");
    for (let n = 0; n < 9; n += 1) {
      clock += 11.5 * HOUR;
      await one.call();
    }
    expect(known()).toHaveLength(6);
  });

  test("a token that Slack gave and the database did not take is known all the same", async () => {
    const one = worker({
      store: (real) => ({
        ...real,
        renew: (id, work) =>
          real.renew(id, async (there) => {
            await work(there);
            throw new Error("the connection broke");
          }),
      }),
    });
    await install(one);
    clock += 13 * HOUR;
    await expect(one.call()).rejects.toThrow();
    expect(one.tokens.secrets()).toHaveLength(4);
  });

  test("a workspace whose tokens no key opens is installed all the same, which is said once, and the others go on", async () => {
    const one = worker();
    await install(one);
    const { installedAt: _, ...there } = await row();
    await stores[0]?.put({ ...there, id: "T0BETA", tokens: { ...there.tokens, keyId: "000000000000" } });
    const next = worker();
    expect(await next.tokens.reseal()).toBe(0);
    for (let n = 0; n < 3; n += 1) {
      expect(await next.tokens.workspace("T0BETA")).toMatchObject({ workspace: { id: "T0BETA" }, opens: false });
      await expect(next.tokens.of("T0BETA").current()).rejects.toThrow(SealBroken);
      clock += 6_000;
    }
    expect(log.filter(({ message }) => message.includes("cannot be opened"))).toMatchObject([
      { fields: { level: "error", workspace: "T0BETA", code: "unknown_key" } },
    ]);
    expect(await next.tokens.workspace("T0NOBODY")).toBeNull();
    expect(await next.tokens.workspace(ACME)).toMatchObject({ opens: true });
    expect(await next.call()).toMatchObject({ ok: true });
    // Installing it again is what mends it.
    await stores[0]?.put({ ...there, id: "T0BETA" });
    clock += 6_000;
    await install(next);
    expect(await next.call()).toMatchObject({ ok: true });
  });

  test("a row that somebody has changed, or filled from another one, opens nothing", async () => {
    await install(worker());
    const { installedAt: _, ...there } = await row();
    const { access, refresh } = there.tokens;
    const forged = [
      { ...there, tokens: { ...there.tokens, access: access.slice(0, -1) + (access.endsWith("A") ? "Q" : "A") } },
      { ...there, tokens: { ...there.tokens, access: refresh ?? "" } },
      { ...there, tokens: { ...there.tokens, keyId: "000000000000" } },
    ];
    for (const each of forged) {
      await stores[0]?.put(each);
      await expect(worker().tokens.of(ACME).current()).rejects.toThrow(SealBroken);
    }
    await stores[0]?.put({ ...there, id: "T0BETA" });
    await expect(worker().tokens.of("T0BETA").current()).rejects.toThrow(SealBroken);
    await stores[0]?.put(there);
    expect(await worker().call()).toMatchObject({ ok: true });
  });

  test("with a new key everything is sealed anew, after which the old one can go; what no key opens is left and said", async () => {
    const next = newKey();
    await install(worker());
    const { tokens: before } = await row();
    expect(await worker({ keys: [next] }).tokens.reseal()).toBe(0);
    expect(log.at(-1)).toMatchObject({ fields: { workspace: ACME, code: "unknown_key" } });
    expect((await row()).tokens).toEqual(before);
    const both = worker({ keys: [next, KEY] });
    expect(await both.tokens.reseal()).toBe(1);
    expect(await both.tokens.reseal()).toBe(0);
    const { tokens: after } = await row();
    expect(after.keyId).not.toBe(before.keyId);
    expect(after.expiresAt).toEqual(before.expiresAt);
    const alone = worker({ n: 1, keys: [next] });
    expect(await alone.call()).toMatchObject({ ok: true });
    clock += 11.5 * HOUR;
    await alone.call();
    expect(renewals().map(({ error }) => error)).toEqual([null]);
  });
});
