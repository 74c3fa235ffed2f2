import { expect, test } from "vitest";
import type { SandboxSpec } from "#ports/sandbox.ts";
import { sandboxFor } from "#runs/sandbox/sandbox.ts";
import { ANA, memoryHouse } from "./memory-house.ts";

test("every sandbox of a run trusts the authority under which the gateway shows inspected hosts", async () => {
  const house = await memoryHouse();
  try {
    await house.say(ANA, "append a line to README.md");
    const run = await house.until("waiting");
    const asked: SandboxSpec[] = [];
    const { sandboxes } = house.core;
    const create: typeof sandboxes.create = (spec, signal) => {
      asked.push(spec);
      return sandboxes.create(spec, signal);
    };
    const core = { ...house.core, sandboxes: { ...sandboxes, create } };
    for (const slot of ["agent", "check"] as const) await sandboxFor(core, run, slot, "plain");
    const pem = await house.core.gateway.certificate();
    expect(asked.map(({ trust }) => trust)).toEqual([pem, pem]);
  } finally {
    await house.close();
  }
});
