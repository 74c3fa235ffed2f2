import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { WALLS } from "#adapters/sandbox/local/bubblewrap.ts";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import type { SandboxProvider } from "#ports/sandbox.ts";

/**
 * How long it takes until a sandbox has answered its first command, beside the bare `bwrap … true` that nobody can be
 * faster than, turn by turn in one run. "first": nothing was there before, as for the first run after an idle minute.
 * "next": one more within a minute, as for a run's checks. Prints one JSON line; times in milliseconds.
 */
const ROUNDS = Number(process.argv[2] ?? 20);
/** Bare runs per round; they also give the spare supervisor its time, as a run's own work would. */
const BARE = 10;
const run = promisify(execFile);
const folder = await mkdtemp(path.join(tmpdir(), "countersign-bench-"));
const image = path.join(folder, "image");
await mkdir(image, { mode: 0o755 });
await chmod(folder, 0o755);
const provider = () =>
  localSandboxes({ stateDir: path.join(folder, "state"), node: process.execPath, imageFolder: async () => image });

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

let keys = 0;
async function ready(sandboxes: SandboxProvider): Promise<{ ready: number; exec: number; destroy: number }> {
  keys += 1;
  const spec = {
    key: `bench-${process.pid}-${keys}`,
    image: "bench",
    labels: {},
    gateway: `unix:${folder}/no-gateway.sock`,
    limits: { memoryMiB: 512, pids: 128 },
    ttlMs: 120_000,
  };
  const began = performance.now();
  const sandbox = await sandboxes.create(spec, AbortSignal.timeout(30_000));
  const echo = () => sandbox.exec({ argv: ["echo", "ready"] }, { timeoutMs: 10_000 });
  await echo();
  const isReady = performance.now() - began;
  const exec = await timed(echo);
  const destroy = await timed(() => sandboxes.destroy(sandbox.id));
  return { ready: isReady, exec, destroy };
}

const usr = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/lib", "/lib"];
const bare = () => run("bwrap", [...WALLS, ...usr, "--", "/usr/bin/true"]);

function spread(values: readonly number[]): { p50: number; p99: number; min: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) * 10) / 10;
  return { p50: at(0.5), p99: at(0.99), min: at(0) };
}

try {
  const first = [];
  const next = [];
  const peer = [];
  for (let round = 0; round < ROUNDS; round++) {
    const sandboxes = provider();
    await sandboxes.preflight(); // As at the start of the house: what a machine can do is not asked per sandbox.
    first.push(await ready(sandboxes));
    for (let turn = 0; turn < BARE; turn++) peer.push(await timed(bare));
    next.push(await ready(sandboxes));
  }
  const [a, b, c] = [spread(first.map((one) => one.ready)), spread(next.map((one) => one.ready)), spread(peer)];
  const ratio = (p50: number) => Math.round((p50 / c.p50) * 10) / 10;
  const report = {
    rounds: ROUNDS,
    "first: create until echo": { ...a, ratio: ratio(a.p50) },
    "next: create until echo": { ...b, ratio: ratio(b.p50) },
    "bare bwrap true": c,
    "one more exec": spread([...first, ...next].map((one) => one.exec)),
    destroy: spread([...first, ...next].map((one) => one.destroy)),
  };
  console.log(JSON.stringify(report));
} finally {
  await rm(folder, { recursive: true, force: true });
}
