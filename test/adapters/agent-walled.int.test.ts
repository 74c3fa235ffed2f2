import { rm } from "node:fs/promises";
import { afterAll, describe, expect, test } from "vitest";
import { demo, opencode } from "#adapters/agent/profiles.ts";
import { agentContract, ended, eventsUntil, is, messageOf, only } from "#test/contracts/agent.ts";
import { demoImage } from "#test/fixtures/acp/demo-image.ts";
import { openCodeImage } from "#test/fixtures/acp/opencode-image.ts";
import { walledWorld } from "#test/fixtures/acp/world.ts";
import { noBubblewrap } from "./sandbox-local-bench.ts";

const { folder, image } = await demoImage();
afterAll(() => rm(folder, { recursive: true, force: true }));
const hasWall = noBubblewrap === null;
const real = hasWall ? await openCodeImage() : null;

describe.skipIf(!hasWall)("behind the local provider's wall", () => {
  agentContract("the demo agent in a local sandbox", () => walledWorld(demo, image));

  test.skipIf(real === null)(
    "the real OpenCode starts, edits, asks and runs with only the gateway to reach",
    { timeout: 120_000 },
    async () => {
      const world = await walledWorld(
        opencode(() => "openai"),
        real ?? "",
      );
      try {
        const signal = AbortSignal.timeout(110_000);
        const agent = await world.driver.open(world.sandbox, {
          procId: "agent-1",
          token: "token-1",
          model: "scripted",
          signal,
        });
        await world.sandbox.write(`${world.sandbox.workdir}/README.md`, "teh start\n");
        await agent.prompt("t1", 'replace "teh" with "the" in README.md then run `echo ran > out.txt`');
        const [ask] = only(await eventsUntil(agent, is("permission.asked")), "permission.asked");
        await agent.answer(ask?.ask ?? "", "allow");
        expect(messageOf(await eventsUntil(agent, ended("t1")))).toContain("Done.");
        const read = async (name: string) =>
          Buffer.from(await world.sandbox.read(`${world.sandbox.workdir}/${name}`, { maxBytes: 1_000 })).toString();
        expect([await read("README.md"), await read("out.txt")]).toEqual(["the start\n", "ran\n"]);
        await agent.stop();
      } finally {
        await world.close();
      }
    },
  );
});
