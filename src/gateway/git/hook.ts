import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Names of the variables through which a push finds its way back to us. */
export const HOOK_ENV = {
  admin: "COUNTERSIGN_ADMIN",
  push: "COUNTERSIGN_PUSH",
  node: "COUNTERSIGN_NODE",
  script: "COUNTERSIGN_HOOK",
};

/**
 * Writes the folder for `core.hooksPath`. It is ours, outside every repository, named in git's environment (which
 * outranks any file), and holds one wrapper that starts `pre-receive.ts` with our own Node. Why a hook at all: only
 * git's quarantine shows a push's objects before its refs move, and only pre-receive sees them there.
 */
export async function installHook(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { node, script, admin, push } = HOOK_ENV;
  const line = `exec "$${node}" --no-warnings "$${script}" "$${admin}" "$${push}" "$GIT_OBJECT_DIRECTORY" "$GIT_ALTERNATE_OBJECT_DIRECTORIES"`;
  await writeFile(path.join(folder, "pre-receive"), `#!/bin/sh\nulimit -S -v unlimited\n${line}\n`, { mode: 0o700 });
  return folder;
}

export function hookEnvironment(admin: string, push: string): Record<string, string> {
  return {
    [HOOK_ENV.admin]: admin,
    [HOOK_ENV.push]: push,
    [HOOK_ENV.node]: process.execPath,
    [HOOK_ENV.script]: fileURLToPath(new URL("./pre-receive.ts", import.meta.url)),
  };
}
