import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { filesCommit, readPolicyFolder, watchPolicyFolder } from "#adapters/policy/folder.ts";
import type { PolicyChange } from "#adapters/policy/keeper.ts";

const ORG = `version: 1
kind: org
groups: {shop: {slack_usergroup: S0SHOP}}
routing: {slack: {C0SHOP: shop}}
ceiling:
  repos: ["acme/*"]
  egress: []
  limits: {cost_usd: 10, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: ["*"]
`;
const team = (repo: string) => `version: 1
kind: team
team: shop
members: group:shop
rules:
  - allow: {git.repo: ${repo}}
`;

let dir: string;
const closing: (() => void)[] = [];

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "policy-"));
  await mkdir(path.join(dir, "teams"));
  await writeFile(path.join(dir, "org.yaml"), ORG);
  await writeFile(path.join(dir, "teams/shop.yaml"), team("acme/shop"));
});

afterEach(async () => {
  vi.useRealTimers();
  for (const close of closing.splice(0)) close();
  await rm(dir, { recursive: true });
});

/** Watches the folder; `next()` is the next change, in order. */
async function watched(hear?: NonNullable<Parameters<typeof watchPolicyFolder>[1]>["hear"]) {
  const changes: PolicyChange[] = [];
  let arrived = Promise.withResolvers<void>();
  const watch = await watchPolicyFolder(dir, {
    ...(hear === undefined ? {} : { hear }),
    onChange: (change) => {
      changes.push(change);
      arrived.resolve();
      arrived = Promise.withResolvers();
    },
  });
  closing.push(watch.close);
  const next = async () => {
    while (changes.length === 0) await arrived.promise;
    return changes.shift() as PolicyChange;
  };
  return { watch, next };
}

test("only YAML that is not hidden is read, through links too", async () => {
  await writeFile(path.join(dir, "README.md"), "hello");
  await writeFile(path.join(dir, "teams/.draft.yaml"), "x");
  await rename(path.join(dir, "teams/shop.yaml"), path.join(dir, ".real"));
  await symlink("../.real", path.join(dir, "teams/shop.yaml"));
  expect([...(await readPolicyFolder(dir)).keys()]).toEqual(["org.yaml", "teams/shop.yaml"]);
});

test("a huge file is cut on reading, so that the loader refuses it", async () => {
  await writeFile(path.join(dir, "org.yaml"), "#".repeat(1024 * 1024));
  const { watch } = await watched();
  expect(watch.current()).toMatchObject({
    ok: false,
    problems: [{ at: "org.yaml:1:1", message: expect.stringContaining("is larger than 256 KB") }],
  });
});

test("the commit of a folder names its exact files", async () => {
  const before = filesCommit(await readPolicyFolder(dir));
  expect(before).toMatch(/^files-[0-9a-f]{12}$/);
  expect(filesCommit(await readPolicyFolder(dir))).toBe(before);
  await writeFile(path.join(dir, "teams/shop.yaml"), `${team("acme/shop")}# a comment\n`);
  expect(filesCommit(await readPolicyFolder(dir))).not.toBe(before);
});

test("a changed file is in force without anybody asking", async () => {
  const { watch, next } = await watched();
  const before = watch.current();
  await writeFile(path.join(dir, "teams/shop.yaml"), team("acme/other"));
  const change = await next();
  const after = watch.current();
  expect(change.ok && after.ok && change.policy === after.policy).toBe(true);
  expect(before.ok && after.ok && before.policy.digest !== after.policy.digest).toBe(true);
  expect(after.ok && after.policy.teams.shop?.rules[0]?.globs).toEqual(["acme/other"]);
});

test("a change comes in by looking alone, where the file system tells nobody", async () => {
  const { watch, next } = await watched(() => () => undefined);
  await writeFile(path.join(dir, "teams/shop.yaml"), team("acme/other"));
  expect((await next()).ok).toBe(true);
  const now = watch.current();
  expect(now.ok && now.policy.teams.shop?.rules[0]?.globs).toEqual(["acme/other"]);
  await rm(path.join(dir, "teams/shop.yaml"));
  expect((await next()).ok).toBe(false);
});

/** Until something is so that files bring about, while the clock that the watch goes by stands still. */
async function untilSo(isSo: () => boolean): Promise<void> {
  for (const until = performance.now() + 20_000; !isSo(); ) {
    if (performance.now() > until) throw new Error("it did not come to be so while the clock stood still");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test.each([
  [
    "two seconds where the file system tells nobody: a second at most to see it, and the rest to let it settle",
    false,
    1_900,
  ],
  ["a tenth of a second where the file system tells of it", true, 0],
])("a change is live within %s", async (_within, isTold, seenAfterMs) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  let told = () => {};
  const { watch } = await watched((_dir, changed) => {
    told = changed;
    return () => undefined;
  });
  const before = vi.getTimerCount();
  await writeFile(path.join(dir, "teams/shop.yaml"), team("acme/other"));
  if (isTold) told();
  vi.advanceTimersByTime(seenAfterMs);
  // It has been seen, and is given time to settle.
  await untilSo(() => vi.getTimerCount() > before);
  vi.advanceTimersByTime(100);
  await untilSo(() => {
    const now = watch.current();
    return now.ok && now.policy.teams.shop?.rules[0]?.globs[0] === "acme/other";
  });
});

test("a broken change is reported and the last good policy stays in force", async () => {
  const { watch, next } = await watched();
  const good = watch.current();
  await writeFile(path.join(dir, "teams/shop.yaml"), team("other/shop"));
  const broken = await next();
  expect(broken).toMatchObject({
    ok: false,
    problems: [
      { at: "teams/shop.yaml:6:23", message: "git.repo other/shop is above the ceiling of acme/* at org.yaml:6:3" },
    ],
    kept: good.ok ? good.policy : null,
  });
  expect(watch.current()).toBe(good);
  expect(watch.problems()).toHaveLength(1);

  await writeFile(path.join(dir, "teams/shop.yaml"), team("acme/shop"));
  expect((await next()).ok).toBe(true);
  expect(watch.problems()).toEqual([]);
});

test("a folder that is gone keeps the last good policy, and says so once", async () => {
  const { watch, next } = await watched();
  const good = watch.current();
  const moved = `${dir}-moved`;
  await rename(dir, moved);
  await watch.reload();
  await watch.reload();
  const change = await next();
  expect(change.ok).toBe(false);
  expect(change.ok ? "" : change.problems[0]?.message).toContain("the folder cannot be read");
  expect(watch.current()).toBe(good);
  await rename(moved, dir);
  await watch.reload();
  expect((await next()).ok).toBe(true);
});

test("a folder that never loaded has no policy, and gets one when it is mended", async () => {
  await writeFile(path.join(dir, "org.yaml"), "version: 2\n");
  const { watch, next } = await watched();
  expect(watch.current().ok).toBe(false);
  await writeFile(path.join(dir, "org.yaml"), ORG);
  expect((await next()).ok).toBe(true);
  expect(watch.current().ok).toBe(true);
});

test("after close nothing is heard any more", async () => {
  const { watch } = await watched();
  const good = watch.current();
  watch.close();
  await writeFile(path.join(dir, "teams/shop.yaml"), team("acme/other"));
  await watch.reload();
  expect(watch.current()).toBe(good);
});
