import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { copyFile, link, lstat, mkdir, readdir, readlink, symlink } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { bundle, closure } from "./bundle.ts";
import { callFilter } from "./seccomp.ts";

/** The filter on system calls, in the folder of our programs. */
export const FILTER = "calls.bpf";

const SOURCES = path.resolve(import.meta.dirname, "../../..");
const PROGRAMS = { "runner.cjs": "runner/main.ts", "supervisor.cjs": "adapters/sandbox/local/main.ts" };

const ETC: Readonly<Record<string, string>> = {
  passwd: "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nagent:x:1000:1000:agent:/home/agent:/bin/bash\n",
  group: "root:x:0:\nagent:x:1000:\n",
  hosts: "127.0.0.1 localhost sandbox\n::1 localhost\n",
  "resolv.conf": "# There is no name service: the gateway resolves.\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
};

const OURS = process.getuid?.() ?? -1;

/**
 * Makes `folder` with this mode; throws when it is not ours alone to change. As root with `above` also when somebody
 * else could put another folder in its place: others trust what they find there.
 */
export function ownFolder(folder: string, mode: number, o: { above: boolean } = { above: true }): void {
  mkdirSync(folder, { recursive: true, mode });
  const about = lstatSync(folder);
  if (!about.isDirectory() || about.uid !== OURS || (about.mode & 0o022) !== 0) {
    throw new Error(`${folder} must be a folder that belongs to this user, and that nobody else can write to`);
  }
  if ((about.mode & 0o777) !== mode) chmodSync(folder, mode);
  for (let at = path.dirname(folder); OURS === 0 && o.above; at = path.dirname(at)) {
    const above = lstatSync(at);
    const othersMay = (above.mode & 0o022) !== 0 && (above.mode & 0o1000) === 0;
    if (above.uid !== 0 || othersMay)
      throw new Error(`${at} must be a folder that only root can change: ${folder} is below it`);
    if (at === path.dirname(at)) break;
  }
}

/** Whether every folder above `file` lets anybody through. */
export function isReachable(file: string): boolean {
  for (let at = path.dirname(file); ; at = path.dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

/** Fills a new folder and puts it in place in one step. Whoever comes second finds it done. */
function inPlace(target: string, fill: (folder: string) => void): void {
  if (existsSync(target)) return;
  const fresh = `${target}.${randomBytes(6).toString("hex")}.new`;
  mkdirSync(fresh, { mode: 0o755 });
  try {
    fill(fresh);
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
}

const STRIP = `
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
const sources = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(sources.map(([file, source]) => [file, stripTypeScriptTypes(source)])));
`;

/** The sources without their types. In a process of its own: this one would warn its user that the call is young. */
async function stripped(sources: Map<string, string>, node: string): Promise<[string, string][]> {
  const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", STRIP];
  const options = { maxBuffer: 64 * 1024 * 1024, env: {} };
  const running = promisify(execFile)(node, flags, options);
  running.child.stdin?.end(JSON.stringify([...sources]));
  return JSON.parse((await running).stdout);
}

/** Text of a source file below `folder`. An import of types alone is none: it is gone before anything runs. */
const sourceIn = (folder: string) => (file: string) =>
  readFileSync(path.join(folder, file), "utf8").replace(/^import type [^;]*;$/gm, "");
const source = sourceIn(SOURCES);

/**
 * Our own programs for the sandbox, each as one file of plain JavaScript below `folder`, under the digest of their
 * source: a running sandbox keeps the code it was made with, and need not read our checkout, nor strip types at every
 * start.
 */
export async function stageRuntime(folder: string, node: string): Promise<string> {
  const programs = Object.entries(PROGRAMS).map(([name, entry]) => ({ name, entry, sources: closure(entry, source) }));
  const filter = callFilter(process.arch);
  const everything = JSON.stringify([
    process.version,
    ETC,
    filter.toString("base64"),
    bundle.toString(),
    programs.map(({ sources }) => [...sources].sort()),
  ]);
  const target = path.join(folder, createHash("sha256").update(everything).digest("hex").slice(0, 24));
  if (existsSync(target)) return target;
  const files = Object.entries(ETC).map(([name, content]) => [path.join("etc", name), content] as const);
  const codes = await Promise.all(
    programs.map(
      async ({ name, entry, sources }) => [name, bundle(entry, new Map(await stripped(sources, node)))] as const,
    ),
  );
  inPlace(target, (fresh) => {
    mkdirSync(path.join(fresh, "etc"), { mode: 0o755 });
    for (const [name, content] of [...files, ...codes, [FILTER, filter] as const]) {
      writeFileSync(path.join(fresh, name), content, { mode: 0o644 });
      chmodSync(path.join(fresh, name), 0o644);
    }
  });
  return target;
}

/**
 * One of our programs as a single file of plain JavaScript. `entry`: its source below `folder`, which is `src` unless
 * told; `node`: Node 24.
 */
export async function programText(entry: string, node: string, folder = SOURCES): Promise<string> {
  return bundle(entry, new Map(await stripped(closure(entry, sourceIn(folder)), node)));
}

/** `file` itself when anybody can run it, else a link to it or a copy of it in `folder`. */
export function stageProgram(file: string, folder: string): string {
  const about = statSync(file);
  const open = (about.mode & 0o005) === 0o005;
  if (open && isReachable(file)) return file;
  const key = createHash("sha256")
    .update([file, about.dev, about.ino, about.size, about.mtimeMs].join("\0"))
    .digest("hex")
    .slice(0, 24);
  const target = path.join(folder, key);
  inPlace(target, (fresh) => {
    const copy = path.join(fresh, path.basename(file));
    try {
      if (!open) throw Object.assign(new Error("its mode may not be changed"), { code: "EPERM" });
      linkSync(file, copy);
    } catch (error) {
      if (!["EXDEV", "EPERM", "EMLINK"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      copyFileSync(file, copy);
      chmodSync(copy, 0o755);
    }
  });
  return path.join(target, path.basename(file));
}

/** `tree` itself when anybody can read all of it, else a copy in `folder` made of links where possible. */
export async function stageTree(tree: string, folder: string): Promise<string> {
  const entries = await walk(tree);
  const open = entries.every(
    (entry) => entry.kind === "link" || (entry.mode & (entry.kind === "folder" ? 0o005 : 0o004)) !== 0,
  );
  if (open && isReachable(path.join(tree, "."))) return tree;
  const key = createHash("sha256")
    .update(JSON.stringify([tree, entries]))
    .digest("hex")
    .slice(0, 24);
  const target = path.join(folder, key);
  if (existsSync(target)) return target;
  const fresh = `${target}.${randomBytes(6).toString("hex")}.new`;
  try {
    for (const entry of entries) await copyEntry(tree, fresh, entry);
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

interface Entry {
  readonly at: string;
  readonly kind: "file" | "folder" | "link";
  readonly mode: number;
  readonly id: string;
}

/** Everything below, folders before what is in them. What is neither file, folder nor link is left out. */
async function walk(tree: string, at = ""): Promise<Entry[]> {
  const about = await lstat(path.join(tree, at));
  const id = `${about.ino}:${about.size}:${about.mtimeMs}`;
  const mode = about.mode & 0o777;
  if (about.isSymbolicLink()) return [{ at, kind: "link", mode, id }];
  if (about.isFile()) return [{ at, kind: "file", mode, id }];
  if (!about.isDirectory()) return [];
  const names = (await readdir(path.join(tree, at))).sort();
  const below: Entry[] = [];
  for (const name of names) below.push(...(await walk(tree, path.join(at, name))));
  return [{ at, kind: "folder", mode, id }, ...below];
}

async function copyEntry(tree: string, fresh: string, entry: Entry): Promise<void> {
  const [from, to] = [path.join(tree, entry.at), path.join(fresh, entry.at)];
  if (entry.kind === "folder") return void (await mkdir(to, { mode: 0o755 }));
  if (entry.kind === "link") return symlink(await readlink(from), to);
  try {
    if ((entry.mode & 0o004) === 0) throw Object.assign(new Error("its mode may not be changed"), { code: "EPERM" });
    await link(from, to);
  } catch (error) {
    if (!["EXDEV", "EPERM", "EMLINK"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await copyFile(from, to);
    chmodSync(to, (entry.mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}
