import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { WALLS } from "#adapters/sandbox/local/bubblewrap.ts";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import type { SandboxProvider } from "#ports/sandbox.ts";
import { SPARE_MS } from "#sandboxes.ts";
import { type Bench, type Measured, ratios, spread } from "./report.ts";
import { folder } from "./subject.ts";

const ROUNDS = 30;
const run = promisify(execFile);

export const sandbox: Bench = {
  name: "sandbox",
  claim: "a sandbox has answered its first command: p50 under 150 ms",
  peer: "the bare `bwrap … /usr/bin/true` that nobody can be faster than, turn by turn",
  run: async () => [
    await measure("bubblewrap, the first of a run", 0),
    await measure("bubblewrap, one after another", SPARE_MS),
  ],
};

async function measure(what: string, spareMs: number): Promise<Measured> {
  const place = folder();
  try {
    const image = path.join(place, "image");
    mkdirSync(image, { mode: 0o755 });
    chmodSync(place, 0o755);
    const stateDir = path.join(place, "state");
    const sandboxes = localSandboxes({ stateDir, node: process.execPath, imageFolder: async () => image, spareMs });
    // The first one stages our programs and surveys the machine: once per version, not per sandbox.
    await ready(sandboxes, place, -1);
    const made: Ready[] = [];
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.push(await timed(bareBubblewrap));
      made.push(await ready(sandboxes, place, round));
    }
    const [own, peer] = [spread(made.map((one) => one.ready)), spread(bare)];
    const ours = {
      "ready p50 ms": own.p50,
      "ready p99 ms": own.p99,
      "one more command p50 ms": spread(made.map((one) => one.exec)).p50,
      "destroy p50 ms": spread(made.map((one) => one.destroy)).p50,
    };
    const theirs = { "ready p50 ms": peer.p50, "ready p99 ms": peer.p99 };
    const ratio = ratios(ours, theirs, ["ready p50 ms", "ready p99 ms"]);
    return { what, ours, theirs, ratio, goals: [{ figure: "ready p50 ms", most: 150 }] };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

interface Ready {
  readonly ready: number;
  readonly exec: number;
  readonly destroy: number;
}

async function ready(sandboxes: SandboxProvider, place: string, round: number): Promise<Ready> {
  const spec = {
    key: `bench-${process.pid}-${round}`,
    image: "bench",
    labels: {},
    gateway: `unix:${place}/no-gateway.sock`,
    limits: { memoryMiB: 512, pids: 128 },
    ttlMs: 120_000,
  };
  const began = performance.now();
  const made = await sandboxes.create(spec, AbortSignal.timeout(30_000));
  const echo = () => made.exec({ argv: ["echo", "ready"] }, { timeoutMs: 10_000 });
  await echo();
  const isReady = performance.now() - began;
  const exec = await timed(echo);
  const destroy = await timed(() => sandboxes.destroy(made.id));
  return { ready: isReady, exec, destroy };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const bareBubblewrap = () =>
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
