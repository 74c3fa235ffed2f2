import { readFileSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findNpm, type HostNpm } from "#adapters/sandbox/local/npm.ts";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import { noBubblewrap } from "./sandbox-local-bench.ts";

const host = findNpm(process.env);
const missing =
  noBubblewrap ??
  (host?.holds === "package" ? null : "this host's npm is not in one piece, so it cannot be put elsewhere");

describe.skipIf(missing !== null)(
  `npm inside a local sandbox${missing === null ? "" : ` (not here: ${missing})`}`,
  () => {
    const real = host as HostNpm;
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(path.join(tmpdir(), "countersign-npm-"));
      await chmod(folder, 0o755);
      await mkdir(path.join(folder, "image"));
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    const providerWith = (npm: HostNpm | null) =>
      localSandboxes({
        stateDir: path.join(folder, "state"),
        sharedDir: path.join(folder, "shared"),
        node: process.execPath,
        npm,
        imageFolder: async () => path.join(folder, "image"),
      });

    /** What a repository's check says inside, by npm and by npx. */
    async function tryOut(npm: HostNpm | null): Promise<string[]> {
      const sandboxes = providerWith(npm);
      const limits = { memoryMiB: 512, pids: 64 };
      const sandbox = await sandboxes.create(
        { key: "npm", image: "base", labels: {}, gateway: null, limits, ttlMs: 600_000 },
        AbortSignal.timeout(25_000),
      );
      try {
        await sandbox.write(
          `${sandbox.workdir}/package.json`,
          JSON.stringify({ name: "shop", version: "1.0.0", scripts: { test: "node --version" } }),
        );
        const line = "command -v npm npx && npm --version && npm test --silent && npx --version";
        const said = await sandbox.exec({ argv: ["bash", "-c", line] }, { timeoutMs: 25_000 });
        expect(said).toMatchObject({ stderr: "", exitCode: 0 });
        return said.stdout.trim().split("\n");
      } finally {
        await sandboxes.destroy(sandbox.id);
      }
    }
    const { version } = JSON.parse(readFileSync(path.join(real.folder, "package.json"), "utf8")) as { version: string };
    const works = ["/opt/node/bin/npm", "/opt/node/bin/npx", version, process.version, version];

    test("npm that lives in a home that is shut works inside, run by the Node 24 that we brought", async () => {
      const installed = path.join(folder, "home/.nvm/versions/node/v20.1.0");
      await mkdir(path.join(installed, "bin"), { recursive: true });
      await cp(real.folder, path.join(installed, "lib/node_modules/npm"), { recursive: true });
      await symlink("../lib/node_modules/npm/bin/npm-cli.js", path.join(installed, "bin/npm"));
      await chmod(path.join(folder, "home"), 0o700);
      const npm = findNpm({ PATH: path.join(installed, "bin") });
      expect(npm?.folder).toBe(path.join(installed, "lib/node_modules/npm"));
      expect(await tryOut(npm)).toEqual(works);
    });

    test("npm whose parts lie beside it, as Debian has it, works inside as well", async () => {
      const modules = path.join(folder, "share/nodejs");
      await cp(real.folder, path.join(modules, "npm"), { recursive: true });
      const parts = path.join(modules, "npm/node_modules");
      for (const name of await readdir(parts)) await rename(path.join(parts, name), path.join(modules, name));
      const npm = findNpm({ npm_execpath: path.join(modules, "npm/bin/npm-cli.js") });
      expect(npm).toMatchObject({ folder: modules, holds: "modules" });
      expect(await tryOut(npm)).toEqual(works);
    });

    test("a host without npm is told so in one line, with the line that mends it", async () => {
      const { problems } = await providerWith(null).preflight();
      expect(problems).toEqual([{ what: "npm is not on this machine", fix: expect.stringMatching(/npm/) }]);
      expect((await providerWith(real).preflight()).problems).toEqual([]);
    });
  },
);
