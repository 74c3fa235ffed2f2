import { expect, test } from "vitest";
import { type SandboxOffer, sandboxLack } from "#policy/decide/sandbox.ts";
import type { SandboxNeeds } from "#policy/scope.ts";

const NEEDS: SandboxNeeds = {
  providers: [],
  images: [],
  isolation: "none",
  cpu: null,
  memoryBytes: null,
  diskBytes: null,
};
const OFFER: SandboxOffer = {
  provider: "local",
  image: "opencode",
  isolation: "process",
  limits: { cpu: "hard", memory: "advisory", disk: "none" },
};

test.each([
  ["nothing is wanted", {}, null],
  [
    "another provider",
    { providers: ["daytona", "e2b"] },
    "sandbox.provider: policy wants a sandbox at daytona or e2b, and this installation has local",
  ],
  ["another image", { images: ["codex"] }, "sandbox.image: policy wants the image codex, and the agent's is opencode"],
  ["the wall there is", { isolation: "process" }, null],
  [
    "a stronger wall",
    { isolation: "container" },
    "sandbox.isolation: policy wants container isolation, and local gives process",
  ],
  ["processors that are held", { cpu: 2 }, null],
  ["memory that the provider says it holds", { memoryBytes: 2 ** 30 }, null],
  [
    "a disk that nothing holds",
    { diskBytes: 1e9 },
    "sandbox.disk: policy limits the sandbox's disk, and local cannot hold it to that",
  ],
] as const)("%s", (_what, needs, lack) => {
  const found = sandboxLack({ ...NEEDS, ...needs }, OFFER);
  expect(found && `${found.limit}: ${found.why}`).toBe(lack);
});
