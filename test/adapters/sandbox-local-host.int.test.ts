import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readBox } from "#adapters/sandbox/local/box.ts";
import { survey } from "#adapters/sandbox/local/preflight.ts";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import { isReachable, ownFolder, stageProgram, stageTree } from "#adapters/sandbox/local/staging.ts";
import type { SandboxSpec } from "#ports/sandbox.ts";
import { noBubblewrap } from "./sandbox-local-bench.ts";

const isRoot = process.getuid?.() === 0;
const spec = (key: string): SandboxSpec => ({
  key,
  image: "base",
  labels: {},
  gateway: null,
  limits: { memoryMiB: 256, pids: 64 },
  ttlMs: 600_000,
});

describe.skipIf(noBubblewrap !== null)(
  `local sandboxes and their host${noBubblewrap === null ? "" : ` (not here: ${noBubblewrap})`}`,
  () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(path.join(tmpdir(), "countersign-host-"));
    });
    afterEach(async () => {
      await rm(folder, { recursive: true, force: true });
    });

    test("a machine that can is surveyed without a problem, and says what is in force", async () => {
      const found = await survey({ bwrap: null, uid: isRoot ? 20_000 : null });
      expect(found.problems).toEqual([]);
      expect(found.capabilities).toMatchObject({
        isolation: "process",
        egress: "enforced",
        limits: { pids: "hard", disk: "none" },
      });
      expect(found.capabilities.limits.cpu).toBe(found.cgroups?.cpu ? "hard" : "none");
      expect(found.capabilities.limits.memory).toBe(found.cgroups === null ? "none" : "hard");
    });

    test("without bubblewrap the problem names the line that installs it", async () => {
      const found = await survey({ bwrap: path.join(folder, "bwrap"), uid: null });
      expect(found.capabilities).toMatchObject({ isolation: "none", egress: "none" });
      expect(found.problems).toMatchObject([
        { what: "bubblewrap is not installed", fix: expect.stringContaining("bubblewrap") },
      ]);
    });

    test.each([
      [
        "too old",
        "echo bubblewrap 0.4.1",
        /0\.4\.1; 0\.8 or newer is needed/,
        /^(?!apt-get).*newer release.*BWRAP_PATH/,
      ],
      ["broken", "echo bwrap: cannot load libcap >&2; exit 127", /does not run: .*libcap/, /nstall/],
      [
        "refused by the kernel",
        '[ "$1" = --version ] && echo bubblewrap 0.8.0 || { echo "bwrap: No permissions to create new namespace" >&2; exit 1; }',
        /No permissions to create new namespace/,
        /sysctl -w|--security-opt/,
      ],
    ])("bubblewrap that is %s is a problem with its fix", async (_, script, what, fix) => {
      const bwrap = path.join(folder, "bwrap");
      await writeFile(bwrap, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      const [problem] = (await survey({ bwrap, uid: null })).problems;
      expect(problem?.what).toMatch(what);
      expect(problem?.fix).toMatch(fix);
    });

    test.each([
      ["kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"],
      ["user/max_user_namespaces", "0", "user.max_user_namespaces=15000"],
      ["kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"],
    ])("where %s is %s the exact line that lifts it is said", async (name, value, line) => {
      const bwrap = path.join(folder, "bwrap");
      const refused = "bwrap: setting up uid map: Permission denied";
      const script = `[ "$1" = --version ] && echo bubblewrap 0.9.0 || { echo "${refused}" >&2; exit 1; }`;
      await writeFile(bwrap, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      const kernel = (asked: string) => (asked === name ? value : null);
      expect((await survey({ bwrap, uid: null, kernel })).problems).toEqual([
        {
          what: `bubblewrap cannot build a sandbox here: ${refused}`,
          fix: `run \`sudo sysctl -w ${line}\` and start again.`,
        },
      ]);
    });

    test("a sandbox on a machine that cannot is refused as unsupported, with the fix", async () => {
      const sandboxes = localSandboxes({
        stateDir: path.join(folder, "state"),
        sharedDir: path.join(folder, "shared"),
        node: process.execPath,
        imageFolder: async () => folder,
        bwrap: path.join(folder, "no-bwrap"),
      });
      await expect(sandboxes.create(spec("no"), AbortSignal.timeout(10_000))).rejects.toMatchObject({
        code: "unsupported",
      });
      expect(await sandboxes.list({})).toEqual([]);
    });

    test("what nothing here can hold a sandbox to is refused, and nothing is left of it", async () => {
      const stateDir = path.join(folder, "state");
      const sandboxes = localSandboxes({
        ...{ stateDir, sharedDir: path.join(folder, "shared"), node: process.execPath },
        imageFolder: async () => folder,
      });
      const limited = { ...spec("disk"), limits: { memoryMiB: 256, pids: 64, diskMiB: 1_024 } };
      await expect(sandboxes.create(limited, AbortSignal.timeout(10_000))).rejects.toMatchObject({
        code: "policy_unenforceable",
        message: "the local sandbox cannot hold a sandbox to a limit on disk",
      });
      expect(await sandboxes.list({})).toEqual([]);
    });

    test("everything in a sandbox with a limit on processors is in a group that is held to it, and the group goes with it", async (ctx) => {
      const { cgroups } = await survey({ bwrap: null, uid: isRoot ? 20_000 : null });
      if (cgroups === null || cgroups.cpu === null) return ctx.skip("this machine lets us hold no processor time");
      await chmod(folder, 0o755);
      const stateDir = path.join(folder, "state");
      const sandboxes = localSandboxes({
        ...{ stateDir, sharedDir: path.join(folder, "shared"), node: process.execPath },
        imageFolder: async () => folder,
      });
      const limited = { ...spec("cpu"), limits: { memoryMiB: 256, pids: 64, cpus: 2 } };
      const sandbox = await sandboxes.create(limited, AbortSignal.timeout(25_000));
      const group = readBox(path.join(stateDir, sandbox.id))?.cpuGroup ?? "";
      try {
        const [file, most] = cgroups.version === "v2" ? ["cpu.max", "200000 100000"] : ["cpu.cfs_quota_us", "200000"];
        expect((await readFile(path.join(group, file), "utf8")).trim()).toBe(most);
        await sandbox.start("sleeper", { argv: ["sleep", "27183"] });
        const members = (await readFile(path.join(group, "cgroup.procs"), "utf8")).split("\n").filter(Boolean);
        const lines = await Promise.all(members.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8")));
        expect(lines.some((line) => line.startsWith("sleep\0"))).toBe(true);
        // The same key with the same limits is the same sandbox.
        expect((await sandboxes.create(limited, AbortSignal.timeout(25_000))).id).toBe(sandbox.id);
      } finally {
        await sandboxes.destroy(sandbox.id);
      }
      expect(existsSync(group)).toBe(false);
    });

    test("a folder that somebody else can change is not used", async () => {
      const planted = path.join(folder, "planted");
      await mkdir(planted);
      await chmod(planted, 0o777);
      expect(() => ownFolder(planted, 0o755)).toThrow("nobody else can write");
      if (!isRoot) return;
      await chown(planted, 65_534, 65_534);
      await chmod(planted, 0o755);
      expect(() => ownFolder(planted, 0o755)).toThrow("belongs to this user");
      expect(() => ownFolder(path.join(planted, "below"), 0o755)).toThrow("only root can change");
    });

    test("what others cannot read is brought where they can, and what they can is left where it is", async () => {
      const shut = path.join(folder, "shut");
      const open = path.join(folder, "open");
      await mkdir(path.join(shut, "image/bin"), { recursive: true });
      await writeFile(path.join(shut, "image/bin/tool"), "#!/bin/sh\n", { mode: 0o700 });
      await writeFile(path.join(shut, "image/readme"), "hello", { mode: 0o644 });
      await mkdir(open, { mode: 0o755 });
      await chmod(folder, 0o755);
      await chmod(shut, 0o700);
      expect(isReachable(path.join(shut, "image"))).toBe(false);
      const tree = await stageTree(path.join(shut, "image"), open);
      expect(path.dirname(tree)).toBe(open);
      expect(await readFile(path.join(tree, "readme"), "utf8")).toBe("hello");
      expect((await stat(path.join(tree, "bin/tool"))).mode & 0o777).toBe(0o755);
      expect((await stat(path.join(shut, "image/bin/tool"))).mode & 0o777).toBe(0o700);
      expect(await stageTree(path.join(shut, "image"), open)).toBe(tree);
      expect(await stageTree(tree, open)).toBe(tree);
      const program = stageProgram(path.join(shut, "image/bin/tool"), open);
      expect((await stat(program)).mode & 0o777).toBe(0o755);
      expect(await readdir(open)).toHaveLength(2);
    });

    test.runIf(isRoot)(
      "as root, with everything below a home that is shut, a sandbox runs all the same, as nobody",
      async () => {
        const home = path.join(folder, "home");
        await mkdir(path.join(home, "image"), { recursive: true });
        await writeFile(path.join(home, "image/readme"), "from home", { mode: 0o600 });
        await chmod(folder, 0o755);
        await chmod(home, 0o700);
        const sandboxes = localSandboxes({
          stateDir: path.join(home, "state"),
          sharedDir: path.join(folder, "shared"),
          node: process.execPath,
          imageFolder: async () => path.join(home, "image"),
        });
        const sandbox = await sandboxes.create(spec("home"), AbortSignal.timeout(25_000));
        try {
          const said = await sandbox.exec(
            { argv: ["sh", "-c", "cat /opt/image/readme; id -u; touch mine"] },
            { timeoutMs: 10_000 },
          );
          expect(said.stdout).toBe("from home1000\n");
          const [work = ""] = await readdir(path.join(folder, "shared/work"));
          expect((await stat(path.join(folder, "shared/work", work, "workspace/mine"))).uid).toBeGreaterThan(20_000);
        } finally {
          await sandboxes.destroy(sandbox.id);
        }
      },
    );

    /** The tests run as root in containers; people run the product as themselves. */
    test.runIf(isRoot)("without root a sandbox works too, as the user that asked", async (ctx) => {
      const program = path.join(import.meta.dirname, "sandbox-local-creator.ts");
      if (!isReachable(program) || !isReachable(process.execPath)) ctx.skip("another user cannot read this checkout");
      await mkdir(path.join(folder, "image"));
      await writeFile(path.join(folder, "image/marker.txt"), "an image\n");
      await chmod(folder, 0o755);
      await chown(folder, 65_534, 65_534);
      const creator = spawn(process.execPath, [program, folder], {
        uid: 65_534,
        gid: 65_534,
        cwd: "/",
        stdio: ["ignore", "pipe", "inherit"],
        env: {},
      });
      const [said] = (await once(creator.stdout, "data")) as [Buffer];
      const id = said.toString().trim();
      creator.kill("SIGKILL");
      await once(creator, "exit");
      const destroyer = `
      import { providerIn } from ${JSON.stringify(path.join(import.meta.dirname, "sandbox-local-bench.ts"))};
      const sandboxes = providerIn(${JSON.stringify(folder)});
      const sandbox = await sandboxes.attach(${JSON.stringify(id)});
      const said = await sandbox.exec({ argv: ["sh", "-c", "id -u; mkdir -p a/b; chmod 0 a/b a"] }, { timeoutMs: 10_000 });
      console.log(said.stdout, (await sandboxes.preflight()).capabilities.limits.pids);
      await sandboxes.destroy(sandbox.id);
      console.log("left:", (await sandboxes.list({})).length);
    `;
      const second = spawn(process.execPath, ["--input-type=module", "-e", destroyer], {
        uid: 65_534,
        gid: 65_534,
        cwd: path.resolve(import.meta.dirname, "../.."),
        stdio: ["ignore", "pipe", "inherit"],
        env: {},
      });
      let text = "";
      second.stdout.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      const [code] = await once(second, "exit");
      expect(text).toBe("1000\n hard\nleft: 0\n");
      expect(code).toBe(0);
      expect(existsSync(path.join(folder, "state", id))).toBe(false);
      expect(await readdir(path.join(folder, "state/.shared/work"))).toEqual([]);
    });
  },
);
