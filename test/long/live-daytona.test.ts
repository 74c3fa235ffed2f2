import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { daytonaSandboxes } from "#adapters/sandbox/daytona/provider.ts";
import type { Sandbox, SandboxSpec } from "#ports/sandbox.ts";
import { Secret } from "#ports/secret.ts";
import { reachEnv } from "#runs/reach.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { collect, refused, until } from "#test/contracts/sandbox-bench.ts";
import { BURST, PROGRAMS } from "#test/contracts/sandbox-programs.ts";
import { makeWorld, type World } from "#test/gateway/world.ts";

const { LIVE_DAYTONA_API_KEY: key, LIVE_DAYTONA_GATEWAY_URL: gatewayUrl } = process.env;
const [host = "", port = ""] = (process.env.LIVE_DAYTONA_GATEWAY_LISTEN ?? "0.0.0.0:8443").split(":");
const missing =
  key === undefined || gatewayUrl === undefined
    ? "not here: LIVE_DAYTONA_API_KEY and LIVE_DAYTONA_GATEWAY_URL are not set, so nothing was asked of the real Daytona"
    : null;
if (missing !== null) process.stderr.write(`live-daytona: skipped; ${missing}\n`);

const QUICK = { timeoutMs: 60_000 };
const MINUTES = 10 * 60_000;

/** What only the real platform can show: that our order is one it takes, and that it holds what it says. */
describe.skipIf(missing !== null)(`the real Daytona${missing === null ? "" : ` (${missing})`}`, () => {
  const installation = `live-test-${randomUUID()}`;
  const token = randomUUID();
  let folder: string;
  let world: World;
  let provider: ReturnType<typeof daytonaSandboxes>;
  let sandbox: Sandbox;
  let spec: SandboxSpec;
  const open = () =>
    daytonaSandboxes({
      apiKey: new Secret("daytona_api_key", key ?? ""),
      apiUrl: process.env.LIVE_DAYTONA_API_URL ?? "https://app.daytona.io/api",
      target: process.env.LIVE_DAYTONA_TARGET ?? null,
      installation: () => installation,
      base: { image: "node:24-bookworm" },
      imageFolder: async () => path.join(folder, "image"),
      folder,
      node: process.execPath,
      gatewayUrl: gatewayUrl ?? null,
    });

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "cs-live-"));
    await mkdir(path.join(folder, "image"));
    await writeFile(path.join(folder, "image/marker.txt"), "an image\n");
    const door = { url: gatewayUrl ?? "", listen: { host, port: Number(port) }, certificate: null };
    world = await makeWorld({ config: { publicDoor: door } });
    provider = open();
    spec = {
      key: "live-1",
      image: "base",
      labels: { app: "countersign-live" },
      gateway: world.gateway.address,
      trust: await world.client.certificate(),
      token: new Secret("sandbox_token", token),
      limits: { memoryMiB: 2_048, pids: 512 },
      ttlMs: 30 * 60_000,
    };
    await world.client.grant(bareGrant({ sandbox: "live-1", run: "live", tokenHash: hashOf(token) }));
    expect((await provider.preflight()).problems).toEqual([]);
    sandbox = await provider.create(spec, AbortSignal.timeout(MINUTES));
  }, MINUTES);
  afterAll(async () => {
    for (const { id } of await provider.list({})) await provider.destroy(id);
    expect(await provider.list({})).toEqual([]);
    await provider[Symbol.asyncDispose]();
    await world.close();
    await rm(folder, { recursive: true, force: true });
  }, MINUTES);

  test(
    "the same key is the same sandbox, also for a control plane that has just started",
    async () => {
      await using other = open();
      expect((await other.create(spec, AbortSignal.timeout(MINUTES))).id).toBe(sandbox.id);
      expect(await other.list({ app: "countersign-live" })).toHaveLength(1);
      await refused("conflict", other.create({ ...spec, ttlMs: spec.ttlMs + 60_000 }, AbortSignal.timeout(MINUTES)));
    },
    MINUTES,
  );

  test("it ends by itself when its time is over: the platform says when", async () => {
    const { createdAt, expiresAt } = await sandbox.info();
    expect(expiresAt.getTime() - createdAt.getTime()).toBeLessThanOrEqual(spec.ttlMs + 60_000);
  });

  test(
    "output is byte-exact through a burst, and input arrives once",
    async () => {
      await sandbox.start("burst", PROGRAMS.burst);
      expect((await collect(sandbox, "burst", "out", 0, AbortSignal.timeout(MINUTES))).equals(BURST)).toBe(true);
      await sandbox.start("cat", PROGRAMS.cat);
      await sandbox.input("cat", 0, Buffer.from("hello\n"));
      await sandbox.input("cat", 0, Buffer.from("hello\n"));
      expect(await until(sandbox, "cat", "out", "hello\n")).toBe("hello\n");
    },
    MINUTES,
  );

  test(
    "the gateway is at its local address and refuses what no rule allows; past it there is nothing",
    async () => {
      const env = reachEnv(sandbox, token);
      const through = await sandbox.exec({ argv: ["curl", "-sS", "-m", "20", "https://example.com/"], env }, QUICK);
      expect(through.stderr).toContain("403");
      const past = await sandbox.exec({ argv: ["curl", "-sS", "-m", "20", "https://example.com/"] }, QUICK);
      expect(past.exitCode).not.toBe(0);
    },
    MINUTES,
  );

  test(
    "files are written and read back, and an image lies where it is said",
    async () => {
      const every = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
      await sandbox.write(`${sandbox.workdir}/all.bin`, every);
      expect(Buffer.from(await sandbox.read(`${sandbox.workdir}/all.bin`, { maxBytes: 1_000 })).equals(every)).toBe(
        true,
      );
      const image = await sandbox.exec({ argv: ["cat", `${sandbox.imageDir}/marker.txt`] }, QUICK);
      expect(image.stdout).toBe("an image\n");
    },
    MINUTES,
  );

  test(
    "what is destroyed is gone",
    async () => {
      await provider.destroy(sandbox.id);
      await provider.destroy(sandbox.id);
      await refused("not_found", provider.attach(sandbox.id));
      await refused("gone", sandbox.exec(PROGRAMS.hello, QUICK));
    },
    MINUTES,
  );
});
