import type { z } from "zod";
import type { Path, Source } from "./document.ts";
import { hint } from "./nearest.ts";
import type { PolicyProblem } from "./policy.ts";

type Issue = z.core.$ZodIssue;

/** Words of the format that no wall stands behind yet. Reading them and doing nothing would be a decorative rule. */
const NOT_ENFORCED = new Set(["cidr"]);

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) => (typeof value === "object" && value !== null ? Reflect.get(value, step) : undefined),
    root,
  );
}

function unknownKey(key: string, known: readonly string[]): string {
  if (NOT_ENFORCED.has(key))
    return `"${key}" is not enforced by this version - remove it, or it would only look like a rule`;
  return `unknown key "${key}"${hint(key, known)}`;
}

/** Issues of a schema as sentences with places. */
export function problemsOf(source: Source, issues: readonly Issue[], base: Path = []): PolicyProblem[] {
  const misspelt = issues.filter(({ code }) => code === "unrecognized_keys").map(({ path }) => path.join("\n"));
  return issues.flatMap((issue): PolicyProblem[] => {
    // What a mapping lacks is most often the key that was misspelt in it.
    if (issue.code === "custom" && misspelt.includes(issue.path.join("\n"))) return [];
    const path: Path = [...base, ...(issue.path as (string | number)[])];
    const value = valueAt(source.value, path);
    if (issue.code === "unrecognized_keys") {
      const known = issue.message.split("\n");
      return issue.keys.map((key) => ({ at: source.keyAt([...path, key]), message: unknownKey(key, known) }));
    }
    if (issue.code === "invalid_key") {
      return [{ at: source.keyAt(path), message: issue.issues[0]?.message ?? issue.message }];
    }
    if (issue.code === "invalid_union") {
      // One of something or a list of it: the words for the one that was written.
      const nested = typeof value === "object" && value !== null;
      const branch = (nested ? issue.errors.at(-1) : issue.errors[0]) ?? [];
      const exact = nested
        ? branch.some((inner) => inner.path.length > 0 || inner.code === "custom")
        : value !== undefined;
      if (exact && branch.length > 0) return problemsOf(source, branch, path);
    }
    const key = path.at(-1);
    if (value === undefined && typeof key === "string") {
      return [{ at: source.at(path), message: `"${key}" is missing - ${issue.message.replace(/, got nothing$/, "")}` }];
    }
    return [{ at: source.at(path), message: issue.message }];
  });
}

/** By file, line and column; repeats dropped. */
export function inOrder(problems: readonly PolicyProblem[]): PolicyProblem[] {
  const key = ({ at }: PolicyProblem) => {
    const [file = "", line = "0", col = "0"] = at.split(":");
    return { file, line: Number(line), col: Number(col) };
  };
  const sorted = problems.toSorted((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x.file !== y.file) return x.file < y.file ? -1 : 1;
    return x.line - y.line || x.col - y.col || (a.message < b.message ? -1 : 1);
  });
  return sorted.filter((one, i) => i === 0 || one.at !== sorted[i - 1]?.at || one.message !== sorted[i - 1]?.message);
}
