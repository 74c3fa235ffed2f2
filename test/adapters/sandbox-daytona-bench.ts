import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { type DaytonaOptions, daytonaSandboxes } from "#adapters/sandbox/daytona/provider.ts";
import { fixedClock } from "#ports/clock.ts";
import { Secret } from "#ports/secret.ts";
import type { SandboxBench } from "#test/contracts/sandbox-bench.ts";
import { type DaytonaDouble, daytonaDouble } from "#test/doubles/daytona/double.ts";
import { makeWorld, type World } from "#test/gateway/world.ts";
import { localBench } from "./sandbox-local-bench.ts";

export interface DaytonaBench extends SandboxBench {
  readonly double: DaytonaDouble;
  readonly world: World;
  /** As long as nothing else is said, nobody waits: what was waited for is here instead. Milliseconds. */
  readonly pauses: number[];
  readonly pass: (ms: number) => void;
  readonly provider: ReturnType<typeof daytonaSandboxes>;
  /** Another control plane over the same platform. */
  other(more: Partial<DaytonaOptions>): ReturnType<typeof daytonaSandboxes>;
}

const NAME = "gateway.test";

/** The adapter over a double of Daytona, a real gateway with its public door, and local sandboxes underneath. */
export async function daytonaBench(): Promise<DaytonaBench> {
  const underneath = await localBench();
  const folder = await mkdtemp(path.join(tmpdir(), "cs-dt-"));
  const clock = fixedClock(new Date());
  const world = await makeWorld({
    config: {
      publicDoor: { url: `https://${NAME}`, listen: { host: "127.0.0.1", port: 0 }, certificate: null },
    },
  });
  const gatewayPort = world.gateway.publicPort ?? 0;
  const double = await daytonaDouble({ folder, local: underneath.provider, clock });
  const pauses: number[] = [];
  const opened = new Set<ReturnType<typeof daytonaSandboxes>>();
  const open = (more: Partial<DaytonaOptions> = {}) => {
    const provider = daytonaSandboxes({
      apiKey: new Secret("daytona_api_key", double.apiKey),
      apiUrl: double.apiUrl,
      target: "here",
      installation: () => "installation-1",
      base: { image: "node:24-bookworm" },
      imageFolder: async (name) => (name === "base" ? path.join(underneath.folder, "image") : null),
      folder: path.join(folder, "images"),
      node: process.execPath,
      gatewayUrl: `https://${NAME}:${gatewayPort}`,
      clock,
      // What is waited for here is somebody else's clock; only the turn is given up.
      patience: {
        async pause(ms, signal) {
          pauses.push(ms);
          signal?.throwIfAborted();
          await new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20)));
          signal?.throwIfAborted();
        },
      },
      resolve: async () => ["203.0.113.10"],
      ...more,
    });
    opened.add(provider);
    return provider;
  };
  const provider = open();
  const certificate = await world.client.certificate();
  /** A sandbox that has a way to the gateway is told whom to trust, as a run's is. */
  const trusting = (one: ReturnType<typeof daytonaSandboxes>): ReturnType<typeof daytonaSandboxes> => ({
    ...one,
    create: (spec, signal) => one.create(spec.gateway === null ? spec : { trust: certificate, ...spec }, signal),
  });
  return {
    provider: trusting(provider),
    again: () => trusting(open()),
    other: (more) => trusting(open(more)),
    image: "base",
    pass: (ms) => clock.advance(ms),
    survivors: underneath.survivors,
    record: async () => double.record(),
    double,
    world,
    pauses,
    async dispose() {
      for (const one of opened) await one[Symbol.asyncDispose]();
      await double.close();
      await world.close();
      for (const { id } of await underneath.provider.list({})) await underneath.provider.destroy(id);
      await underneath.dispose();
      await rm(folder, { recursive: true, force: true });
      // Whatever was tried: the vendor's own client could have sent all of it, and read what came back.
      expect(double.invalid).toEqual([]);
    },
  };
}
