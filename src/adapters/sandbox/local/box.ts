import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { SandboxSpec } from "#ports/sandbox.ts";
import { count, dictionary, nullable, object, type Shaped, text } from "#runner/shape.ts";
import { type Identity, identityShape } from "./identity.ts";

/** What the processes inside see. */
export const INSIDE = {
  workdir: "/workspace",
  home: "/home/agent",
  image: "/opt/image",
  node: "/opt/node/bin",
  runner: "/opt/countersign/runner.cjs",
  journals: "/run/countersign",
  authorities: "/opt/countersign/authorities",
  proxyPort: 3128,
} as const;

/** A field that older records have not. */
function maybe<T>(shape: (value: unknown, at: string) => T): (value: unknown, at: string) => T | undefined {
  return (value, at) => (value === undefined ? undefined : shape(value, at));
}

const spec = object({
  key: text,
  image: text,
  labels: dictionary(text),
  gateway: nullable(text),
  limits: object({ memoryMiB: count, pids: count, cpus: maybe(count) }),
  ttlMs: count,
});

const box = object({
  id: text,
  spec,
  specDigest: text,
  /** Milliseconds since 1970. */
  createdAt: count,
  /** Who was making it. If it died before the supervisor was ready, nothing was ever promised. */
  creator: identityShape,
  /** The uid everything inside has on the host; `null`: our own. */
  uid: nullable(count),
  uidLock: nullable(text),
  /** Workspace, home and journals. Belongs to `uid`. */
  work: text,
  image: text,
  node: text,
  /** Folder with the runner's program and the synthetic files of /etc. */
  runtime: text,
  bwrap: text,
  /** Absent where the program is missing; then the limit on processes is not in force without cgroups. */
  prlimit: nullable(text),
  /** Folders of our own below the control groups that are in force. */
  memoryGroup: nullable(text),
  pidsGroup: nullable(text),
  cpuGroup: maybe(nullable(text)),
  /** "v1" or "v2" when a group is set. */
  groups: nullable(text),
});

/** Everything the supervisor must know, written before it starts and never changed. */
export type Box = Shaped<typeof box>;

const inside = object({ outer: identityShape, init: identityShape });

/** The files of one sandbox's state directory. Ours alone: mode 0700, never bound into a sandbox. */
export const FILES = {
  box: "box.json",
  /** The command line of bubblewrap: all that the supervisor's program needs to begin. */
  launch: "launch.json",
  /** Identity of the supervisor. */
  supervisor: "supervisor.json",
  /** Identities of bubblewrap and of pid 1 inside. */
  inside: "inside.json",
  /** Written when `create` may resolve. */
  ready: "ready",
  control: "control.sock",
  log: "supervisor.log",
} as const;

/** `null` when there is no such file: it was never written, or the sandbox has just been destroyed. */
function readJson<T>(file: string, shape: (value: unknown, at: string) => T): T | null {
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  return shape(JSON.parse(content), file);
}

export const readBox = (dir: string): Box | null => readJson(path.join(dir, FILES.box), box);
export const readSupervisor = (dir: string): Identity | null =>
  readJson(path.join(dir, FILES.supervisor), identityShape);
export const readInside = (dir: string) => readJson(path.join(dir, FILES.inside), inside);
export const isReady = (dir: string): boolean => readJson(path.join(dir, FILES.ready), () => true) ?? false;

/** In one step: a reader sees the whole file or none. */
export function writeJson(dir: string, file: string, value: unknown): void {
  const target = path.join(dir, file);
  writeFileSync(`${target}.new`, `${JSON.stringify(value)}\n`, { mode: 0o600 });
  renameSync(`${target}.new`, target);
}

/** Ids in a state directory. Names that begin with a dot are being made or unmade. */
export function idsIn(stateDir: string): string[] {
  return readdirSync(stateDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map((entry) => entry.name)
    .sort();
}

/** The spec as JSON keeps it, for comparing: an authority that was renewed makes no other sandbox. */
export const asStored = ({ trust: _, token: __, ...of }: SandboxSpec): unknown => JSON.parse(JSON.stringify(of));
