import { randomBytes } from "node:crypto";
import { chmod, lstat, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { readBox, readInside, readSupervisor } from "./box.ts";
import { membersOf, removeGroups } from "./cgroups.ts";
import { end, identityOf } from "./identity.ts";
import { releaseUid } from "./uids.ts";

/** How long the kernel gets to end what was killed. */
const END_MS = 10_000;

/**
 * Removes everything a sandbox is: processes first, then control groups, files, uid and, last, the record. Any number
 * of times and from any point on: what is gone already is fine. Not for a sandbox whose supervisor lives, unless by it.
 */
export async function demolish(dir: string): Promise<void> {
  const box = readBox(dir);
  const inside = readInside(dir);
  // Pid 1 takes the whole namespace along, and is only gone when everything in it is.
  if (inside !== null) for (const one of [inside.init, inside.outer]) await end(one, END_MS);
  if (box !== null) {
    for (const group of [box.memoryGroup, box.pidsGroup, box.cpuGroup ?? null]) if (group !== null) await remove(group);
    await removeTree(box.work);
    if (box.uidLock !== null) releaseUid(box.uidLock);
  }
  const doomed = path.join(path.dirname(dir), `.gone-${path.basename(dir)}-${randomBytes(4).toString("hex")}`);
  try {
    await rename(dir, doomed);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  // A supervisor that was only just starting when we looked wrote its name before it did anything else.
  const late = readSupervisor(doomed);
  if (late !== null && late.pid !== process.pid) await end(late, END_MS);
  await removeTree(doomed);
}

/** Whoever was just being started may join a group that we have seen empty, and the kernel takes a moment to let go of it. */
async function remove(group: string): Promise<void> {
  for (const deadline = performance.now() + END_MS; ; ) {
    await emptied(group);
    try {
      return removeGroups([group]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EBUSY" || performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}

/** Kills what is left in a group of ours; the members end on their own time. */
async function emptied(group: string): Promise<void> {
  for (let members = membersOf(group); members.length > 0; members = membersOf(group)) {
    for (const pid of members) {
      const one = identityOf(pid);
      if (one !== null) await end(one, END_MS);
      else if (!(await gone(group, pid))) throw new Error(`process ${pid} stays in ${group}`);
    }
  }
}

/** A zombie leaves its group when its parent has looked at it. */
async function gone(group: string, pid: number): Promise<boolean> {
  for (const deadline = performance.now() + END_MS; membersOf(group).includes(pid); ) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  return true;
}

/** Also a tree whose folders were made unreadable on purpose. Never follows a link. */
async function removeTree(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    if (!["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await openUp(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

async function openUp(folder: string): Promise<void> {
  if (!(await lstat(folder)).isDirectory()) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openUp(path.join(folder, entry.name));
  }
}
