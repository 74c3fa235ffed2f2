import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { serve } from "@hono/node-server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openKeys } from "#adapters/secrets/keys.ts";
import { parseConfig } from "#config.ts";
import { recordedDecisions } from "#db/decisions.ts";
import { type Database, openDatabase } from "#db/open.ts";
import { decisionRoutes, keptBy, keptPolicies, recordedBy } from "#decisions.ts";
import { serviceFile } from "#places.ts";
import { house } from "#test/db/house.ts";
import { load, loaded, teamFile } from "#test/policy/sample.ts";

let dataDir = "";
let database: Database | null = null;
let server: ReturnType<typeof serve> | null = null;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), "cs-recorded-"));
});
afterEach(async () => {
  server?.close();
  await database?.close();
  [server, database] = [null, null];
  rmSync(dataDir, { recursive: true, force: true });
});

const POLICY = loaded(load(teamFile("rules: [{allow: {git.repo: acme/shop}}]\n")));

const config = () => parseConfig({ COUNTERSIGN_DATA: dataDir }, "/");
const since = new Date(0);

/** A service that has the embedded database open, with one decision in it. Returns where it listens. */
async function service(): Promise<string> {
  const open = await openDatabase(config().database);
  database = open;
  const at = await house(open, "default");
  const run = await at.run();
  await at.tx((tx) =>
    at.events.append(tx, run.id, null, [
      {
        kind: "policy.decided",
        about: "start",
        subject: "acme/shop",
        outcome: "ask",
        reason: null,
        rules: [],
        digest: "sha256:0",
        request: { team: "shop", objects: [{ subject: "action", action: "run.start" }] },
      },
      {
        ...{ kind: "policy.decided", about: "sandbox", subject: "sandbox.disk", outcome: "deny", reason: "no_sandbox" },
        rules: [{ at: "teams/shop.yaml:9:12", text: "sandbox.disk 10GB", why: null }],
        digest: "sha256:0",
      },
    ]),
  );
  await at.tx((tx) => at.policies.keep(tx, POLICY));
  const token = openKeys(path.join(dataDir, "keys")).text("start").reveal();
  const routes = decisionRoutes({
    token,
    recorded: (of) => recordedDecisions(open.db, at.orgId, of),
    kept: (digests) => keptPolicies(at.policies, digests),
  });
  const listening = await new Promise<AddressInfo>((resolve) => {
    server = serve({ fetch: routes.fetch, port: 0, hostname: "127.0.0.1" }, resolve);
  });
  const url = `http://127.0.0.1:${listening.port}`;
  writeFileSync(serviceFile(dataDir), JSON.stringify({ url }));
  return url;
}

const ALL = [
  { run: "1", about: "start", outcome: "ask", request: { objects: [{ action: "run.start" }] } },
  {
    ...{ run: "1", about: "sandbox", outcome: "deny", request: null },
    told: { subject: "sandbox.disk", reason: "no_sandbox", rules: [{ at: "teams/shop.yaml:9:12" }] },
  },
];

test("what was decided is asked of the service that has the database open, and read there when it is gone", async () => {
  await service();
  expect(await recordedBy(config())({ since })).toMatchObject(ALL);
  expect(await recordedBy(config())({ run: "1" })).toMatchObject(ALL);
  expect(await recordedBy(config())({ run: "2" })).toEqual([]);
  await database?.close();
  database = null;
  expect(await recordedBy(config())({ since })).toMatchObject(ALL);
});

test("the policy that decided is asked of the service too, and read where it was kept; one that was not is left out", async () => {
  await service();
  const asked = [POLICY.digest, "sha256:gone"];
  expect(await keptBy(config())(asked)).toEqual(new Map([[POLICY.digest, POLICY]]));
  await database?.close();
  database = null;
  expect(await keptBy(config())(asked)).toEqual(new Map([[POLICY.digest, POLICY]]));
});

test("without the start token the service tells nobody what was decided, nor by which policy", async () => {
  const url = await service();
  for (const headers of [{}, { authorization: "Bearer wrong" }]) {
    for (const target of ["decisions?since=1970-01-01", `kept?digest=${POLICY.digest}`]) {
      const answer = await fetch(`${url}/policy/${target}`, { headers });
      expect(answer.status).toBe(401);
      expect(await answer.text()).not.toContain("acme/shop");
    }
  }
});

test("a service that does not answer is named, and where nothing was ever kept nothing was decided", async () => {
  expect(await recordedBy(config())({ since })).toEqual([]);
  await service();
  server?.close();
  await expect(recordedBy(config())({ since })).rejects.toThrow(
    /the service at http:\/\/127\.0\.0\.1:\d+ has the database/,
  );
});
