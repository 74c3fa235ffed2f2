import type { Changes } from "#ports/gateway.ts";
import type { EventBody } from "./event.ts";

type Scan = Extract<EventBody, { kind: "scan.ran" }>;
type Finding = Scan["findings"][number];

const MANIFESTS =
  /(^|\/)(package\.json|package-lock\.json|pnpm-lock\.yaml|yarn\.lock|requirements[^/]*\.txt|pyproject\.toml|go\.(mod|sum)|Cargo\.(toml|lock)|Gemfile(\.lock)?)$/;
const TESTS = /(^|\/)(tests?|__tests__|spec)\/|\.(test|spec)\.[a-z]+$/i;
const CHECK_CONFIGURATION =
  /(^|\/)(\.github\/|\.gitlab-ci|Makefile$|justfile$|vitest\.config|jest\.config|tsconfig|biome\.json|\.eslintrc|\.countersign\.yaml$|\.ci\/)/;
const LARGE_DIFF_LINES = 2_000;

/**
 * What a reviewer should look at first, found in the diff itself. Only credentials block; the rest is shown.
 * A scan that found nothing is recorded too: "0 found" is a statement, silence is not.
 */
export function scan(changes: Changes): Scan[] {
  const named = (what: string, pattern: RegExp): Finding[] =>
    changes.files
      .filter((file) => pattern.test(file.path))
      .map((file) => ({ path: file.path, line: null, what, blocks: false }));
  const lines = changes.files.reduce((sum, file) => sum + (file.additions ?? 0) + (file.deletions ?? 0), 0);
  const size: Finding[] =
    lines > LARGE_DIFF_LINES || changes.truncated
      ? [{ path: ".", line: null, what: `${lines} changed lines: more than a person reads with care`, blocks: false }]
      : [];
  const binary = changes.files
    .filter((file) => file.additions === null && file.status !== "deleted")
    .map((file) => ({ path: file.path, line: null, what: "binary file", blocks: false }));
  return [
    {
      kind: "scan.ran",
      name: "secrets",
      findings: changes.secrets.map(({ path, line, rule }) => ({ path, line, what: rule, blocks: true })),
    },
    {
      kind: "scan.ran",
      name: "checks and their configuration",
      findings: named("configures the checks", CHECK_CONFIGURATION),
    },
    { kind: "scan.ran", name: "tests", findings: named("changed test", TESTS) },
    { kind: "scan.ran", name: "dependencies", findings: named("changes what is installed", MANIFESTS) },
    { kind: "scan.ran", name: "size", findings: [...size, ...binary] },
  ];
}
