import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { checkSpec } from "#adapters/sandbox/spec.ts";
import { digest } from "#policy/digest.ts";
import {
  type Sandbox,
  SandboxError,
  type SandboxErrorCode,
  type SandboxProvider,
  type SandboxSpec,
} from "#ports/sandbox.ts";
import { asStored, type Box, FILES, idsIn, readBox, readSupervisor, writeJson } from "./box.ts";
import { launchLine, OWN_TASKS } from "./bubblewrap.ts";
import { makeGroups, removeGroups } from "./cgroups.ts";
import { attachAt, infoOf, openSandbox, stateOf } from "./client.ts";
import { ask } from "./control.ts";
import { demolish } from "./demolish.ts";
import { end, hasEnded, type Identity, identityOf, isAlive } from "./identity.ts";
import { type Survey, survey } from "./preflight.ts";
import { ownFolder, stageProgram, stageRuntime, stageTree } from "./staging.ts";
import { releaseUid, takeUid } from "./uids.ts";

export interface LocalOptions {
  /** Where the records of the sandboxes are kept; made with mode 0700. */
  readonly stateDir: string;
  /** The Node 24 program, for the supervisor and for the inside. */
  readonly node: string;
  /** Folder of an image on this host, or `null` when there is none by that name. */
  readonly imageFolder: (image: string) => Promise<string | null>;
  /** bubblewrap, if not in the usual places. */
  readonly bwrap?: string;
  /** As root: where workspaces and everything an unprivileged uid must read are kept. Every folder above must be open. */
  readonly sharedDir?: string;
}

/** Who tries bubblewrap out when we are root; no sandbox ever has it. */
const PROBE_UID = 20_000;
const READY_MS = 30_000;
/** A supervisor that was asked to end gets this long before it is killed. */
const DESTROY_MS = 10_000;

/**
 * Sandboxes on this machine: one detached supervisor and one bubblewrap each, in a network of their own without a way
 * out but the gateway. Needs no daemon and no root; as root every sandbox has a uid of its own and hard memory limits.
 * What is not in force is in `preflight().capabilities`: the workspace has no disk quota and processor time no limit.
 */
export function localSandboxes(o: LocalOptions): SandboxProvider {
  const isRoot = process.getuid?.() === 0;
  const sharedDir = isRoot ? (o.sharedDir ?? "/var/lib/countersign") : path.join(o.stateDir, ".shared");
  const me = identityOf(process.pid);
  let surveyed: Promise<Survey> | null = null;
  let prepared: Promise<{ runtime: string; node: string }> | null = null;
  const dirOf = (id: string) => path.join(o.stateDir, id);

  const look = () => survey({ bwrap: o.bwrap ?? null, uid: isRoot ? PROBE_UID : null });

  /** Once per process: folders, our programs, and what a crash left half made. */
  async function prepare(): Promise<{ runtime: string; node: string }> {
    ownFolder(o.stateDir, 0o700);
    ownFolder(sharedDir, isRoot ? 0o755 : 0o700);
    const [open, shut] = isRoot ? [0o755, 0o700] : [0o700, 0o700];
    ownFolder(path.join(sharedDir, "runtime"), open);
    ownFolder(path.join(sharedDir, "work"), open);
    ownFolder(path.join(sharedDir, "uids"), shut);
    for (const name of readdirSync(o.stateDir)) {
      if (name.startsWith(".gone-") || (name.startsWith(".new-") && creatorIsDead(dirOf(name)))) {
        rmSync(dirOf(name), { recursive: true, force: true });
      }
    }
    const runtimes = path.join(sharedDir, "runtime");
    return { runtime: await stageRuntime(runtimes, o.node), node: isRoot ? stageProgram(o.node, runtimes) : o.node };
  }

  /** Writes the record of a new sandbox and gives it what it owns on the host. `null`: somebody else was first. */
  async function record(
    id: string,
    spec: SandboxSpec,
    specDigest: string,
    machine: Survey & { runtime: string; node: string },
  ): Promise<Box | null> {
    if (me === null || machine.bwrap === null) throw new Error("not on Linux with bubblewrap");
    const image = await o.imageFolder(spec.image);
    if (image === null) throw new SandboxError("invalid", `no image ${spec.image}`);
    const imageTree = isRoot ? await stageTree(image, path.join(sharedDir, "runtime")) : image;
    const name = `${id}-${randomBytes(6).toString("hex")}`;
    const work = path.join(sharedDir, "work", name);
    const fresh = path.join(o.stateDir, `.new-${name}`);
    const own = isRoot ? takeUid(path.join(sharedDir, "uids"), dirOf(id), me) : null;
    let groups: { memory: string; pids: string } | null = null;
    try {
      const tasks = { memoryMiB: spec.limits.memoryMiB, pids: spec.limits.pids + OWN_TASKS };
      groups = machine.cgroups === null ? null : makeGroups(machine.cgroups, `countersign-${name}`, tasks);
      for (const folder of ["", "workspace", "home", "journals"]) {
        mkdirSync(path.join(work, folder), { mode: 0o700 });
        if (own !== null) chownSync(path.join(work, folder), own.uid, own.uid);
      }
      const box: Box = {
        id,
        spec,
        specDigest,
        createdAt: Date.now(),
        creator: me,
        uid: own?.uid ?? null,
        uidLock: own?.lock ?? null,
        work,
        image: imageTree,
        node: machine.node,
        runtime: machine.runtime,
        bwrap: machine.bwrap,
        prlimit: machine.prlimit,
        memoryGroup: groups?.memory ?? null,
        pidsGroup: groups?.pids ?? null,
        groups: machine.cgroups?.version ?? null,
      };
      mkdirSync(fresh, { mode: 0o700 });
      writeJson(fresh, FILES.box, box);
      writeJson(fresh, FILES.launch, launchLine(box));
      renameSync(fresh, dirOf(id));
      return box;
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      rmSync(work, { recursive: true, force: true });
      if (groups !== null) removeGroups([groups.memory, groups.pids]);
      if (own !== null) releaseUid(own.lock);
      if (["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
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
      if (state === "dead" && (readSupervisor(dir) !== null || !isAlive(box.creator))) return null;
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
      surveyed = look();
      const { capabilities, problems } = await surveyed;
      return { capabilities, problems };
    },
    async create(spec, signal) {
      signal.throwIfAborted();
      checkSpec(spec);
      surveyed ??= look();
      const problem = (await surveyed).problems[0];
      if (problem !== undefined) throw new SandboxError("unsupported", `${problem.what} ${problem.fix}`);
      prepared ??= prepare().catch((error: unknown) => {
        prepared = null; // A folder that could not be made today may be there tomorrow.
        throw error;
      });
      const machine = { ...(await surveyed), ...(await prepared) };
      const id = `sb_${createHash("sha256").update(spec.key).digest("hex").slice(0, 20)}`;
      const specDigest = digest(asStored(spec));
      for (;;) {
        signal.throwIfAborted();
        const box = existsSync(dirOf(id)) ? null : await record(id, spec, specDigest, machine);
        if (box !== null) return await raise(dirOf(id), box, signal, destroy);
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

/** Ids become folder names. */
function checkId(id: string): string {
  if (!/^sb_[0-9a-f]{20}$/.test(id)) throw new SandboxError("not_found", `no sandbox ${JSON.stringify(id)}`);
  return id;
}

function creatorIsDead(dir: string): boolean {
  const box = readBox(dir);
  return box !== null && !isAlive(box.creator);
}

/** Starts the supervisor and waits for its word. On a throw nothing is left. */
async function raise(
  dir: string,
  box: Box,
  signal: AbortSignal,
  destroy: (id: string) => Promise<void>,
): Promise<Sandbox> {
  const log = openSync(path.join(dir, FILES.log), "a", 0o600);
  const program = path.join(box.runtime, "src/adapters/sandbox/local/main.mjs");
  const child = spawn(box.node, [program, dir], {
    detached: true,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["ignore", log, log, "pipe"],
  });
  closeSync(log);
  child.unref();
  try {
    const word = await firstWord(
      child.stdio[3] as Readable,
      signal,
      new Promise((_, reject) => child.once("error", reject)),
    );
    if (word !== null && "ready" in word) return openSandbox(dir, box);
    throw word === null
      ? new SandboxError("unavailable", "the supervisor ended before the sandbox was ready")
      : new SandboxError(word.code as SandboxErrorCode, word.message);
  } catch (error) {
    if (child.pid !== undefined) {
      const supervisor = identityOf(child.pid);
      if (supervisor !== null) await endSupervisor(dir, supervisor);
    }
    await destroy(box.id);
    throw error;
  }
}

/** The supervisor's first line; `null` when it ended without one. Rejects with the signal's reason. */
async function firstWord(
  stream: Readable,
  signal: AbortSignal,
  failed: Promise<never>,
): Promise<{ ready: true } | { code: string; message: string } | null> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  const said = new Promise<string>((resolve) => {
    let text = "";
    stream.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    stream.once("close", () => resolve(text));
    stream.once("error", () => resolve(text));
  });
  try {
    const text = await Promise.race([said, aborted.promise, failed]);
    return text === "" ? null : JSON.parse(text);
  } finally {
    signal.removeEventListener("abort", abort);
    stream.destroy();
  }
}

/** Asks first, so that it cleans up; one that does not answer is killed. */
async function endSupervisor(dir: string, supervisor: Identity): Promise<void> {
  try {
    await ask(dir, "destroy", {}, { withinMs: DESTROY_MS });
    if (await hasEnded(supervisor, DESTROY_MS)) return;
  } catch {
    // It is starting, ending or stuck: in each case what follows is right.
  }
  await end(supervisor, DESTROY_MS);
}
