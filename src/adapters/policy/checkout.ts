import { execFileSync } from "node:child_process";
import { gitEnvironment, lastLine } from "#adapters/git.ts";

/** Nothing of it is run: its settings are only read, whoever owns them. */
const READ = ["-c", "safe.directory=*", "config", "--null", "--get-regexp", "^remote\\..*\\.(url|pushurl)$"];

/**
 * "owner/name" of every remote of the work tree that a folder lies in: the last two parts of its address, each once. Empty
 * for a folder that is in no repository, or in one without a remote. Throws what git says when it cannot tell.
 */
export function remotesOf(folder: string): string[] {
  let out: string;
  try {
    out = execFileSync("git", ["-C", folder, ...READ], {
      encoding: "utf8",
      env: gitEnvironment({ home: "/nonexistent" }),
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (cause) {
    const { status, stderr = "" } = cause as { status?: number | null; stderr?: string };
    // 1: no remote. Outside of a work tree there is nothing to read; a folder that is not there is the loader's to name.
    if (status === 1 || /not (?:in )?a git|cannot change to/i.test(stderr)) return [];
    throw new Error(`the remotes of ${folder} cannot be read: ${lastLine(stderr)}`, { cause });
  }
  const names = out.split("\0").flatMap((entry) => {
    const url = entry.slice(entry.indexOf("\n") + 1).trim();
    return /([\w.-]+\/[\w.-]+?)(?:\.git)?\/*$/.exec(url)?.[1] ?? [];
  });
  return [...new Set(names)];
}
