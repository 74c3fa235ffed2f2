import { matchesPath, pathGlob } from "./glob.ts";

/** Whether one of the patterns names the secret; names may have folders, and `**` is any depth. */
export function matchesSecret(globs: readonly string[], secret: string): boolean {
  return globs.some((glob) => matchesPath(pathGlob(glob), secret));
}
