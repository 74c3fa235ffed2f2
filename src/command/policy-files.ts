import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { readPolicyFolder } from "#adapters/policy/folder.ts";

/** A mistake in the command line: exit code 2. */
export class Usage extends Error {
  override readonly name = "Usage";
}

/** Every policy file of a folder, by its name there. Throws `Usage` when the folder cannot be read. */
export async function filesOf(folder: string): Promise<Map<string, string>> {
  try {
    return await readPolicyFolder(folder);
  } catch (cause) {
    throw new Usage(`${folder} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

const git = promisify(execFile);

/** The same as they are in a commit, without touching the work tree. Throws `Usage` when there is no such commit. */
export async function filesAt(folder: string, commit: string): Promise<Map<string, string>> {
  const call = async (...args: string[]) => (await git("git", args, { cwd: folder, maxBuffer: 64 << 20 })).stdout;
  try {
    await call("rev-parse", "--verify", "--quiet", `${commit}^{commit}`);
  } catch (cause) {
    throw new Usage(`${folder} has no commit ${commit}`, { cause });
  }
  const names = (await call("ls-tree", "-r", "-z", "--name-only", commit, ".")).split("\0");
  const files = new Map<string, string>();
  for (const name of names.filter(
    (one) => /\.ya?ml$/.test(one) && !one.split("/").some((part) => part.startsWith(".")),
  )) {
    files.set(name, await call("show", `${commit}:./${name}`));
  }
  return files;
}
