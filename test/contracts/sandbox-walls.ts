import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "#ports/sandbox.ts";
import { calm, collect, refused, type SandboxBench, until } from "./sandbox-bench.ts";
import { evaluate, sh } from "./sandbox-inside.ts";

/** What holds of the inside of a sandbox that runs real programs on a real kernel, beyond the contract. */
export function sandboxWalls(name: string, makeBench: () => Promise<SandboxBench>): void {
  describe(`the walls of a sandbox, over ${name}`, () => {
    let bench: SandboxBench;
    let one: Sandbox;
    let two: Sandbox;
    const make = (key: string) =>
      bench.provider.create(
        { key, image: bench.image, labels: {}, gateway: null, limits: { memoryMiB: 512, pids: 64 }, ttlMs: 600_000 },
        calm(),
      );
    /** Arguments of every `sleep` in there. */
    const sleepers = async (sandbox: Sandbox): Promise<unknown> =>
      evaluate(
        sandbox,
        `() => {
          const fs = require("node:fs");
          const line = (pid) => { try { return fs.readFileSync("/proc/" + pid + "/cmdline", "utf8").split("\\0"); } catch { return []; } };
          const rows = fs.readdirSync("/proc").filter((name) => Number(name) > 0).map(line);
          return rows.filter((row) => row[0] === "sleep").map((row) => row[1]).sort();
        }`,
      );

    beforeAll(async () => {
      bench = await makeBench();
      [one, two] = await Promise.all([make("walls/one"), make("walls/two")]);
    });
    afterAll(async () => {
      for (const sandbox of [one, two]) await bench.provider.destroy(sandbox.id);
      await bench.dispose();
    });

    test("two processes run at once and share the loopback, which the neighbour does not", async () => {
      const listen = `require("node:net").createServer((socket) => socket.end("hello")).listen(4321, "127.0.0.1", () => console.log("up"))`;
      await one.start("server", { argv: ["node", "-e", listen] });
      await until(one, "server", "out", "up\n");
      const knock = `async () => new Promise((done) => require("node:net").connect(4321, "127.0.0.1")
        .on("data", (data) => done(String(data))).on("error", (error) => done(error.code)))`;
      expect(await evaluate(one, knock)).toBe("hello");
      expect(await evaluate(two, knock)).toBe("ECONNREFUSED");
      await one.kill("server", "KILL");
    });

    test("two sandboxes see neither each other's files nor each other's processes", async () => {
      await one.write(`${one.workdir}/secret.txt`, "of the first");
      await one.write("/tmp/secret.txt", "of the first");
      await one.start("sleeper", { argv: ["sleep", "4242"] });
      const look = "ls -A /workspace /home/agent /tmp; cat /proc/[0-9]*/cmdline | tr '\\0' ' '";
      expect((await sh(one, look)).stdout).toContain("sleep 4242");
      const theirs = await sh(two, look);
      expect(theirs.stdout).not.toContain("secret");
      expect(theirs.stdout).not.toContain("sleep 4242");
      await one.kill("sleeper", "KILL");
    });

    test("the host's files, accounts and environment are not there", async () => {
      const made = await mkdtemp(path.join(tmpdir(), "countersign-of-the-host-"));
      await chmod(made, 0o755);
      const named = [made, import.meta.dirname].map((folder) => `'${folder}'`).join(" ");
      const folders = `for f in ${named} /home/* /root /var/lib /srv /mnt /media /proc/1/root/home/*; do test -e "$f" && echo "$f"; done`;
      const { stdout } = await sh(one, folders);
      await rm(made, { recursive: true });
      expect(stdout).toBe("/home/agent\n/proc/1/root/home/agent\n");
      expect((await sh(one, "cut -d: -f1 /etc/passwd; cat /etc/shadow")).stdout).toBe("root\nagent\n");
      const all = await sh(one, "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | cut -d= -f1 | sort -u");
      const ours = [
        "COUNTERSIGN_PROC",
        "HOME",
        "LANG",
        "NODE_CHANNEL_FD",
        "NODE_CHANNEL_SERIALIZATION_MODE",
        "PATH",
        "PWD",
        "TERM",
      ];
      expect(
        all.stdout
          .trim()
          .split("\n")
          .filter((each) => !ours.includes(each)),
      ).toEqual([]);
    });

    test("the system is read-only, and there are no capabilities and no namespaces to be had", async () => {
      const tries = [
        "touch /x",
        "touch /usr/x",
        "touch /etc/x",
        "touch /opt/image/x",
        "touch /opt/countersign/x",
        "touch /dev/x",
      ];
      for (const attempt of tries) expect((await sh(one, attempt)).stderr).toMatch(/Read-only file system/);
      expect((await sh(one, "grep CapEff /proc/self/status")).stdout.trim()).toMatch(/^CapEff:\s+0{16}$/);
      expect((await sh(one, "grep NoNewPrivs /proc/self/status")).stdout.trim()).toMatch(/1$/);
      expect((await sh(one, "unshare --user true")).exitCode).not.toBe(0);
      expect((await sh(one, "mount -t tmpfs none /tmp")).exitCode).not.toBe(0);
    });

    test("a process inherits no descriptor but its own three", async () => {
      const result = await sh(one, "ls /proc/self/fd");
      // The fourth is the listing's own.
      expect(result.stdout.trim().split("\n")).toEqual(["0", "1", "2", "3"]);
    });

    test("a child in the background that holds the output does not hold up the end", async () => {
      const result = await sh(one, "sleep 60 & echo done");
      expect(result).toMatchObject({ exitCode: 0, stdout: "done\n", timedOut: false });
      await one.start("parent", { argv: ["sh", "-c", "sleep 61 & echo done"] });
      expect((await collect(one, "parent", "out", 0)).toString()).toBe("done\n");
      await one.killAll();
    });

    test("KILL takes along who left the group, the session and the environment", async () => {
      const daemons =
        "setsid sleep 7001 & env -i setsid sleep 7002 & (setsid sh -c 'sleep 7003 & sleep 7004' &) ; sleep 7005";
      await one.start("agent", { argv: ["sh", "-c", `${daemons} & echo up; wait`] });
      await until(one, "agent", "out", "up\n");
      await one.start("bystander", { argv: ["sleep", "7100"] });
      await expect
        .poll(() => sleepers(one), { timeout: 20_000 })
        .toEqual(["7001", "7002", "7003", "7004", "7005", "7100"]);
      await one.kill("agent", "KILL");
      expect(await sleepers(one)).toEqual(["7100"]);
      await one.killAll();
      expect(await sleepers(one)).toEqual([]);
    });

    test("an exec that takes too long takes its daemons along", async () => {
      const late = await one.exec({ argv: ["sh", "-c", "setsid sleep 7200 & sleep 7201"] }, { timeoutMs: 300 });
      expect(late).toMatchObject({ timedOut: true, signal: "SIGKILL" });
      expect(await sleepers(one)).toEqual([]);
    });

    test("an exec that nobody waits for any more is killed inside as well", async () => {
      const off = new AbortController();
      const running = one.exec({ argv: ["sleep", "7400"] }, { timeoutMs: 60_000, signal: off.signal });
      await expect.poll(() => sleepers(one), { timeout: 20_000 }).toEqual(["7400"]);
      off.abort(new Error("called off"));
      await expect(running).rejects.toThrow("called off");
      await expect.poll(() => sleepers(one), { timeout: 20_000 }).toEqual([]);
    });

    test("a fork bomb meets its limit, and killAll ends it", async () => {
      const { capabilities } = await bench.provider.preflight();
      expect(capabilities.limits.pids).toBe("hard");
      const bomb = "for i in $(seq 300); do sleep 7300 & echo $i; done; wait";
      await two.start("bomb", { argv: ["sh", "-c", bomb] });
      const forks = (await collect(two, "bomb", "out", 0)).toString().trim().split("\n").length;
      expect(forks).toBeGreaterThan(10);
      expect(forks).toBeLessThan(110);
      await two.killAll();
      expect(await sleepers(two)).toEqual([]);
    });

    test("read and write refuse every way out: links, FIFOs, devices, second names, size", async () => {
      const at = one.workdir;
      await sh(
        one,
        "ln -s /etc/passwd link; ln -s / root; ln -s /proc/self/environ env; mkfifo fifo; ln -s /dev/zero zero; echo x > named; ln named second; mkdir folder; ln -s folder inner; echo ok > folder/file; ln -s loop loop; truncate -s 40M big",
      );
      for (const file of ["link", "root/etc/passwd", "env", "fifo", "zero", "named", "folder", "loop"]) {
        await refused("denied_path", one.read(`${at}/${file}`, { maxBytes: 1_000_000 }));
      }
      expect(Buffer.from(await one.read(`${at}/inner/file`, { maxBytes: 10 })).toString()).toBe("ok\n");
      await refused("too_large", one.read(`${at}/big`, { maxBytes: 100_000_000 }));
      for (const file of ["root/tmp/planted", "root/home/agent/planted", "folder"])
        await refused("denied_path", one.write(`${at}/${file}`, "x"));
      await one.write(`${at}/link`, "replaced, not followed");
      expect((await sh(one, "cat link; test -L link || echo plain; stat -c %a link")).stdout).toBe(
        "replaced, not followedplain\n644\n",
      );
      await one.write(`${one.home}/.config/tool/run.sh`, "#!/bin/sh\necho ran\n", { mode: 0o755 });
      expect((await sh(one, "~/.config/tool/run.sh")).stdout).toBe("ran\n");
    });

    test("node is the one we brought, and the image is there to be read", async () => {
      expect((await sh(one, "command -v node; node --version; ls -d /opt/image")).stdout).toBe(
        `/opt/node/bin/node\n${process.version}\n/opt/image\n`,
      );
    });
  });
}
