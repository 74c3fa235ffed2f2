import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { WALLS } from "#adapters/sandbox/local/bubblewrap.ts";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";

/**
 * How long it takes until a sandbox has answered its first command, beside the bare `bwrap … true` that nobody can be
 * faster than, turn by turn in one run. Prints one JSON line; times in milliseconds.
 */
const ROUNDS = Number(process.argv[2] ?? 20);
const run = promisify(execFile);
const folder = await mkdtemp(path.join(tmpdir(), "countersign-bench-"));
const image = path.join(folder, "image");
await mkdir(image, { mode: 0o755 });
await chmod(folder, 0o755);
const sandboxes = localSandboxes({
  stateDir: path.join(folder, "state"),
  node: process.execPath,
  imageFolder: async () => image,
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function ready(round: number): Promise<{ ready: number; exec: number; destroy: number }> {
  const spec = {
    key: `bench-${process.pid}-${round}`,
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

const bare = () =>
  run("bwrap", [
    ...WALLS,
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "--symlink",
    "usr/lib",
    "/lib",
    "--",
    "/usr/bin/true",
  ]);

function spread(values: readonly number[]): { p50: number; p99: number; min: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) * 10) / 10;
  return { p50: at(0.5), p99: at(0.99), min: at(0) };
}

try {
  // The first one stages our programs and surveys the machine: once per version, not per sandbox.
  await ready(-1);
  const ours = [];
  const theirs = [];
  for (let round = 0; round < ROUNDS; round++) {
    theirs.push(await timed(bare));
    ours.push(await ready(round));
  }
  const peer = spread(theirs);
  const own = spread(ours.map((one) => one.ready));
  const report = {
    rounds: ROUNDS,
    "create until first echo": own,
    "bare bwrap true": peer,
    ratio: { p50: Math.round((own.p50 / peer.p50) * 10) / 10 },
    "one more exec": spread(ours.map((one) => one.exec)),
    destroy: spread(ours.map((one) => one.destroy)),
  };
  console.log(JSON.stringify(report));
} finally {
  await rm(folder, { recursive: true, force: true });
}
