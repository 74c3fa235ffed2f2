import { expect, test } from "vitest";
import { acpAgents } from "#adapters/agent/acp.ts";
import { demo } from "#adapters/agent/profiles.ts";
import { memorySandboxes } from "#adapters/sandbox/memory.ts";

test("an agent that ended before it was greeted is an agent that did not start, at every attempt", async () => {
  const sandboxes = memorySandboxes({ program: () => async () => 0 });
  const sandbox = await sandboxes.create(
    { key: "k", image: "demo", labels: {}, gateway: null, limits: { memoryMiB: 64, pids: 64 }, ttlMs: 60_000 },
    AbortSignal.timeout(10_000),
  );
  await sandbox.start("agent-1-0", { argv: ["agent"] });
  for await (const _ of sandbox.output("agent-1-0", "out", 0, { follow: true, signal: AbortSignal.timeout(10_000) }));
  const open = () =>
    acpAgents({ profile: demo }).open(sandbox, {
      procId: "agent-1-0",
      token: "t",
      model: "m",
      signal: AbortSignal.timeout(10_000),
    });
  for (let attempt = 0; attempt < 2; attempt += 1)
    await expect(open()).rejects.toMatchObject({
      name: "AgentError",
      message: expect.stringMatching(/did not start: it ended/),
    });
});
