import { describe } from "vitest";
import { opencode } from "#adapters/agent/profiles.ts";
import { agentContract } from "#test/contracts/agent.ts";
import { openCodeImage } from "#test/fixtures/acp/opencode-image.ts";
import { realWorld } from "#test/fixtures/acp/world.ts";

const image = await openCodeImage();

/** Each promise starts a process of several seconds: too long for every run. */
describe.skipIf(image === null)("the whole contract, by the real OpenCode", () => {
  agentContract("OpenCode over ACP", () =>
    realWorld(
      opencode(() => "openai"),
      image ?? "",
    ),
  );
});
