import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { WALLS } from "#adapters/sandbox/local/bubblewrap.ts";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import type { SandboxProvider } from "#ports/sandbox.ts";
import { type Bench, ratios, spread } from "./report.ts";

const ROUNDS = 20;
/** Bare runs per round; they also give the spare supervisor its time, as a run's own work would. */
const BARE = 10;
const run = promisify(execFile);

export const sandbox: Bench = {
  name: "sandbox",
  claim: "a local sandbox answers its first command within 150 ms (p50)",
  peer: "a bare `bwrap … true` with the same walls, turn by turn in the same run",
  async run() {
    const folder = await mkdtemp(path.join(tmpdir(), "countersign-bench-"));
    await chmod(folder, 0o755);
    await mkdir(path.join(folder, "image"), { mode: 0o755 });
    try {
      const first = [];
      const next = [];
      const peer = [];
      for (let round = 0; round < ROUNDS; round++) {
        const sandboxes = localSandboxes({
          stateDir: path.join(folder, "state"),
          node: process.execPath,
          imageFolder: async () => path.join(folder, "image"),
          spareMs: 5_000,
        });
        await sandboxes.preflight(); // As at the start of the house: what a machine can do is not asked per sandbox.
        first.push(await lifeOf(sandboxes, `first-${round}`));
        for (let turn = 0; turn < BARE; turn++) peer.push(await timed(bare));
        next.push(await lifeOf(sandboxes, `next-${round}`));
      }
      const theirs = { ...named("ready", spread(peer)) };
      const measured = (what: string, lives: readonly Life[]) => {
        const ready = named("ready", spread(lives.map((life) => life.ready)));
        const exec = named("one more command", spread(lives.map((life) => life.exec)));
        const destroy = named("destroy", spread(lives.map((life) => life.destroy)));
        const ours = { ...ready, ...exec, ...destroy };
        return { what, ours, theirs, ratio: ratios(ours, theirs, ["ready p50 ms", "ready p99 ms"]) };
      };
      return [
        measured("the first, nothing prepared", first),
        measured("one more, with a spare supervisor waiting", next),
      ];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

interface Life {
  /** From `create` until the first `echo` has answered, ms. */
  readonly ready: number;
  readonly exec: number;
  readonly destroy: number;
}

async function lifeOf(sandboxes: SandboxProvider, name: string): Promise<Life> {
  const spec = {
    key: `bench-${process.pid}-${name}`,
    image: "bench",
    labels: {},
    gateway: "unix:/nonexistent/gateway.sock",
    limits: { memoryMiB: 512, pids: 128 },
    ttlMs: 120_000,
  };
  const began = performance.now();
  const one = await sandboxes.create(spec, AbortSignal.timeout(30_000));
  const echo = () => one.exec({ argv: ["echo", "ready"] }, { timeoutMs: 10_000 });
  await echo();
  const ready = performance.now() - began;
  return { ready, exec: await timed(echo), destroy: await timed(() => sandboxes.destroy(one.id)) };
}

const usr = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/lib", "/lib"];
const bare = () => run("bwrap", [...WALLS, ...usr, "--", "/usr/bin/true"]);

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const named = (what: string, figures: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(figures).map(([figure, value]) => [`${what} ${figure} ms`, value]));
