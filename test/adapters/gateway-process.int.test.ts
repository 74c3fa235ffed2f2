import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { type GatewayProcess, keepGateway } from "#adapters/gateway/process.ts";
import { identityOf } from "#adapters/sandbox/local/identity.ts";
import { parseConfig } from "#config.ts";
import { gatewayClient } from "#gateway/client.ts";
import { gatewayConfiguration } from "#gateway-role.ts";
import { gatewaySockets } from "#places.ts";
import { until } from "#test/chaos/until.ts";

/** Longer than a test: this gateway never gives up. */
const NEVER_MS = 600_000;
const ORPHAN_MS = 2_000;

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

/** A data folder, and what the control plane of it does with its gateway. */
function installation(orphanMs: number, leaseMs?: number) {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-gateway-"));
  open.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const sockets = gatewaySockets(dataDir);
  const gateway = gatewayClient({ ...sockets, ...(leaseMs === undefined ? {} : { leaseMs }) });
  const started: ChildProcess[] = [];
  const start = (): ChildProcess => {
    const file = path.join(import.meta.dirname, "gateway-role-process.ts");
    const child = spawn(process.execPath, [file, dataDir, String(orphanMs)], { detached: true, stdio: "ignore" });
    started.push(child);
    open.push(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    });
    return child;
  };
  const logged: string[] = [];
  const log = (message: string): void => void logged.push(message);
  const keep = async (configuration: string, o: { deafMs?: number } = {}): Promise<GatewayProcess> => {
    const kept = await keepGateway({ stateDir: sockets.stateDir, configuration, gateway, start, log, ...o });
    open.push(() => kept.stop({ end: false }));
    return kept;
  };
  const recorded = (): unknown => JSON.parse(readFileSync(path.join(sockets.stateDir, "process.json"), "utf8"));
  return {
    stateDir: sockets.stateDir,
    configuration: gatewayConfiguration(parseConfig({ COUNTERSIGN_DATA: dataDir }, "/")),
    gateway,
    started,
    start,
    logged,
    keep,
    recorded,
  };
}

test("the gateway that is there is adopted by whoever comes next", async () => {
  const { keep, configuration, started, recorded, gateway } = installation(NEVER_MS);
  const first = await keep(configuration);
  const before = recorded();
  await first.stop({ end: false });
  const second = await keep(configuration);
  expect(recorded()).toEqual(before);
  expect(started.map((child) => child.exitCode)).toEqual([null]);
  await expect(gateway.lease()).resolves.toBeUndefined();
  await second.stop({ end: true });
  expect(identityOf(started[0]?.pid ?? 0)).toBe(null);
});

test("a gateway that ended because another was there first is started again when that one is gone too", async () => {
  const { configuration, gateway, started, start, stateDir } = installation(NEVER_MS);
  const doomed = (): ChildProcess => spawn(process.execPath, ["-e", "process.exit(1)"], { stdio: "ignore" });
  let calls = 0;
  const kept = await keepGateway({
    stateDir,
    configuration,
    gateway,
    start: () => {
      calls += 1;
      return calls < 3 ? doomed() : start();
    },
    log: () => undefined,
  });
  open.push(() => kept.stop({ end: false }));
  expect(started).toHaveLength(1);
  await expect(gateway.lease()).resolves.toBeUndefined();
});

test("a gateway that never starts is said, with its exit code", async () => {
  const { configuration, gateway, stateDir } = installation(NEVER_MS);
  const start = (): ChildProcess => spawn(process.execPath, ["-e", "process.exit(7)"], { stdio: "ignore" });
  const keeping = keepGateway({ stateDir, configuration, gateway, start, log: () => undefined });
  await expect(keeping).rejects.toThrow("it ended at once (exit 7)");
});

test("a gateway with another configuration is not adopted: it ends, and another one answers", async () => {
  const { keep, configuration, started, gateway } = installation(NEVER_MS);
  const first = await keep(configuration);
  await first.stop({ end: false });
  await keep("with another key");
  expect(started.map(({ exitCode, signalCode }) => ({ exitCode, signalCode }))).toEqual([
    { exitCode: 0, signalCode: null },
    { exitCode: null, signalCode: null },
  ]);
  await expect(gateway.lease()).resolves.toBeUndefined();
});

test("a gateway that no control plane speaks to any more ends itself, and not before", async () => {
  const { start, gateway } = installation(ORPHAN_MS);
  const child = start();
  const exited = once(child, "exit");
  await until("the gateway answers", () =>
    gateway.lease().then(
      () => true,
      () => false,
    ),
  );
  const heardFor = performance.now() + 2 * ORPHAN_MS;
  await until("it was spoken to for longer than it waits", async () => {
    await gateway.lease();
    return performance.now() > heardFor;
  });
  expect(await exited).toEqual([0, null]);
});

const REPLACED = "the gateway lives but does not answer, and is replaced";

test("a gateway that lives and answers nobody is replaced", async () => {
  const { keep, configuration, started, recorded, logged, gateway } = installation(NEVER_MS, 200);
  await keep(configuration, { deafMs: 400 });
  const before = recorded();
  started[0]?.kill("SIGSTOP");
  await until("another one is there", async () => started.length === 2);
  await until("it answers", async () =>
    gateway
      .lease()
      .then(() => true)
      .catch(() => null),
  );
  expect(recorded()).not.toEqual(before);
  expect(logged).toContain(REPLACED);
});

test("a control plane that was stopped itself for a while takes nobody for deaf", async () => {
  const { keep, configuration, recorded, logged } = installation(NEVER_MS);
  const kept = await keep(configuration, { deafMs: 400 });
  const before = recorded();
  // As SIGSTOP, or a machine that sleeps, does: nothing runs here meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
  await new Promise((resolve) => setTimeout(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  // Its end waits for the look that is under way.
  await kept.stop({ end: false });
  expect([recorded(), logged]).toEqual([before, []]);
});
