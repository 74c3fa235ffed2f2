import { readFileSync, realpathSync } from "node:fs";
import path from "node:path";

/** npm's package on this host: our Node 24 comes without one. */
export interface HostNpm {
  /** What the inside needs of the host. */
  readonly folder: string;
  /** "package": `folder` is npm's own and whole. "modules": it is a folder of packages, npm and what npm needs. */
  readonly holds: "package" | "modules";
  /** The host's program, for the host. */
  readonly program: string;
}

/** What npm says of itself to what it starts, and where programs are looked for. */
type Environment = Readonly<Partial<Record<"npm_execpath" | "npm_node_execpath" | "PATH", string>>>;

/**
 * Finds npm by what it says of itself (`npm start` sets `npm_execpath`, also behind a version manager's shim) or by
 * the real place of the first `npm` on PATH that leads to one. `null`: this host has none.
 */
export function findNpm(env: Environment): HostNpm | null {
  const named = (env.PATH ?? "").split(path.delimiter).filter(path.isAbsolute);
  const candidates = [...(env.npm_execpath ? [env.npm_execpath] : []), ...named.map((dir) => path.join(dir, "npm"))];
  for (const candidate of candidates) {
    const program = realPath(candidate);
    const npm = program === null ? null : packageOf(program);
    if (npm !== null) return npm;
  }
  return null;
}

/** How npm is run on the host: by the Node it came with, which may be patched to find npm's parts, as Debian's is. */
export function npmCommand(env: Environment): readonly string[] {
  const npm = findNpm(env);
  return npm === null || !env.npm_node_execpath ? ["npm"] : [env.npm_node_execpath, npm.program];
}

function packageOf(program: string): HostNpm | null {
  if (path.basename(program) !== "npm-cli.js") return null;
  const own = path.resolve(program, "../..");
  if (nameIn(path.join(own, "package.json")) !== "npm") return null;
  const around = path.dirname(own);
  // Debian keeps npm's dependencies beside it, where only Debian's own Node looks. Called node_modules, any Node does.
  return path.basename(around) === "node_modules"
    ? { folder: own, holds: "package", program }
    : { folder: around, holds: "modules", program };
}

function realPath(file: string): string | null {
  try {
    return realpathSync(file);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}

function nameIn(manifest: string): unknown {
  try {
    return (JSON.parse(readFileSync(manifest, "utf8")) as { name?: unknown }).name;
  } catch {
    return null; // Whatever lies there, it is not npm.
  }
}
