import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DockerfileParser } from "dockerfile-ast";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openHealth, workerSign } from "#health.ts";
import { gatewaySockets } from "#places.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { until } from "#test/chaos/until.ts";
import { type Command, command, freePort } from "#test/command.ts";
import { freshDatabase } from "#test/postgres.ts";

const root = path.resolve(import.meta.dirname, "..");
const MINUTE_MS = 60_000;

/** The health check of the image, as its engine runs it in the container; its exit code. */
async function check(port: number): Promise<number | null> {
  const line = DockerfileParser.parse(readFileSync(path.join(root, "Dockerfile"), "utf8"))
    .getInstructions()
    .find((one) => one.getKeyword() === "HEALTHCHECK")
    ?.getTextContent();
  const [, argv = "[]"] = /CMD (\[.*\])\s*$/s.exec(line ?? "") ?? [];
  const [program = "", ...args] = JSON.parse(argv) as string[];
  expect(program).toBe("node");
  const env = { ...process.env, COUNTERSIGN_HEALTH_PORT: String(port) };
  const child = spawn(process.execPath, args, { env, stdio: "ignore" });
  await once(child, "close");
  return child.exitCode;
}

const asked = async (port: number) => {
  const answer = await fetch(`http://127.0.0.1:${port}/health`);
  return { status: answer.status, body: await answer.json() };
};

describe.skipIf(noBubblewrap !== null)(
  `the health check of the image${noBubblewrap === null ? "" : ` (not here: ${noBubblewrap})`}`,
  () => {
    let folder: string;
    let started: Command[];
    let dropped: (() => Promise<unknown>)[];
    beforeEach(() => {
      folder = mkdtempSync(path.join(tmpdir(), "cs-health-"));
      started = [];
      dropped = [];
    });
    afterEach(async () => {
      for (const one of started) await one.stop();
      for (const drop of dropped) await drop();
      rmSync(folder, { recursive: true, force: true });
    });

    async function serve(roles: string, env: Readonly<Record<string, string>> = {}): Promise<number> {
      const port = await freePort();
      const settings = { COUNTERSIGN_DATA: folder, PORT: "0", COUNTERSIGN_HEALTH_PORT: String(port), ...env };
      started.push(command(["serve", "--roles", roles], settings));
      return port;
    }
    const well = (port: number) =>
      until("it is well", async () => ((await asked(port).catch(() => null))?.status === 200 ? true : null));

    test.each(["web,worker,gateway", "worker,gateway"])(
      "holds for a process that is %s",
      { timeout: 2 * MINUTE_MS },
      async (roles) => {
        const { url, drop } = await freshDatabase();
        dropped.push(drop);
        const port = await serve(roles, { DATABASE_URL: url });
        await well(port);
        expect(await check(port)).toBe(0);
        // It lives and does not answer; whoever keeps it waits longer before it is replaced.
        const { identity } = JSON.parse(
          readFileSync(path.join(gatewaySockets(folder).stateDir, "process.json"), "utf8"),
        ) as {
          identity: { pid: number };
        };
        process.kill(identity.pid, "SIGSTOP");
        try {
          expect(await asked(port)).toEqual({ status: 503, body: { ok: false, ill: ["gateway"] } });
          expect(await check(port)).toBe(1);
        } finally {
          process.kill(identity.pid, "SIGCONT");
        }
      },
    );

    test("holds for a gateway alone", { timeout: MINUTE_MS }, async () => {
      const port = await serve("gateway");
      await well(port);
      expect(await check(port)).toBe(0);
    });

    test("does not hold for a gateway that nobody can ask", { timeout: MINUTE_MS }, async () => {
      const port = await serve("gateway");
      const { stateDir, adminSocket } = gatewaySockets(folder);
      // Before anybody has asked: an open connection would go on to be answered.
      await until("it listens", () => existsSync(path.join(stateDir, "process.json")));
      rmSync(adminSocket);
      await until(
        "it is ill",
        async () => JSON.stringify((await asked(port)).body) === '{"ok":false,"ill":["gateway"]}',
      );
      expect(await check(port)).toBe(1);
    });

    test("does not hold for a worker whose database is gone", { timeout: 2 * MINUTE_MS }, async () => {
      const { url, drop } = await freshDatabase();
      const port = await serve("worker,gateway", { DATABASE_URL: url });
      await well(port);
      await drop();
      await until("it is ill", async () => ((await asked(port)).status === 503 ? true : null));
      expect((await asked(port)).body).toEqual({ ok: false, ill: ["worker"] });
      expect(await check(port)).toBe(1);
    });

    test("a port that is taken is one line with the fix", { timeout: MINUTE_MS }, async () => {
      const other = await openHealth(0);
      const refused = command(["serve", "--roles", "gateway"], {
        ...{ COUNTERSIGN_DATA: folder, COUNTERSIGN_HEALTH_PORT: String(other.port) },
      });
      expect(await refused.ended).toBe(1);
      expect(refused.words()).toBe(
        `countersign: port ${other.port} of COUNTERSIGN_HEALTH_PORT is taken: name another, or unset it\n`,
      );
      await other.close();
    });
  },
);

test("whoever asks before there is a sign is told that we are starting, and what hangs or fails is ill", async () => {
  const health = await openHealth(0);
  expect(await asked(health.port)).toEqual({ status: 503, body: { ok: false, ill: ["starting"] } });
  const failing = () => Promise.reject(new Error("hush"));
  health.watch([
    { role: "web", look: async () => "here" },
    { role: "worker", look: failing },
    { role: "gateway", look: () => new Promise(() => {}) },
  ]);
  expect(await asked(health.port)).toEqual({ status: 503, body: { ok: false, ill: ["worker", "gateway"] } });
  health.watch([{ role: "web", look: async () => "here" }]);
  expect(await asked(health.port)).toEqual({ status: 200, body: { ok: true } });
  expect((await fetch(`http://127.0.0.1:${health.port}/`)).status).toBe(404);
  await health.close();
});

test.each([
  ["has looked for jobs a moment ago", 2_000, true],
  ["works on none", null, false],
  ["has not looked for half a minute, though the store answers", 30_001, false],
])("an engine that %s: %j", async (_what, lookedMsAgo, alive) => {
  const none = { tick: 0, agent: 0, control: 0 };
  const { look } = workerSign({ stats: async () => ({ queued: none, active: none, lookedMsAgo }) });
  expect(
    await look().then(
      () => true,
      () => false,
    ),
  ).toBe(alive);
});
