import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { SandboxSpec } from "#ports/sandbox.ts";
import { type Box, FILES, writeJson } from "./box.ts";
import { AUTHORITIES, launchLine, OWN_TASKS } from "./bubblewrap.ts";
import { groupsOf, makeGroups, removeGroups } from "./cgroups.ts";
import type { Identity } from "./identity.ts";
import type { HostNpm } from "./npm.ts";
import type { Survey } from "./preflight.ts";
import type { Recruit, Recruits } from "./raise.ts";
import { releaseUid, takeUid } from "./uids.ts";

const SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";

/** Files that anybody may read and, inside, nobody change. */
function furnish(folder: string, own: string): void {
  const system = existsSync(SYSTEM_AUTHORITIES) ? readFileSync(SYSTEM_AUTHORITIES, "utf8") : "";
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  for (const [name, text] of [
    [AUTHORITIES.own, own],
    [AUTHORITIES.all, `${system}\n${own}`],
  ] as const) {
    writeFileSync(path.join(folder, name), text);
    chmodSync(path.join(folder, name), 0o644);
  }
}

export interface Order {
  readonly id: string;
  readonly spec: SandboxSpec;
  readonly specDigest: string;
  readonly stateDir: string;
  readonly sharedDir: string;
  readonly isRoot: boolean;
  readonly creator: Identity;
  readonly machine: Survey & { readonly bwrap: string };
  readonly runtime: string;
  readonly supervisors: Recruits;
  readonly node: string;
  /** As the inside may read them. */
  readonly image: string;
  readonly npm: HostNpm | null;
}

/**
 * Writes the record of a new sandbox and gives it what it owns on the host, while its supervisor is already starting.
 * The record appears under its name in one step. `null`: somebody else was first. On a throw nothing is left.
 */
export function record(o: Order): { box: Box; supervisor: Recruit } | null {
  const name = `${o.id}-${randomBytes(6).toString("hex")}`;
  const fresh = path.join(o.stateDir, `.new-${name}`);
  const dir = path.join(o.stateDir, o.id);
  const work = path.join(o.sharedDir, "work", name);
  const { machine } = o;
  // The supervisor vouches for its sandbox: a token of its own is of no use here.
  const { trust, token: _, ...spec } = o.spec;
  const authorities = trust === undefined ? null : path.join(work, "authorities");
  const groupName = `countersign-${name}`;
  const groups = machine.cgroups === null ? null : groupsOf(machine.cgroups, groupName);
  const { memoryMiB, pids, cpus } = spec.limits;
  mkdirSync(fresh, { mode: 0o700 });
  const supervisor = o.supervisors.next();
  let lock: string | null = null;
  try {
    supervisor.keepLogIn(fresh);
    const own = o.isRoot ? takeUid(path.join(o.sharedDir, "uids"), dir, o.creator) : null;
    lock = own?.lock ?? null;
    const box: Box = {
      id: o.id,
      spec: { ...spec, limits: { memoryMiB, pids, cpus } },
      specDigest: o.specDigest,
      createdAt: Date.now(),
      creator: o.creator,
      uid: own?.uid ?? null,
      uidLock: lock,
      work,
      image: o.image,
      node: o.node,
      runtime: o.runtime,
      bwrap: machine.bwrap,
      prlimit: machine.prlimit,
      memoryGroup: groups?.memory ?? null,
      pidsGroup: groups?.pids ?? null,
      cpuGroup: cpus === undefined ? null : (groups?.cpu ?? null),
      groups: machine.cgroups?.version ?? null,
    };
    // Named before they are made: whoever finds this after a crash can remove them all.
    writeJson(fresh, FILES.box, box);
    writeJson(fresh, FILES.launch, launchLine(box, { npm: o.npm, authorities }));
    if (machine.cgroups !== null) {
      makeGroups(machine.cgroups, groupName, { memoryMiB, pids: pids + OWN_TASKS, cpus: cpus ?? null });
    }
    for (const folder of ["", "workspace", "home", "journals"]) {
      mkdirSync(path.join(work, folder), { mode: 0o700 });
      if (own !== null) chownSync(path.join(work, folder), own.uid, own.uid);
    }
    if (authorities !== null) furnish(authorities, trust ?? "");
    renameSync(fresh, dir);
    return { box, supervisor };
  } catch (error) {
    supervisor.dismiss();
    rmSync(fresh, { recursive: true, force: true });
    rmSync(work, { recursive: true, force: true });
    if (groups !== null) removeGroups([groups.memory, groups.pids, groups.cpu]);
    if (lock !== null) releaseUid(lock);
    if (["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}
