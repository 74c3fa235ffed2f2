import { z } from "zod";
import { durationMs } from "#policy/match/units.ts";
import type { PolicyProblem } from "#policy/policy.ts";
import { Duration, expected, FilePath, oneOrMany, strict, Text, version, Yes } from "#policy/scalars.ts";
import type { Check, Scope } from "#policy/scope.ts";
import { readDocument } from "./document.ts";
import { DEFAULT_CHECK_MS } from "./load-team.ts";
import { inOrder, problemsOf } from "./problems.ts";
import { list } from "./rules.ts";

/** Where a repository says what to run on it, read at the commit that a run starts from. */
export const REPOSITORY_FILE = ".countersign.yaml";

const Shape = strict("what to run on this repository", {
  version,
  setup: z.array(Text, { error: expected("a list of commands") }).optional(),
  checks: z
    .array(
      strict("a check like {name: tests, command: npm test}", {
        name: Text,
        command: Text,
        paths: oneOrMany("a path or a list of them", FilePath).optional(),
        timeout: Duration.optional(),
        required: Yes.optional(),
      }),
      { error: expected("a list of checks") },
    )
    .optional(),
});

export type Additions =
  | { readonly ok: true; readonly setup: readonly string[]; readonly checks: readonly Check[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** Parses the file as strictly as a policy: positions on every problem, nothing ignored. */
export function readRepositoryFile(text: string): Additions {
  const { source, problems } = readDocument(REPOSITORY_FILE, text);
  if (source === null) return { ok: false, problems: inOrder(problems) };
  const parsed = Shape.safeParse(source.value);
  if (!parsed.success) return { ok: false, problems: inOrder(problemsOf(source, parsed.error.issues)) };
  return {
    ok: true,
    setup: parsed.data.setup ?? [],
    checks: (parsed.data.checks ?? []).map(({ name, command, paths, timeout, required }) => ({
      name,
      command,
      timeoutMs: (timeout === undefined ? null : durationMs(timeout)) ?? DEFAULT_CHECK_MS,
      required: required ?? true,
      paths: list(paths),
    })),
  };
}

/** A repository can only add: policy's commands stay, come first, and keep their names. */
export function withAdditions(scope: Scope, additions: Extract<Additions, { ok: true }>): Scope {
  const taken = new Set(scope.checks.map((check) => check.name));
  return {
    ...scope,
    setup: [...scope.setup, ...additions.setup.filter((command) => !scope.setup.includes(command))],
    ownSetup: additions.setup,
    checks: [...scope.checks, ...additions.checks.filter((check) => !taken.has(check.name))],
  };
}
