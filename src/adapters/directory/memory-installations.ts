import type { Installations, InstallationWord } from "#ports/workspaces.ts";

/** Says of each workspace what it is told to; of one that nobody spoke of, that it is gone. For tests. */
export function memoryInstallations(): Installations & {
  /** `null`: it has no row. */
  say(id: string, word: InstallationWord | null): void;
  /** The operator's list, in the place of what it was. */
  allow(...ids: readonly string[]): void;
  readonly forgotten: readonly string[];
} {
  const words = new Map<string, InstallationWord>();
  const forgotten: string[] = [];
  let allowed: readonly string[] = [];
  return {
    isAllowed: ({ id, enterprise }) => allowed.includes(id) || (enterprise !== null && allowed.includes(enterprise)),
    ask: async (id) => words.get(id) ?? { kind: "gone", why: "not_installed" },
    forget: (id) => void forgotten.push(id),
    say(id, word) {
      if (word === null) words.delete(id);
      else words.set(id, word);
    },
    allow(...ids) {
      allowed = ids;
    },
    forgotten,
  };
}
