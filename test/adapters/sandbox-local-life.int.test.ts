import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readInside, readSupervisor } from "#adapters/sandbox/local/box.ts";
import { hasEnded } from "#adapters/sandbox/local/identity.ts";
import type { Sandbox, SandboxSpec } from "#ports/sandbox.ts";
import { collect, refused, until } from "#test/contracts/sandbox-bench.ts";
import { BURST } from "#test/contracts/sandbox-programs.ts";
import { type LocalBench, localBench, noBubblewrap, onHost, providerIn } from "./sandbox-local-bench.ts";

const calm = () => AbortSignal.timeout(25_000);
const QUICK = { timeoutMs: 20_000 };

describe.skipIf(noBubblewrap !== null)(
  `the life of a local sandbox${noBubblewrap === null ? "" : ` (not here: ${noBubblewrap})`}`,
  () => {
    let bench: LocalBench;
    let keys = 0;

    beforeAll(async () => {
      bench = await localBench();
    });
    afterAll(async () => {
      for (const one of await bench.provider.list({})) await bench.provider.destroy(one.id);
      await bench.dispose();
    });

    const create = (more: Partial<SandboxSpec> = {}): Promise<Sandbox> => {
      keys += 1;
      const limits = { memoryMiB: 256, pids: 64 };
      const spec = { key: `life-${keys}`, image: "base", labels: {}, gateway: null, limits, ttlMs: 600_000, ...more };
      return bench.provider.create(spec, calm());
    };
    const supervisorOf = (sandbox: Sandbox) => {
      const supervisor = readSupervisor(path.join(bench.stateDir, sandbox.id));
      if (supervisor === null) throw new Error("no supervisor");
      return supervisor;
    };
    /** What the provider keeps on disk, by folder. Our programs stay: they are not of any one sandbox. */
    const left = () => ({
      state: readdirSync(bench.stateDir).filter((name) => !name.startsWith(".")),
      work: readdirSync(path.join(bench.folder, "shared/work")),
      uids: readdirSync(path.join(bench.folder, "shared/uids")),
    });

    test("a sandbox outlives the process that made it, and another one finds every byte", async () => {
      const creator: ChildProcess = spawn(
        process.execPath,
        [path.join(import.meta.dirname, "sandbox-local-creator.ts"), bench.folder],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      const [said] = (await once(creator.stdout as NonNullable<ChildProcess["stdout"]>, "data")) as [Buffer];
      creator.kill("SIGKILL");
      await once(creator, "exit");
      // The spare supervisor that it had ready goes with it, and takes its log along.
      await expect.poll(() => readdirSync(bench.stateDir).filter((name) => name.startsWith(".log-"))).toEqual([]);
      const sandbox = await bench.again().attach(said.toString().trim());
      expect(await sandbox.processes()).toMatchObject([{ procId: "agent", state: "running" }]);
      await sandbox.input("agent", 0, Buffer.from("go\n"));
      expect((await collect(sandbox, "agent", "out", 0)).equals(BURST)).toBe(true);
      await bench.provider.destroy(sandbox.id);
    });

    test("with the supervisor everything inside dies, attach says gone, and destroy cleans up", async () => {
      const sandbox = await create({ labels: { run: "orphan" } });
      await sandbox.start("daemon", { argv: ["sh", "-c", "env -i setsid sleep 31415 & echo up; exec sleep 31416"] });
      await until(sandbox, "daemon", "out", "up\n");
      await expect.poll(() => onHost("sleep 3141").length).toBeGreaterThanOrEqual(2);
      const inside = readInside(path.join(bench.stateDir, sandbox.id));
      const supervisor = supervisorOf(sandbox);
      const following = collect(sandbox, "daemon", "out", 0);
      process.kill(supervisor.pid, "SIGKILL");
      await refused("gone", following);
      if (inside === null) throw new Error("nothing inside");
      expect(await hasEnded(inside.init, 10_000)).toBe(true);
      expect(onHost("sleep 3141")).toEqual([]);
      await refused("gone", bench.again().attach(sandbox.id));
      await refused("gone", sandbox.exec({ argv: ["true"] }, QUICK));
      await refused("gone", create({ key: sandbox.key, labels: { run: "orphan" } }));
      expect(await bench.provider.list({ run: "orphan" })).toMatchObject([{ id: sandbox.id, state: "stopped" }]);
      await bench.provider.destroy(sandbox.id);
      expect(await bench.provider.list({ run: "orphan" })).toEqual([]);
      expect((await create({ key: sandbox.key })).id).toBe(sandbox.id);
      await bench.provider.destroy(sandbox.id);
    });

    test("a supervisor that hangs is destroyed all the same", async () => {
      const sandbox = await create();
      const supervisor = supervisorOf(sandbox);
      process.kill(supervisor.pid, "SIGSTOP");
      await bench.again().destroy(sandbox.id);
      expect(await hasEnded(supervisor, 0)).toBe(true);
      await refused("not_found", bench.provider.attach(sandbox.id));
    });

    test("destroy leaves no process, no file, no uid and no control group", async () => {
      const before = left();
      const sandbox = await create();
      await sandbox.start("daemon", {
        argv: [
          "sh",
          "-c",
          "mkdir -p shut/in && echo x > shut/in/file && chmod 0 shut/in shut; setsid sleep 27182 & echo up; wait",
        ],
      });
      await until(sandbox, "daemon", "out", "up\n");
      const supervisor = supervisorOf(sandbox);
      expect(left()).not.toEqual(before);
      await bench.provider.destroy(sandbox.id);
      expect(left()).toEqual(before);
      expect(onHost("sleep 27182")).toEqual([]);
      expect(await hasEnded(supervisor, 0)).toBe(true);
      const groups = ["memory", "pids", "unified", "."].flatMap((one) =>
        existsSync(`/sys/fs/cgroup/${one}`) ? readdirSync(`/sys/fs/cgroup/${one}`) : [],
      );
      expect(groups.filter((name) => name.includes(sandbox.id))).toEqual([]);
    });

    test("what a maker left half done when it died is made anew", async () => {
      const sandbox = await create({ key: "half" });
      const dir = path.join(bench.stateDir, sandbox.id);
      process.kill(supervisorOf(sandbox).pid, "SIGKILL");
      await hasEnded(supervisorOf(sandbox), 10_000);
      rmSync(path.join(dir, "ready"));
      const again = await create({ key: "half" });
      expect(again.id).toBe(sandbox.id);
      expect((await again.exec({ argv: ["echo", "whole"] }, QUICK)).stdout).toBe("whole\n");
      await bench.provider.destroy(again.id);
    });

    test("a runner that is killed from inside ends its sandbox, and only its own", async () => {
      const [one, two] = await Promise.all([create(), create()]);
      await one.exec({ argv: ["sh", "-c", "kill -9 2 $PPID"] }, QUICK).catch(() => undefined);
      await hasEnded(supervisorOf(one), 10_000);
      await refused("gone", bench.provider.attach(one.id));
      expect((await two.exec({ argv: ["echo", "here"] }, QUICK)).stdout).toBe("here\n");
      for (const sandbox of [one, two]) await bench.provider.destroy(sandbox.id);
    });

    describe("the way to the gateway", () => {
      let server: Server;
      const at = () => path.join(bench.folder, "gateway.sock");
      const answer = (socket: Socket) => {
        socket.on("error", () => undefined);
        socket.once("data", (data) =>
          socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${data.toString().split("\n")[0]}`),
        );
      };
      const open = async () => {
        server = createServer(answer).listen(at());
        await once(server, "listening");
      };
      const ask = (url: string) => ({
        argv: ["node", "-e", `fetch("${url}").then((r) => r.text()).then(console.log)`],
      });

      test("every connection is carried to it, behind the name of the sandbox", async () => {
        await open();
        const sandbox = await create({ key: "run-7/1", gateway: `unix:${at()}` });
        const two = await Promise.all([
          sandbox.exec(ask(sandbox.gatewayUrl), QUICK),
          sandbox.exec(ask(sandbox.gatewayUrl), QUICK),
        ]);
        expect(two.map((one) => one.stdout)).toEqual(["COUNTERSIGN/1 run-7/1\n", "COUNTERSIGN/1 run-7/1\n"]);
        server.close();
        await bench.provider.destroy(sandbox.id);
      });

      test("while it restarts a new connection waits for it", async () => {
        const sandbox = await create({ key: "run-8/1", gateway: `unix:${at()}` });
        expect(existsSync(at())).toBe(false);
        await sandbox.start("asking", {
          argv: ["sh", "-c", `echo asking; exec "$@"`, "sh", ...ask(sandbox.gatewayUrl).argv],
        });
        await until(sandbox, "asking", "out", "asking\n");
        await open();
        expect((await collect(sandbox, "asking", "out", 0)).toString()).toBe("asking\nCOUNTERSIGN/1 run-8/1\n");
        server.close();
        await bench.provider.destroy(sandbox.id);
      });
    });

    test("a spare supervisor serves the next sandbox, and goes when nobody comes", async () => {
      const spares = () =>
        onHost(`${bench.folder}/shared`).filter((pid) =>
          readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith("spare\0"),
        );
      expect(spares()).toEqual([]);
      const provider = providerIn(bench.folder, 2_000);
      const limits = { memoryMiB: 256, pids: 64 };
      const made = [];
      for (const key of ["spare-1", "spare-2"]) {
        made.push(
          await provider.create({ key, image: "base", labels: {}, gateway: null, limits, ttlMs: 600_000 }, calm()),
        );
      }
      expect(spares()).toContain(supervisorOf(made[1] as Sandbox).pid);
      for (const sandbox of made) await provider.destroy(sandbox.id);
      await expect.poll(spares, { timeout: 20_000 }).toEqual([]);
      expect(readdirSync(bench.stateDir).filter((name) => name.startsWith(".log-"))).toEqual([]);
    });

    test("an image that does not exist is refused, and nothing is left of the attempt", async () => {
      const before = left();
      await refused("invalid", create({ image: "unknown" }));
      expect(left()).toEqual(before);
    });
  },
);
