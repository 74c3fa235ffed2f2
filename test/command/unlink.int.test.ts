import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { serve } from "@hono/node-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openKeys } from "#adapters/secrets/keys.ts";
import { unlinkCommand } from "#command/unlink.ts";
import { parseConfig } from "#config.ts";
import { openDatabase } from "#db/open.ts";
import { operatorLinks, unlinkRoutes } from "#operator-links.ts";
import { serviceFile } from "#places.ts";
import { systemClock } from "#ports/clock.ts";
import { type House, house } from "#test/db/house.ts";

const dataDir = mkdtempSync(path.join(tmpdir(), "cs-unlink-"));
const config = () => parseConfig({ COUNTERSIGN_DATA: dataDir }, "/");
const closing: (() => unknown)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
let at: House;
let url = "";
let token = "";

/** A service that has the embedded database open. */
beforeAll(async () => {
  const database = await openDatabase(config().database);
  let open = true;
  const close = async () => {
    if (open) await database.close();
    open = false;
  };
  closing.push(close);
  service.gone = close;
  at = await house(database, "default");
  token = openKeys(path.join(dataDir, "keys")).text("start").reveal();
  const core = { store: at.store, stores: at, clock: systemClock, nudge: () => undefined };
  const routes = unlinkRoutes({ token, core });
  const listening = await new Promise<AddressInfo>((resolve) => {
    const server = serve({ fetch: routes.fetch, port: 0, hostname: "127.0.0.1" }, resolve);
    closing.push(() => server.close());
  });
  url = `http://127.0.0.1:${listening.port}`;
  writeFileSync(serviceFile(dataDir), JSON.stringify({ url }));
}, 60_000);
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});
const service = { gone: async () => {} };

let said: string[] = [];
function say(...args: string[]): Promise<number> {
  said = [];
  const keep = (text: string) => void said.push(text);
  return unlinkCommand(args, { ...operatorLinks(config()), out: keep, error: keep });
}

async function link(name: string, id: string): Promise<void> {
  const kim = await at.person("Kim");
  const account = { provider: "github", workspace: "github.com", id, name };
  await at.tx((tx) => at.people.link(tx, account, kim.id, "code"));
}

test("the operator's word goes to the service that has the database open", async () => {
  expect(await say("--list")).toBe(0);
  expect(said).toEqual(["No account was taken from anybody."]);
  await link("octocat", "583231");
  expect(await say("github", "octocat")).toBe(0);
  expect(said[0]).toBe("octocat on GitHub is no longer linked with Kim, who is told in Slack.");
  const due = await at.outbox.due(60_000, 10);
  expect(due.map(({ kind, place }) => [kind, place.provider])).toEqual([["unlinked", "slack"]]);
  expect(await say("github", "octocat")).toBe(1);
  expect(said).toEqual(["countersign: nobody has linked octocat on GitHub"]);
});

test("of several that are called so each is named as it has to be said", async () => {
  await link("twin", "1");
  await link("Twin", "2");
  expect(await say("github", "twin")).toBe(1);
  expect(said.join("\n")).toContain(
    "  countersign unlink github github.com/1\n  countersign unlink github github.com/2",
  );
  expect(await say("github", "github.com/2")).toBe(0);
});

test("without the start token the service takes nothing and says nothing of it", async () => {
  await link("mona", "9");
  const body = JSON.stringify({ provider: "github", called: "mona", operator: "mallory" });
  for (const headers of [{}, { authorization: "Bearer wrong" }]) {
    const answers = [
      await fetch(`${url}/operator/unlink`, { method: "POST", body, headers }),
      await fetch(`${url}/operator/unlink`, { headers }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401]);
  }
  expect(await at.tx((tx) => at.people.called(tx, "github", "mona"))).toHaveLength(1);
});

test("an order that is none, and one that is too large, are refused by the service", async () => {
  const post = (body: string) =>
    fetch(`${url}/operator/unlink`, { method: "POST", body, headers: { authorization: `Bearer ${token}` } });
  const order = { provider: "github", called: "octocat", operator: "root" };
  expect((await post("{")).status).toBe(400);
  expect((await post(JSON.stringify({ ...order, provider: "slack" }))).status).toBe(400);
  expect((await post(JSON.stringify({ ...order, called: "x".repeat(5_000) }))).status).toBe(413);
});

test("it goes to the database when the service is gone, and who took what is listed either way", {
  timeout: 60_000,
}, async () => {
  await link("hubot", "7");
  expect(await say("--list")).toBe(0);
  expect(said).toHaveLength(2);
  expect(said[0]).toMatch(/^\d{4}-\d\d-\d\dT.*Z {2}octocat on GitHub \(github\.com\/583231\), from Kim, by operator /);
  await service.gone();
  expect(await say("github", "hubot")).toBe(0);
  expect(await say("--list")).toBe(0);
  expect(said.at(-1)).toContain(`hubot on GitHub (github.com/7), from Kim, by operator ${userInfo().username}`);
});
