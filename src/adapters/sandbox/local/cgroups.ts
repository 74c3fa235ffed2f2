import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Where new groups can be made. In v2 both are the same folder. */
export interface CgroupHome {
  readonly version: "v1" | "v2";
  readonly memory: string;
  readonly pids: string;
  /** `null`: processor time cannot be held here. */
  readonly cpu: string | null;
}

const MOUNT = "/sys/fs/cgroup";

/** Tries it: makes a group below our own, sets a limit, removes it. `null` when this machine does not let us. */
export function findCgroups(): CgroupHome | null {
  const own = readFileSync("/proc/self/cgroup", "utf8");
  const mine = (controller: string) =>
    own.match(new RegExp(`^\\d+:(?:[^:\\n]*,)?${controller}(?:,[^:\\n]*)?:(.*)$`, "m"))?.[1] ?? null;
  const below = (controller: string): string | null => {
    const at = mine(controller);
    if (at === null) return null;
    // In a container the path may be the host's, of which only the mount's own root is visible.
    const folder = path.join(MOUNT, controller, at);
    return existsSync(folder) ? folder : path.join(MOUNT, controller);
  };
  const [memory, pids] = [below("memory"), below("pids")];
  const v2 = existsSync(`${MOUNT}/cgroup.controllers`);
  const home: CgroupHome | null = v2
    ? { version: "v2", memory: path.join(MOUNT, "countersign"), pids: path.join(MOUNT, "countersign"), cpu: null }
    : memory !== null && pids !== null
      ? { version: "v1", memory, pids, cpu: null }
      : null;
  if (home === null) return null;
  const tried = (one: CgroupHome, controllers: string): CgroupHome | null =>
    unlessRefused(() => {
      if (one.version === "v2") enableV2(one.memory, controllers);
      const made = makeGroups(one, `countersign-probe-${process.pid}`, { memoryMiB: 64, pids: 64, cpus: 1 });
      removeGroups([made.memory, made.pids, made.cpu]);
      return one;
    });
  const cpu = v2 ? home.memory : below("cpu");
  const withCpu = cpu === null ? null : tried({ ...home, cpu }, "+memory +pids +cpu");
  return withCpu ?? tried(home, "+memory +pids");
}

/** Read-only, not ours, or no controller: whatever the reason, the limit would not be in force. */
function unlessRefused<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}

function enableV2(home: string, controllers: string): void {
  writeFileSync(`${MOUNT}/cgroup.subtree_control`, controllers);
  mkdirSync(home, { recursive: true });
  writeFileSync(path.join(home, "cgroup.subtree_control"), controllers);
}

/** In microseconds. So many processors are so many times the period in each period. */
const PERIOD_US = 100_000;

/** Where the groups of one sandbox will be. */
export const groupsOf = (home: CgroupHome, name: string) => ({
  memory: path.join(home.memory, name),
  pids: path.join(home.pids, name),
  cpu: home.cpu === null ? null : path.join(home.cpu, name),
});

/** Makes the groups of one sandbox with its limits set. */
export function makeGroups(
  home: CgroupHome,
  name: string,
  limits: { memoryMiB: number; pids: number; cpus: number | null },
): { memory: string; pids: string; cpu: string | null } {
  const { memory, pids, cpu } = groupsOf(home, name);
  const bytes = String(limits.memoryMiB * 1024 * 1024);
  mkdirSync(memory, { recursive: true });
  mkdirSync(pids, { recursive: true });
  if (home.version === "v1") {
    writeFileSync(path.join(memory, "memory.limit_in_bytes"), bytes);
    const withSwap = path.join(memory, "memory.memsw.limit_in_bytes");
    if (existsSync(withSwap)) writeFileSync(withSwap, bytes);
  } else {
    writeFileSync(path.join(memory, "memory.max"), bytes);
    const swap = path.join(memory, "memory.swap.max");
    if (existsSync(swap)) writeFileSync(swap, "0");
  }
  writeFileSync(path.join(pids, "pids.max"), String(limits.pids));
  if (cpu === null || limits.cpus === null) return { memory, pids, cpu: null };
  const quota = String(limits.cpus * PERIOD_US);
  mkdirSync(cpu, { recursive: true });
  if (home.version === "v2") writeFileSync(path.join(cpu, "cpu.max"), `${quota} ${PERIOD_US}`);
  else {
    writeFileSync(path.join(cpu, "cpu.cfs_period_us"), String(PERIOD_US));
    writeFileSync(path.join(cpu, "cpu.cfs_quota_us"), quota);
  }
  return { memory, pids, cpu };
}

/** How often the kernel has killed something in this group for memory. */
export function oomKills(memory: string, version: "v1" | "v2"): number {
  const file = path.join(memory, version === "v1" ? "memory.oom_control" : "memory.events");
  return Number(readFileSync(file, "utf8").match(/^oom_kill (\d+)$/m)?.[1] ?? 0);
}

/** Members, as pids of this host. */
export function membersOf(group: string): number[] {
  if (!existsSync(group)) return [];
  return readFileSync(path.join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
}

/** Removes empty groups; one that is not there is fine. */
export function removeGroups(groups: readonly (string | null)[]): void {
  for (const group of new Set(groups)) {
    if (group === null) continue;
    try {
      rmdirSync(group);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}
