import { decidePath, type PathRule } from "#policy/paths.ts";
import { type Changes, type FileChange, GatewayError } from "#ports/gateway.ts";
import { commitsAfter, type RepositoryView, secretsIn, touchedPaths } from "./commits.ts";

const SCANNED_BYTES = 256_000_000;
const MOST_COMMITS = 10_000;
const DIFF = ["diff", "--no-ext-diff", "--no-textconv", "--find-renames", "--no-color"];
const OID = /^[0-9a-f]{40}$/;

/** What lies between two commits of a run's repository, read from git and judged by the run's path rules. */
export async function changesBetween(
  view: RepositoryView,
  o: { base: string; head: string; maxBytes: number; paths: readonly PathRule[] },
): Promise<Changes> {
  const { base, head } = o;
  if (!OID.test(base) || !OID.test(head)) throw new GatewayError("invalid", "base and head are commit ids");
  await mustHave(view, [base, head]);
  // Each git takes one processor and reads the same few objects: they need not wait for each other.
  const [oids, patch, listed] = await Promise.all([
    commitsAfter(view, base, head, MOST_COMMITS),
    view.git([...DIFF, base, head], { gitDir: view.gitDir, maxBytes: o.maxBytes }),
    files(view, base, head),
  ]);
  if (oids === null)
    throw new GatewayError("invalid", `more than ${MOST_COMMITS} commits lie between ${base} and ${head}`);
  const some = oids.length > 0;
  const [commits, secrets, touched, kept] = await Promise.all([
    subjects(view, oids),
    some ? secretsIn(view, oids, SCANNED_BYTES) : [],
    some ? touchedPaths(view, oids) : [],
    patch.truncated ? cut(view, base, head, o.maxBytes) : patch.stdout.toString("utf8"),
  ]);
  const asks = asked(
    o.paths,
    touched.map((each) => each.path),
  );
  const { truncated } = patch;
  return { base, head, commits, files: listed, patch: kept, truncated, secrets: secrets ?? tooLarge(), asks };
}

async function mustHave(view: RepositoryView, oids: readonly string[]): Promise<void> {
  const call = { gitDir: view.gitDir, input: oids.map((oid) => `${oid}\n`).join("") };
  const found = await view.git(["cat-file", "--batch-check=%(objectname) %(objecttype)"], call);
  const there = found.stdout.toString("utf8").split("\n");
  const missing = oids.find((oid) => !there.includes(`${oid} commit`));
  if (missing !== undefined) throw new GatewayError("not_found", `the run's repository has no commit ${missing}`);
}

function tooLarge(): never {
  throw new GatewayError("invalid", `more than ${SCANNED_BYTES} bytes of patches cannot be scanned`);
}

async function cut(view: RepositoryView, base: string, head: string, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  await view.git([...DIFF, base, head], {
    gitDir: view.gitDir,
    onData(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      return size <= maxBytes;
    },
  });
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, maxBytes));
}

async function subjects(view: RepositoryView, oids: readonly string[]): Promise<Changes["commits"]> {
  if (oids.length === 0) return [];
  const result = await view.git(["log", "--no-walk=unsorted", "--stdin", "--format=%H%x00%s"], {
    gitDir: view.gitDir,
    input: `${oids.join("\n")}\n`,
  });
  const lines = result.stdout.toString("utf8").split("\n").filter(Boolean);
  return lines.map((line) => {
    const [oid = "", subject = ""] = line.split("\0");
    return { oid, subject };
  });
}

const STATUS: Readonly<Record<string, FileChange["status"]>> = { A: "added", D: "deleted", R: "renamed", C: "added" };

async function files(view: RepositoryView, base: string, head: string): Promise<FileChange[]> {
  const fields = async (format: string) => {
    const result = await view.git([...DIFF, format, "-z", base, head], { gitDir: view.gitDir });
    // A list that is cut would show a person less than there is.
    if (result.code !== 0 || result.truncated)
      throw new GatewayError("invalid", `the files between ${base} and ${head} cannot be listed`);
    return result.stdout.toString("utf8").split("\0");
  };
  const counts = new Map<string, { additions: number | null; deletions: number | null }>();
  const [numbers, names] = await Promise.all([fields("--numstat"), fields("--name-status")]);
  for (let i = 0; i < numbers.length; i += 1) {
    const [added = "", deleted = "", name = ""] = (numbers[i] ?? "").split("\t");
    if (added === "") continue;
    // A rename has an empty name here and its two names in the next two fields.
    const path = name === "" ? (numbers[i + 2] ?? "") : name;
    if (name === "") i += 2;
    const number = (text: string) => (text === "-" ? null : Number(text));
    counts.set(path, { additions: number(added), deletions: number(deleted) });
  }
  const changes: FileChange[] = [];
  for (let i = 0; i + 1 < names.length; i += 2) {
    const letter = (names[i] ?? "").charAt(0);
    if (letter === "R" || letter === "C") i += 1;
    const path = names[i + 1] ?? "";
    changes.push({
      path,
      status: STATUS[letter] ?? "modified",
      ...(counts.get(path) ?? { additions: null, deletions: null }),
    });
  }
  return changes;
}

/** Each path once per rule that asks about it. */
function asked(rules: readonly PathRule[], paths: readonly string[]): Changes["asks"] {
  return [...new Set(paths)].sort().flatMap((path) => {
    const verdict = decidePath(rules, path);
    if (verdict.effect !== "ask") return [];
    return verdict.matched.map((each) => ({ path, from: each.from ?? "", rule: each.rule }));
  });
}
