import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import path from "node:path";
import { end, type Identity, identityOf, isAlive } from "#adapters/sandbox/local/identity.ts";

/** Finds the processes of an installation from outside, by what they left on disk and in /proc, and kills exactly those. */

const END_MS = 10_000;

export interface Box {
  readonly id: string;
  readonly run: string;
  readonly slot: string;
  readonly work: string;
  readonly supervisor: Identity | null;
  readonly inside: readonly Identity[];
}

const json = (file: string): unknown => {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null; // Being written, or just taken away.
  }
};

/** Sandboxes that the installation has on disk now; those that are being made or unmade too. */
export function boxesOf(dataDir: string): Box[] {
  const folder = path.join(dataDir, "sandboxes");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    if (name === ".shared") return [];
    const at = (file: string) => json(path.join(folder, name, file));
    const box = at("box.json") as { id: string; work: string; spec: { labels: { run: string; slot: string } } } | null;
    if (box === null) return [];
    const inside = at("inside.json") as { outer: Identity; init: Identity } | null;
    return [
      {
        id: box.id,
        ...box.spec.labels,
        work: box.work,
        supervisor: at("supervisor.json") as Identity | null,
        inside: inside === null ? [] : [inside.outer, inside.init],
      },
    ];
  });
}

export const gatewayOf = (dataDir: string): Identity | null => {
  const known = json(path.join(dataDir, "gateway", "process.json")) as { identity: Identity } | null;
  return known !== null && isAlive(known.identity) ? known.identity : null;
};

/** The supervisor of a run's sandbox; `null` when there is none now. */
export function supervisorOf(dataDir: string, run: string, slot: "agent" | "check"): Identity | null {
  const alive = boxesOf(dataDir).flatMap((box) =>
    box.run === run && box.slot === slot && box.supervisor !== null && isAlive(box.supervisor) ? [box.supervisor] : [],
  );
  return alive[0] ?? null;
}

/** The agent's own process: of all that carries its mark below the run's supervisor, the one that is nobody's child there. */
export function agentOf(dataDir: string, run: string): Identity | null {
  for (const box of boxesOf(dataDir)) {
    if (box.run !== run || box.supervisor === null) continue;
    const below = descendants(box.supervisor.pid);
    const marked = below.filter((pid) => read(pid, "environ").includes(`COUNTERSIGN_AGENT=${box.id}/`));
    const first = marked.find((pid) => !marked.includes(parentOf(pid) ?? 0));
    const found = first === undefined ? null : identityOf(first);
    if (found !== null) return found;
  }
  return null;
}

/** `false` when it had ended before. */
export async function strike(victim: Identity | null): Promise<boolean> {
  if (victim === null || !isAlive(victim)) return false;
  await end(victim, END_MS);
  return true;
}

/** Everything that runs for this installation beside the given pids, as "pid: why, command line". */
export function survivors(dataDir: string, works: readonly string[], spared: readonly number[]): string[] {
  return pids().flatMap((pid) => {
    if (spared.includes(pid) || pid === process.pid || identityOf(pid) === null) return [];
    const names = [dataDir, ...works];
    const traces = { command: read(pid, "cmdline"), environment: read(pid, "environ"), mounts: read(pid, "mountinfo") };
    const why = Object.entries(traces).find(([, text]) => names.some((name) => text.includes(name)))?.[0];
    const open = why === undefined && files(pid).some((file) => names.some((name) => file.startsWith(name)));
    return why === undefined && !open ? [] : [`${pid}: ${why ?? "open file"}, ${read(pid, "cmdline").slice(0, 200)}`];
  });
}

/** Ends what a failed test left behind, and removes its workspaces. */
export async function clearAway(dataDir: string): Promise<void> {
  await strike(gatewayOf(dataDir));
  for (const box of boxesOf(dataDir)) {
    await strike(box.supervisor);
    for (const one of box.inside) await strike(one);
    rmSync(box.work, { recursive: true, force: true });
  }
}

const pids = (): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** A text file of /proc; empty when the process is gone or not ours to look at. NULs become spaces. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function files(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return "";
      }
    });
  } catch {
    return [];
  }
}

function parentOf(pid: number): number | null {
  const stat = read(pid, "stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[1] === undefined ? null : Number(fields[1]);
}

function descendants(root: number): number[] {
  const parents = new Map(pids().map((pid) => [pid, parentOf(pid)]));
  const below = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const [pid, parent] of parents) {
      if (parent === null || below.has(pid) || !below.has(parent)) continue;
      below.add(pid);
      grown = true;
    }
  }
  below.delete(root);
  return [...below].sort((a, b) => a - b);
}
