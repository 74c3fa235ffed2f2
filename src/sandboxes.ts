import path from "node:path";
import { daytonaSandboxes } from "#adapters/sandbox/daytona/provider.ts";
import { findNpm } from "#adapters/sandbox/local/npm.ts";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import { type Problem, SandboxError, type SandboxProvider } from "#ports/sandbox.ts";
import type { Core } from "#runs/core.ts";
import type { Config } from "./config.ts";
import { StartError } from "./parts.ts";

/** A run's checks want two sandboxes, one after the other: the second finds its supervisor started. */
export const SPARE_MS = 30_000;

export interface ExaminedSandboxes {
  readonly provider: SandboxProvider & Partial<AsyncDisposable>;
  /** What keeps it from making a sandbox. */
  readonly problems: readonly Problem[];
  /** Why Daytona did not say whether it takes our key; `null`: it said, or nobody had to ask. */
  readonly unasked: string | null;
}

interface Needed {
  /** Folder of an image, installed on first use. */
  readonly imageFolder: (image: string) => Promise<string>;
  /** Whose they are, among others at the same place. */
  readonly installation: () => string;
}

/**
 * On this machine, or at Daytona where a key says so, with all that is against it. Daytona is shown the key, unless the
 * gateway could not be reached from there anyway.
 */
export async function examineSandboxes(config: Config, o: Needed): Promise<ExaminedSandboxes> {
  const { daytona, publicDoor, dataDir, bwrap } = config;
  const common = { node: process.execPath, imageFolder: o.imageFolder };
  if (daytona === null) {
    const provider = localSandboxes({
      ...common,
      stateDir: path.join(dataDir, "sandboxes"),
      npm: findNpm(config.toolEnv),
      spareMs: SPARE_MS,
      ...(bwrap === null ? {} : { bwrap }),
    });
    return { provider, problems: (await provider.preflight()).problems, unasked: null };
  }
  const provider = daytonaSandboxes({
    ...common,
    ...daytona,
    installation: o.installation,
    folder: path.join(dataDir, "daytona"),
    gatewayUrl: publicDoor?.url ?? null,
  });
  const { problems } = await provider.preflight();
  if (problems.length > 0) return { provider, problems, unasked: null };
  try {
    const problem = await provider.keyProblem();
    return { provider, problems: problem === null ? [] : [problem], unasked: null };
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    return { provider, problems: [], unasked: error.message };
  }
}

/** The same for a start. Throws `StartError` with every problem; a Daytona that is away for a while is waited for by runs. */
export async function openSandboxes(
  config: Config,
  o: Needed & { readonly say: Core["log"] },
): Promise<ExaminedSandboxes["provider"]> {
  const { provider, problems, unasked } = await examineSandboxes(config, o);
  if (problems.length > 0) {
    await provider[Symbol.asyncDispose]?.();
    throw new StartError(problems.map(({ what, fix }) => `${what}: ${fix}`).join("\n"));
  }
  if (unasked !== null) o.say("Daytona cannot be asked now", { error: unasked });
  return provider;
}
