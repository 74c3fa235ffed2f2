import { readdirSync, readFileSync } from "node:fs";

/** One row of the process table. */
export interface Row {
  readonly pid: number;
  readonly ppid: number;
  readonly group: number;
  readonly session: number;
}

/** Environment variable by which a descendant is known after it has left its parent, group and session. */
export const MARK = "COUNTERSIGN_PROC";

/** Every live process that /proc shows us; the dead that wait for their parent are left out. */
export function processTable(): Row[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    const row = Number.isInteger(pid) ? parseStat(readOr(`/proc/${pid}/stat`)) : null;
    return row === null ? [] : [row];
  });
}

/** A line of /proc/<pid>/stat. The name may hold spaces and brackets: fields are counted after the last bracket. */
export function parseStat(line: string): Row | null {
  const pid = Number.parseInt(line, 10);
  const [state, ppid, group, session] = line.slice(line.lastIndexOf(")") + 2).split(" ");
  if (Number.isNaN(pid) || state === undefined || state === "Z" || state === "X") return null;
  return { pid, ppid: Number(ppid), group: Number(group), session: Number(session) };
}

/** The mark in the environment a process was started with; `null` when it has none or hides it. */
export function markOf(pid: number): string | null {
  const entry = readOr(`/proc/${pid}/environ`)
    .split("\0")
    .find((pair) => pair.startsWith(`${MARK}=`));
  return entry === undefined ? null : entry.slice(MARK.length + 1);
}

/**
 * Rows that belong to the process `root` started with `mark`: its children's children, its group, its session, and who
 * bears the mark. With `orphans`, also who was adopted by pid 1 and bears no mark at all: only someone that scrubbed
 * its environment on purpose looks like that, and only where pid 1 has no children of its own.
 */
export function familyOf(
  rows: readonly Row[],
  root: number,
  mark: string,
  o: { self: number; orphans: boolean; markOf: (pid: number) => string | null },
): Row[] {
  const others = rows.filter((row) => row.pid !== o.self && row.pid !== 1);
  const family = new Set<number>([root]);
  for (const row of others) {
    const theirs = row.group === root || row.session === root ? mark : o.markOf(row.pid);
    if (theirs === mark || (o.orphans && theirs === null && row.ppid === 1)) family.add(row.pid);
  }
  for (let before = 0; before < family.size; ) {
    before = family.size;
    for (const row of others) if (family.has(row.ppid)) family.add(row.pid);
  }
  return others.filter((row) => family.has(row.pid));
}

/** Sends a signal; `false` when there is nobody left to take it. */
export function signalled(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** A process that went away while we looked has nothing to say; neither has one we may not look into. */
function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(code)) return "";
    throw error;
  }
}
