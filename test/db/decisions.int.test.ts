import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordedDecisions } from "#db/decisions.ts";
import type { Database } from "#db/open.ts";
import { notReplayed, simulate } from "#policy/explain/simulate.ts";
import type { EventBody } from "#runs/event.ts";
import { TURNED_AWAY, type TurnedAway } from "#runs/request/turned-away.ts";
import { load, loaded, ORG, teamFile } from "#test/policy/sample.ts";
import { DATABASES, type Ground } from "./databases.ts";
import { type House, house, note } from "./house.ts";

type Decided = Extract<EventBody, { kind: "policy.decided" }>;

const decided = (subject: string, more: Partial<Decided> = {}): Decided => ({
  kind: "policy.decided",
  about: "command",
  subject,
  outcome: "deny",
  reason: "rule",
  rules: [],
  digest: "sha256:0",
  request: { team: "shop", objects: [{ subject: "command", command: subject }] },
  ...more,
});

describe.each(Object.keys(DATABASES))("recorded decisions in %s", (name) => {
  let ground: Ground;
  let database: Database;
  let at: House;
  beforeAll(async () => {
    ground = await (DATABASES[name] as () => Promise<Ground>)();
    database = await ground.open();
    at = await house(database);
  });
  afterAll(() => ground.close());

  test("are those of the run or since the time, in order, with what was asked; nothing else of the record", async () => {
    const [one, other] = [await at.run(), await at.run()];
    await at.tx((tx) =>
      at.events.append(tx, one.id, null, [
        note('"kind":"policy.decided" is only said here, with a \0'),
        decided("rm -rf /"),
        decided("ls", { outcome: "allow", reason: null }),
      ]),
    );
    await at.tx((tx) => at.events.append(tx, other.id, null, [decided("dropdb x")]));
    const commands = async (of: Parameters<typeof recordedDecisions>[2]) =>
      (await recordedDecisions(database.db, at.orgId, of)).map(({ run, outcome, request }) => [
        run,
        outcome,
        request?.objects[0],
      ]);
    const number = String(one.number);
    const mine = [
      [number, "deny", { subject: "command", command: "rm -rf /" }],
      [number, "allow", { subject: "command", command: "ls" }],
    ];
    expect(await commands({ run: one.id })).toEqual(mine);
    expect(await commands({ run: number })).toEqual(mine);
    expect(await commands({ since: new Date(Date.now() - 60_000) })).toHaveLength(3);
    expect(await commands({ since: new Date(Date.now() + 60_000) })).toEqual([]);
    expect(await commands({ run: "nonsense" })).toEqual([]);
    const elsewhere = await house(database);
    expect(await recordedDecisions(database.db, elsewhere.orgId, { run: number })).toEqual([]);
  });

  test("what a limit decided is among them with its line, and is counted as what cannot be put again", async () => {
    const one = await at.run();
    const rules = [{ at: "teams/shop.yaml:9:30", text: "limits.per_month.cost_usd 3", why: null }];
    const { request: _, ...limit } = decided("per_month.cost_usd", { about: "budget", reason: "over_limit", rules });
    await at.tx((tx) => at.events.append(tx, one.id, null, [decided("ls"), limit]));
    const found = await recordedDecisions(database.db, at.orgId, { run: one.id });
    expect(found).toMatchObject([
      { about: "command" },
      {
        ...{ run: String(one.number), about: "budget", outcome: "deny", request: null },
        told: { subject: "per_month.cost_usd", reason: "over_limit", rules },
      },
    ]);
    expect(found[0]).not.toHaveProperty("told");
    const policy = loaded(load(teamFile("rules: [{allow: {git.repo: acme/shop}}]\n")));
    expect(simulate(policy, found)).toMatchObject({ replayed: 1, notReplayed: { budget: 1 } });
  });

  test("requests that were turned away before there was a run are among those since a time, and of no run", async () => {
    const away = (request: TurnedAway["request"]): TurnedAway => ({
      by: { provider: "slack", workspace: "T1", id: "U1", name: "Eve" },
      channel: "C1",
      code: request === null ? "not_a_member" : "unknown_repository",
      team: "shop",
      digest: "sha256:0",
      request,
    });
    const other = await house(database);
    const repo = { team: "shop", objects: [{ subject: "git.repo" as const, repo: "acme/site" }] };
    await other.tx(async (tx) => {
      await other.notes.keep(tx, `${TURNED_AWAY}one`, away(null));
      await other.notes.keep(tx, `${TURNED_AWAY}two`, away(repo));
      await other.notes.keep(tx, "choice:three", "words that wait");
    });
    const found = await recordedDecisions(database.db, other.orgId, { since: new Date(Date.now() - 60_000) });
    expect(found).toHaveLength(2);
    expect(notReplayed(found)).toEqual({ intake: 1 });
    const wider = loaded(load(teamFile("rules: [{allow: {git.repo: [acme/shop, acme/site]}}]\n")));
    expect(simulate(wider, found).changes).toMatchObject([
      { decision: { run: "none", about: "intake", outcome: "deny" }, now: "allow" },
    ]);
    expect(await recordedDecisions(database.db, other.orgId, { since: new Date(Date.now() + 60_000) })).toEqual([]);
  });

  test("what the gateway decided is put as policy is asked, and what the record has not in full is counted", async () => {
    const one = await at.run();
    const host = (name: string, more: Partial<Extract<EventBody, { kind: "egress.decided" }>> = {}): EventBody => ({
      kind: "egress.decided",
      via: "connect",
      host: name,
      port: 443,
      method: null,
      outcome: "allow",
      reason: "rule",
      rule: "teams/shop.yaml:6:5",
      sandbox: null,
      ...more,
    });
    await at.tx((tx) =>
      at.events.append(tx, one.id, null, [
        host("prices.example.com"),
        host("prices.example.com", { via: "http", method: "GET" }),
        host("other.example.com", { outcome: "deny", reason: "no_rule", rule: null }),
        host("prices.example.com", { via: "http", method: "GET", outcome: "deny", reason: "path" }),
        host("asked.example.com", { outcome: "deny", reason: "no_rule", rule: null }),
        decided("asked.example.com:443", { about: "host", outcome: "ask" }),
        host("asked.example.com"),
        {
          kind: "push.decided",
          branch: "agent/1",
          oid: "a",
          outcome: "allow",
          reason: "rule",
          rule: null,
          detail: null,
        },
      ]),
    );
    const found = await recordedDecisions(database.db, at.orgId, { run: one.id });
    expect(notReplayed(found)).toEqual({ egress: 2, relay: 1 });
    const egress = "egress:\n  - {host: prices.example.com}\n";
    const ask = "unlisted_egress: {ask: {from: group:leads}}\n";
    const org = ORG.replace(
      '{host: "**.example.com", ports: [443, 8443]}]',
      '{host: "**.example.com"}, {host: "**", only: ask}]',
    );
    const rules = 'rules: [{allow: {git.repo: acme/shop}}, {ask: {command: "asked*"}, from: group:leads}]\n';
    const changes = (file: string) =>
      simulate(loaded(load(teamFile(rules + file), { org })), found).changes.map(({ decision, now }) => [
        decision.request.objects[0],
        decision.outcome,
        now,
      ]);
    expect(changes(egress)).toEqual([]);
    expect(changes(egress + ask)).toEqual([]);
    const object = { subject: "egress", host: "prices.example.com", port: 443, path: null };
    expect(changes("")).toEqual([
      [{ ...object, method: null }, "allow", "deny"],
      [{ ...object, method: "GET" }, "allow", "deny"],
    ]);
    expect(changes(ask)).toMatchObject([
      [{ host: "prices.example.com" }, "allow", "ask"],
      [{ host: "prices.example.com" }, "allow", "ask"],
    ]);
  });

  test("pushes are put again with their paths, and model calls with their model", async () => {
    const one = await at.run();
    const pushed = (paths: string[], more: Partial<Extract<EventBody, { kind: "push.decided" }>> = {}): EventBody => ({
      kind: "push.decided",
      branch: "agent/1",
      oid: "a",
      outcome: "allow",
      reason: "rule",
      rule: null,
      detail: null,
      paths,
      asks: false,
      ...more,
    });
    const called = (model: string): EventBody => ({
      kind: "model.called",
      model,
      status: 200,
      inputTokens: 1,
      cachedTokens: 0,
      outputTokens: 1,
      usd: 0,
      prices: "none",
      durationMs: 1,
    });
    await at.tx((tx) =>
      at.events.append(tx, one.id, null, [
        pushed(["src/a.ts"]),
        pushed(["src/a.ts", "package.json"], { asks: true }),
        pushed(["gen/x.ts"], { outcome: "deny", reason: "path" }),
        called("gpt-5"),
        called("o3"),
      ]),
    );
    const found = await recordedDecisions(database.db, at.orgId, { run: one.id });
    expect(notReplayed(found)).toEqual({});
    const org = ORG.replace('models: ["*"]', "models: [gpt-*, o3]");
    const egress = "egress: [{preset: model-openai}]\n";
    const changes = (rules: string, more = egress) =>
      simulate(
        loaded(load(teamFile(`rules:\n  - allow: {git.repo: acme/shop}\n${rules}${more}`), { org })),
        found,
      ).changes.map(({ decision: { about, outcome, request }, now }) => [about, request.objects.length, outcome, now]);
    const asks = "  - ask: {git.path: package.json}\n    from: group:leads\n";
    const gen = "  - deny: {git.path: gen/**}\n";
    expect(changes(asks + gen)).toEqual([]);
    expect(changes(`${asks}${gen}  - deny: {git.path: src/a.ts}\n`)).toEqual([
      ["relay", 1, "allow", "deny"],
      ["relay", 2, "ask", "deny"],
    ]);
    expect(changes(asks)).toEqual([["relay", 1, "deny", "allow"]]);
    expect(changes(`${asks}${gen}  - allow: {model: gpt-*}\n`)).toEqual([["model", 1, "allow", "deny"]]);
    expect(changes(asks + gen, "")).toEqual([
      ["model", 1, "allow", "deny"],
      ["model", 1, "allow", "deny"],
    ]);
  });
});
