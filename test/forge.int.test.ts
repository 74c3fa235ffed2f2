import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { examineForge, openForge } from "#forge.ts";
import type { Given } from "#github-place.ts";
import { systemClock } from "#ports/clock.ts";
import { Secret } from "#ports/secret.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";

let double: GithubDouble;
let folder = "";
beforeAll(async () => {
  double = await githubDouble({ repos: {}, installed: [], people: [] });
  folder = mkdtempSync(path.join(tmpdir(), "countersign-forge-"));
});
afterAll(async () => {
  await double.close();
  rmSync(folder, { recursive: true, force: true });
});

async function examined(
  o: { key?: Given; appId?: number; apiUrl?: string; repos?: string[]; hook?: Secret | null } = {},
): Promise<{ said: string[]; app: Awaited<ReturnType<typeof examineForge>> }> {
  const said: string[] = [];
  const app = await examineForge(
    {
      githubApp: {
        appId: o.appId ?? double.appId,
        privateKey: o.key ?? double.privateKey,
        webhookSecret: o.hook === undefined ? double.webhookSecret : o.hook,
        oauth: null,
      },
      githubApiUrl: o.apiUrl ?? double.apiUrl,
    },
    {
      repos: o.repos ?? [],
      pace: { paced: false, retryBaseMs: 0 },
      say: (message, fields) => void said.push(`${message} ${JSON.stringify(fields ?? {})}`),
    },
  );
  return { said, app };
}

function keyFile(text: string, mode = 0o600): { file: string } {
  const file = path.join(folder, "key.pem");
  writeFileSync(file, text);
  chmodSync(file, mode);
  return { file };
}

test("an App that GitHub knows by its key is the forge, and nothing is said", async () => {
  const { said, app } = await examined({ key: keyFile(double.privateKey.reveal()) });
  expect(said).toEqual([]);
  expect(app).toMatchObject({
    appId: double.appId,
    apiUrl: double.apiUrl,
    said: { slug: "countersign-test", deaf: [] },
  });
  const forge = await openForge({
    dataDir: folder,
    baseUrl: "http://127.0.0.1:3000",
    github: app,
    clock: systemClock,
    changed: async () => {},
    say: () => {},
  });
  expect([forge.host.name, forge.local, forge.repositoryUrl("acme/shop")]).toEqual([
    "GitHub",
    null,
    `${double.url}/acme/shop`,
  ]);
  await forge.close();
});

test("a key in one line with \\n for its ends is the same key", async () => {
  const line = double.privateKey.reveal().trim().replaceAll("\n", "\\n");
  expect((await examined({ key: new Secret("key", line) })).app?.privateKey.reveal()).toBe(
    double.privateKey.reveal().trim(),
  );
});

test("without a webhook's secret the timer is named", async () => {
  const { said } = await examined({ hook: null });
  expect(said.join()).toMatch(/a timer looks every ten minutes.*there is no GITHUB_WEBHOOK_SECRET/);
});

test.each([
  [
    "a file that others can read",
    () => ({ key: keyFile("x", 0o644) }),
    /can be read by others \(mode 644\): run `chmod 600 /,
  ],
  ["a file that is not there", () => ({ key: { file: "/nowhere/key.pem" } }), /^\/nowhere\/key\.pem cannot be read/],
  ["an empty file", () => ({ key: keyFile(" \n") }), /key\.pem is empty$/],
  ["what is no key", () => ({ key: new Secret("key", "hunter2") }), /is no private key in PEM/],
  ["another App's number", () => ({ appId: 7 }), /^GitHub does not know GitHub App 7 by this private key/],
  [
    "a repository of this machine beside it",
    () => ({ repos: ["/srv/own"] }),
    /^--repo serves a repository from this machine's own git host/,
  ],
])("%s keeps it from starting, with one line that mends it", async (_what, make, message) => {
  await expect(examined(make())).rejects.toThrow(message);
});

test("a GitHub that cannot be reached now keeps nothing from starting", async () => {
  const { app, said } = await examined({ apiUrl: "http://127.0.0.1:9/api/v3" });
  expect(app).toMatchObject({ appId: double.appId, said: { unasked: expect.stringMatching(/./) } });
  expect(said.join()).toContain("GitHub cannot be asked now");
});
