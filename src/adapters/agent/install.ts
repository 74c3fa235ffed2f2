import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { access, cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { bundle } from "#adapters/sandbox/local/bundle.ts";
import { programText } from "#adapters/sandbox/local/staging.ts";
import { AgentError } from "#ports/agent.ts";

/** What `images/<name>/package.json` may say to us. */
interface Manifest {
  readonly countersign?: {
    /** Name in `bin/` → candidates below `node_modules/`; the one for this machine is the one that was installed. */
    readonly bin?: Readonly<Record<string, readonly string[]>>;
    /**
     * Programs of our own: file to make → its TypeScript. One file without types starts in a fraction of the time that
     * Node takes to strip and to load its modules, and that is taken at the beginning of every turn's agent.
     */
    readonly programs?: Readonly<Record<string, string>>;
  };
}

/** Left out of an image: they are the recipe, not the meal. */
const NOT_COPIED = new Set(["node_modules", "Dockerfile", "README.md"]);
const LAST_WORDS = 600;

/**
 * Makes the folder of an image, on first use: its files, and what its lockfile pins. Returns the folder, to be seen
 * read-only inside the sandbox as `imageDir`. Idempotent, and safe beside another process doing the same: the folder is
 * made aside and renamed, its name holds the digest of its files, so a changed pin is a new folder.
 *
 * `from` is the repository's `images/`, `into` a folder of ours; `npm` the command in front of its arguments, with the
 * environment it needs. Throws AgentError with the line that mends it.
 */
export async function installImage(o: {
  name: string;
  from: string;
  into: string;
  npm: readonly string[];
  env: Readonly<Record<string, string>>;
  signal: AbortSignal;
}): Promise<string> {
  if (!/^[a-z][a-z0-9-]*$/.test(o.name)) throw new AgentError(`"${o.name}" is no name of an agent image`);
  const recipe = path.join(o.from, o.name);
  const files = await recipeFiles(recipe, o.name);
  const { bin = {}, programs = {} } = (await manifestOf(recipe)).countersign ?? {};
  // How programs are made is part of what they are.
  const how = Object.keys(programs).length === 0 ? "" : `/${process.version}/${bundle}`;
  const target = path.join(o.into, `${o.name}-${digest(files, how)}`);
  if (await exists(target)) return target;
  const aside = path.join(o.into, `.${o.name}-${randomUUID()}`);
  await mkdir(aside, { recursive: true });
  try {
    for (const file of files) await cp(path.join(recipe, file.name), path.join(aside, file.name));
    if (files.some((file) => file.name === "package-lock.json")) await npmCi(o, aside);
    await linkPrograms(o.name, aside, bin);
    for (const [program, source] of Object.entries(programs)) {
      await writeFile(path.join(aside, program), await programText(source, process.execPath, aside));
    }
    await rename(aside, target);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    // Another process was first: its folder has the same name because it has the same content.
    if (await exists(target)) return target;
    throw error;
  }
  return target;
}

async function recipeFiles(recipe: string, name: string): Promise<{ name: string; data: Buffer }[]> {
  const entries = await readdir(recipe, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new AgentError(`there is no agent image named "${name}" in ${path.dirname(recipe)}`, { cause });
  });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(recipe, path.join(entry.parentPath, entry.name)))
    .filter((file) => !NOT_COPIED.has(file.split(path.sep)[0] ?? ""))
    .sort();
  return Promise.all(names.map(async (file) => ({ name: file, data: await readFile(path.join(recipe, file)) })));
}

function digest(files: readonly { name: string; data: Buffer }[], how: string): string {
  const hash = createHash("sha256").update(`${process.platform}/${process.arch}${how}`);
  for (const file of files) hash.update(`\0${file.name}\0${file.data.length}\0`).update(file.data);
  return hash.digest("hex").slice(0, 12);
}

/** Exactly what the lockfile says, and no script of any package: an agent's installer has no business here. */
async function npmCi(o: Parameters<typeof installImage>[0], folder: string): Promise<void> {
  const [program = "npm", ...first] = o.npm;
  const args = [...first, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
  const child = spawn(program, args, { cwd: folder, env: o.env, stdio: ["ignore", "pipe", "pipe"], signal: o.signal });
  let words = "";
  const add = (chunk: Buffer) => {
    words = (words + chunk.toString("utf8")).slice(-LAST_WORDS);
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).catch((cause: unknown) => {
    o.signal.throwIfAborted();
    throw new AgentError(
      `the agent "${o.name}" could not be installed: ${program} does not start. Is npm on this machine?`,
      { cause },
    );
  });
  if (code === 0) return;
  const again = `npm ci --ignore-scripts --prefix ${path.join(o.from, o.name)}`;
  throw new AgentError(
    `the agent "${o.name}" could not be installed (npm ended with ${code}). Check the way to the package registry with: ${again}\n${words.trim()}`,
  );
}

/** Programs get one name on every processor, so that a profile's command line needs to know none. */
async function linkPrograms(
  name: string,
  folder: string,
  bin: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  for (const [program, candidates] of Object.entries(bin)) {
    const found = await firstExisting(candidates.map((candidate) => path.join(folder, "node_modules", candidate)));
    if (!found)
      throw new AgentError(
        `the agent "${name}" has no program for ${process.platform} on ${process.arch}. Use the demo agent here.`,
      );
    await mkdir(path.join(folder, "bin"), { recursive: true });
    await symlink(path.relative(path.join(folder, "bin"), found), path.join(folder, "bin", program));
  }
}

const manifestOf = (folder: string): Promise<Manifest> =>
  readFile(path.join(folder, "package.json"), "utf8").then(
    (text) => JSON.parse(text) as Manifest,
    (): Manifest => ({}),
  );

async function firstExisting(candidates: readonly string[]): Promise<string | null> {
  for (const candidate of candidates) if (await exists(candidate)) return candidate;
  return null;
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
