import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { identityOf } from "#adapters/sandbox/local/identity.ts";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import type { SandboxProvider } from "#ports/sandbox.ts";
import type { SandboxBench } from "#test/contracts/sandbox-bench.ts";

/** Without bubblewrap there is nothing to test, and a developer is told so; in CI its absence is a failure. */
export const noBubblewrap: string | null =
  existsSync(process.env.BWRAP_PATH ?? "/usr/bin/bwrap") || process.env.CI !== undefined
    ? null
    : "bubblewrap is not installed: apt-get install -y bubblewrap";

export interface LocalBench extends SandboxBench {
  /** Everything of it is below here. */
  readonly folder: string;
  readonly stateDir: string;
}

/** Pids on this host whose command line holds `words`. */
export const onHost = (words: string): number[] =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").includes(words) && identityOf(pid) !== null
        );
      } catch {
        return false; // Not a process, or not any more.
      }
    });

/** The text of every file below `folder`. */
async function textBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, "latin1")))).join("\n");
}

/** The provider over a folder of its own. */
export function providerIn(folder: string, spareMs = 0): SandboxProvider {
  const image = path.join(folder, "image");
  return localSandboxes({
    ...(process.env.BWRAP_PATH ? { bwrap: process.env.BWRAP_PATH } : {}),
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
    survivors: (word) => onHost(word).length,
    record: () => textBelow(path.join(folder, "state")),
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}
