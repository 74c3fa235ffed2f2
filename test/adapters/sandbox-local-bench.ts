import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import type { SandboxProvider } from "#ports/sandbox.ts";
import type { SandboxBench } from "#test/contracts/sandbox.ts";

/** Without bubblewrap there is nothing to test, and a developer is told so; in CI its absence is a failure. */
export const noBubblewrap: string | null =
  existsSync("/usr/bin/bwrap") || process.env.CI !== undefined
    ? null
    : "bubblewrap is not installed: apt-get install -y bubblewrap";

export interface LocalBench extends SandboxBench {
  /** Everything of it is below here. */
  readonly folder: string;
  readonly stateDir: string;
}

/** The provider over a folder of its own. */
export function providerIn(folder: string, spareMs = 0): SandboxProvider {
  const image = path.join(folder, "image");
  return localSandboxes({
    stateDir: path.join(folder, "state"),
    sharedDir: path.join(folder, "shared"),
    node: process.execPath,
    spareMs,
    imageFolder: async (name) => (name === "base" ? image : null),
  });
}

export async function localBench(): Promise<LocalBench> {
  const folder = await mkdtemp(path.join(tmpdir(), "countersign-sandbox-"));
  await chmod(folder, 0o755);
  await mkdir(path.join(folder, "image"));
  await writeFile(path.join(folder, "image/marker.txt"), "an image\n");
  return {
    provider: providerIn(folder),
    again: () => providerIn(folder),
    image: "base",
    folder,
    stateDir: path.join(folder, "state"),
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}
