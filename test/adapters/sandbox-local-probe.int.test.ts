import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import { type LocalBench, localBench, noBubblewrap } from "./sandbox-local-bench.ts";

/**
 * A bubblewrap that builds nothing: in the runner's place it starts a program that takes calls as the runner does, and
 * answers the probe with `attempts`. So no real way out is needed to see what becomes of one.
 */
const pretender = (attempts: unknown) => `#!${process.execPath}
if (process.argv[2] === "--version") console.log("bubblewrap 0.8.0");
else if (process.argv.at(-1) !== "/usr/bin/true") {
  const link = new (require("node:net").Socket)({ fd: 4 });
  const say = (message) => link.write(JSON.stringify(message) + "\\n");
  say({ kind: "ready" });
  link.setEncoding("utf8").on("data", (text) => {
    for (const line of text.split("\\n").filter(Boolean)) {
      const { id, op } = JSON.parse(line);
      if (op === "probe") say({ kind: "reply", id, body: ${JSON.stringify(attempts)} });
    }
  });
  link.on("end", () => process.exit()).on("close", () => process.exit());
}
`;

describe.skipIf(noBubblewrap !== null)("the probe of a new local sandbox", () => {
  let bench: LocalBench;
  beforeEach(async () => {
    bench = await localBench();
  });
  afterEach(async () => {
    for (const { id } of await bench.provider.list({})) await bench.provider.destroy(id);
    await bench.dispose();
  });

  async function create(attempts: unknown) {
    // Its ending says what it is written in, wherever the folder for temporary files lies.
    const bwrap = path.join(bench.folder, "bwrap.cjs");
    await writeFile(bwrap, pretender(attempts), { mode: 0o755 });
    const sandboxes = localSandboxes({
      stateDir: bench.stateDir,
      sharedDir: path.join(bench.folder, "shared"),
      node: process.execPath,
      imageFolder: async () => path.join(bench.folder, "image"),
      bwrap,
    });
    const limits = { memoryMiB: 256, pids: 64 };
    const spec = { key: "probed", image: "base", labels: {}, gateway: null, limits, ttlMs: 600_000 };
    const made = sandboxes.create(spec, AbortSignal.timeout(25_000));
    return { made, sandboxes };
  }
  const attempt = (reached: boolean) => ({
    attempt: "tcp 192.0.2.1:80",
    reached,
    detail: reached ? "connected" : "ENETUNREACH",
  });

  test("a sandbox from which anything can be reached is refused, and nothing is left of it", async () => {
    const { made, sandboxes } = await create([attempt(false), attempt(true)]);
    await expect(made).rejects.toMatchObject({
      code: "policy_unenforceable",
      message: expect.stringContaining("tcp 192.0.2.1:80 (connected)"),
    });
    expect(await sandboxes.list({})).toEqual([]);
    expect((await readdir(bench.stateDir)).filter((name) => name.startsWith("sb_"))).toEqual([]);
  });

  test("a probe that tried nothing proves nothing", async () => {
    const { made } = await create([]);
    await expect(made).rejects.toMatchObject({ code: "policy_unenforceable" });
  });

  test("where every way out was tried and none was found, the sandbox is used", async () => {
    const { made, sandboxes } = await create([attempt(false)]);
    await sandboxes.destroy((await made).id);
    expect(await sandboxes.list({})).toEqual([]);
  });
});
