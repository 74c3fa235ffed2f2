import { createHash } from "node:crypto";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { checkHeld, checkSpec } from "#adapters/sandbox/spec.ts";
import { digest } from "#policy/digest.ts";
import { type Sandbox, SandboxError, type SandboxProvider, type SandboxSpec } from "#ports/sandbox.ts";
import { asStored, FILES, idsIn, readBox, readSupervisor } from "./box.ts";
import { attachAt, infoOf, openSandbox, stateOf } from "./client.ts";
import { demolish } from "./demolish.ts";
import { identityOf, isAlive } from "./identity.ts";
import type { HostNpm } from "./npm.ts";
import { noNpm, type Survey, survey } from "./preflight.ts";
import { endSupervisor, type Recruits, recruits } from "./raise.ts";
import { record } from "./record.ts";
import { ownFolder, stageProgram, stageRuntime, stageTree } from "./staging.ts";

export interface LocalOptions {
  /** Where the records of the sandboxes are kept; made with mode 0700. */
  readonly stateDir: string;
  /** The Node 24 program, for the supervisor and for the inside. */
  readonly node: string;
  /** Folder of an image on this host, or `null` when there is none by that name. */
  readonly imageFolder: (image: string) => Promise<string | null>;
  /** As `findNpm` finds it. `null`: preflight names it a problem. Absent: what the host has below /usr, if anything. */
  readonly npm?: HostNpm | null;
  /** bubblewrap, if not in the usual places. */
  readonly bwrap?: string;
  /** After a sandbox, how long one idle supervisor (about 45 MB) waits for the next; it saves a third. Default: none. */
  readonly spareMs?: number;
  /** As root: where workspaces and everything an unprivileged uid must read are kept. Every folder above must be open. */
  readonly sharedDir?: string;
}

/** Who tries bubblewrap out when we are root; no sandbox ever has it. */
const PROBE_UID = 20_000;
const READY_MS = 30_000;
/** How long what the machine can do is taken for granted. What it cannot do fails in the making. */
const SURVEYED_MS = 60_000;

/**
 * Sandboxes on this machine: one detached supervisor and one bubblewrap each, in a network of their own without a way
 * out but the gateway. Needs no daemon and no root; as root every sandbox has a uid of its own and hard memory limits.
 * What is not in force is in `preflight().capabilities`: the workspace has no disk quota, and without root nothing limits
 * memory and processor time.
 */
export function localSandboxes(o: LocalOptions): SandboxProvider {
  const isRoot = process.getuid?.() === 0;
  const sharedDir = isRoot ? (o.sharedDir ?? "/var/lib/countersign") : path.join(o.stateDir, ".shared");
  const me = identityOf(process.pid);
  let surveyed: Promise<Survey> | null = null;
  let lookAgainAt = 0;
  let preparing: Promise<Prepared> | null = null;
  /** Where the inside finds an image, by what was seen of the image's folder. */
  const readables = new Map<string, Promise<string>>();
  const dirOf = (id: string) => path.join(o.stateDir, id);

  /** Every run asks what this machine can do, and trying it out costs what a third of a sandbox does. */
  async function look(): Promise<Survey> {
    if (surveyed === null || performance.now() >= lookAgainAt) {
      lookAgainAt = performance.now() + SURVEYED_MS;
      surveyed = survey({ bwrap: o.bwrap ?? null, uid: isRoot ? PROBE_UID : null });
    }
    try {
      const found = await surveyed;
      // Somebody may mend it now.
      if (found.problems.length > 0) lookAgainAt = 0;
      return found;
    } catch (error) {
      lookAgainAt = 0;
      throw error;
    }
  }

  const prepared = () => {
    preparing ??= prepare().catch((error: unknown) => {
      preparing = null; // A folder that could not be made today may be there tomorrow.
      throw error;
    });
    return preparing;
  };
  /** A whole image is looked through once, and again when it was put in place anew. */
  const readable = (folder: string): Promise<string> => {
    const about = statSync(folder);
    const seen = [folder, about.dev, about.ino, about.mtimeMs].join("\0");
    const known = readables.get(seen);
    if (known !== undefined) return known;
    const staged = stageTree(folder, path.join(sharedDir, "runtime"));
    readables.set(seen, staged);
    staged.catch(() => readables.delete(seen));
    return staged;
  };

  /** What is below /usr the inside sees as it is. */
  const npmInside = async (npm: HostNpm | null): Promise<HostNpm | null> =>
    npm === null || !isRoot || npm.folder.startsWith("/usr/") ? npm : { ...npm, folder: await readable(npm.folder) };

  /** Once per process: folders, our programs, and what a crash left half made. */
  async function prepare(): Promise<Prepared> {
    ownFolder(o.stateDir, 0o700, { above: false });
    ownFolder(sharedDir, isRoot ? 0o755 : 0o700);
    const [open, shut] = isRoot ? [0o755, 0o700] : [0o700, 0o700];
    ownFolder(path.join(sharedDir, "runtime"), open);
    ownFolder(path.join(sharedDir, "work"), open);
    ownFolder(path.join(sharedDir, "uids"), shut);
    for (const name of readdirSync(o.stateDir)) {
      if (name.startsWith(".log-") && isOld(dirOf(name))) rmSync(dirOf(name), { force: true });
      if (name.startsWith(".gone-")) rmSync(dirOf(name), { recursive: true, force: true });
      if (name.startsWith(".new-") && isForsaken(dirOf(name))) await demolish(dirOf(name));
    }
    const runtimes = path.join(sharedDir, "runtime");
    const runtime = await stageRuntime(runtimes, o.node);
    const node = isRoot ? stageProgram(o.node, runtimes) : o.node;
    return { runtime, node, supervisors: recruits(node, runtime, o.stateDir, o.spareMs ?? 0) };
  }

  /** Makes it and waits for it. `null`: somebody else was first. On a throw nothing is left. */
  async function make(id: string, spec: SandboxSpec, specDigest: string, signal: AbortSignal): Promise<Sandbox | null> {
    const machine = await look();
    const problem = machine.problems[0];
    if (problem !== undefined) throw new SandboxError("unsupported", `${problem.what}: ${problem.fix}`);
    checkHeld(spec, machine.capabilities, "the local sandbox");
    if (me === null || machine.bwrap === null) throw new Error("no problem was found, and yet there is no bubblewrap");
    const { runtime, node, supervisors } = await prepared();
    const folder = await o.imageFolder(spec.image);
    if (folder === null) throw new SandboxError("invalid", `no image ${spec.image}`);
    const image = isRoot ? await readable(folder) : folder;
    const npm = await npmInside(o.npm ?? null);
    signal.throwIfAborted();
    const order = {
      id,
      spec,
      specDigest,
      stateDir: o.stateDir,
      sharedDir,
      isRoot,
      creator: me,
      runtime,
      supervisors,
      node,
      image,
      npm,
    };
    const made = record({ ...order, machine: { ...machine, bwrap: machine.bwrap } });
    if (made === null) return null;
    try {
      await made.supervisor.serve(dirOf(id), signal);
      supervisors.prepareSpare();
      return openSandbox(dirOf(id), made.box);
    } catch (error) {
      const supervisor = made.supervisor.identity();
      if (supervisor !== null) await endSupervisor(dirOf(id), supervisor);
      await destroy(id);
      throw error;
    }
  }

  /** The sandbox that has this key already, once it is ready; `null` when what is there was never promised to anybody. */
  async function existing(id: string, specDigest: string, signal: AbortSignal): Promise<Sandbox | null> {
    const dir = dirOf(id);
    for (const deadline = performance.now() + READY_MS; ; ) {
      const [box, state] = [readBox(dir), stateOf(dir)];
      if (box === null) return null;
      if (box.specDigest !== specDigest)
        throw new SandboxError("conflict", `sandbox ${box.spec.key} exists with another spec`);
      if (state === "running") return openSandbox(dir, box);
      if (state === "dead" && existsSync(path.join(dir, FILES.ready))) {
        throw new SandboxError("gone", `the supervisor of sandbox ${id} has ended; destroy it and take another key`);
      }
      if (state === "dead") return null;
      if (performance.now() > deadline)
        throw new SandboxError("unavailable", `sandbox ${id} is being made by somebody else`);
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function destroy(id: string): Promise<void> {
    const dir = dirOf(id);
    const supervisor = existsSync(dir) ? readSupervisor(dir) : null;
    if (supervisor !== null && isAlive(supervisor)) await endSupervisor(dir, supervisor);
    await demolish(dir);
  }

  return {
    name: "local",
    async preflight() {
      const { capabilities, problems } = await look();
      return { capabilities, problems: o.npm === null ? [...problems, noNpm()] : problems };
    },
    async create(spec, signal) {
      signal.throwIfAborted();
      checkSpec(spec);
      const id = `sb_${createHash("sha256").update(spec.key).digest("hex").slice(0, 20)}`;
      const specDigest = digest(asStored(spec));
      for (;;) {
        signal.throwIfAborted();
        const made = existsSync(dirOf(id)) ? null : await make(id, spec, specDigest, signal);
        if (made !== null) return made;
        const sandbox = await existing(id, specDigest, signal);
        if (sandbox !== null) return sandbox;
        await destroy(id);
      }
    },
    attach: async (id) => attachAt(dirOf(checkId(id)), id),
    async list(labels) {
      if (!existsSync(o.stateDir)) return [];
      return idsIn(o.stateDir).flatMap((id) => {
        const box = readBox(dirOf(id));
        const matches =
          box !== null && Object.entries(labels).every(([name, value]) => box.spec.labels[name] === value);
        return matches ? [infoOf(box, stateOf(dirOf(id)) === "dead" ? "stopped" : "running")] : [];
      });
    },
    destroy: async (id) => destroy(checkId(id)),
  };
}

interface Prepared {
  readonly runtime: string;
  readonly node: string;
  readonly supervisors: Recruits;
}

/** Ids become folder names. */
function checkId(id: string): string {
  if (!/^sb_[0-9a-f]{20}$/.test(id)) throw new SandboxError("not_found", `no sandbox ${JSON.stringify(id)}`);
  return id;
}

/** Nothing that is under way takes an hour. */
const isOld = (file: string): boolean =>
  Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 3_600_000;

/** Whoever was making this has died. Before the record is written nobody can be asked, but that takes no hour. */
function isForsaken(dir: string): boolean {
  const box = readBox(dir);
  return box === null ? isOld(dir) : !isAlive(box.creator);
}
