#!/usr/bin/env node
// The bootstrap behind `npm start` and `npm test`: plain JavaScript that Node 18 and newer can run. It makes the
// dependencies true to the lockfile, finds a Node 24, brings the system packages that are missing when it may do so
// unasked, and starts what it was asked to start, passing signals and the exit code on.
//   node scripts/run.mjs [--for-tests] (FILE.ts | --bin NAME) [arguments...]
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const args = process.argv.slice(2);
const registryFile = path.join(root, "node_modules", ".countersign-registry");
const forTests = args[0] === "--for-tests" && Boolean(args.shift());

/** One clear line with the fix, and nothing half-started. */
function fail(line) {
  console.error(`countersign: ${line}`);
  process.exit(1);
}

function works(command, ...args) {
  const ran = spawnSync(command, args, { stdio: "ignore" });
  return ran.error === undefined && ran.status === 0;
}

function installDependencies() {
  const lock = createHash("sha256")
    .update(readFileSync(path.join(root, "package-lock.json")))
    .digest("hex");
  const mark = path.join(root, "node_modules", ".countersign-lock");
  if (existsSync(mark) && readFileSync(mark, "utf8") === lock) return;
  if (npmProgram === null)
    fail("npm is missing: install it (Debian, Ubuntu: `apt-get install -y npm`) and start again.");
  console.error("countersign: installing dependencies (once per lockfile)");
  const ran = npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"], "inherit");
  if (ran.error || ran.status !== 0) fail("`npm ci` failed: see its message above, mend it, and start again.");
  const registry = npm(["config", "get", "registry"], ["ignore", "pipe", "ignore"]);
  writeFileSync(registryFile, registry.stdout?.toString().trim() ?? "");
  writeFileSync(mark, lock);
}

/** npm's own program: as npm says it (another package manager says the same of itself), or as PATH leads to it. */
function findNpm() {
  const named = (process.env.PATH ?? "").split(path.delimiter).map((folder) => path.join(folder, "npm"));
  for (const candidate of [process.env.npm_execpath, ...named]) {
    if (!candidate || !existsSync(candidate)) continue;
    const program = realpathSync(candidate);
    if (path.basename(program) === "npm-cli.js") return program;
  }
  return null;
}

/** By this Node, with which it came: one that is patched to find npm's parts, as Debian's is, cannot be replaced. */
const npm = (words, stdio) => spawnSync(process.execPath, [npmProgram, ...words], { cwd: root, stdio });

/** npm tells its scripts of a registry only when it is not its default; asking takes half a second, so it is asked once. */
function registryOfNpm() {
  if (process.env.npm_config_registry || !existsSync(registryFile)) return {};
  const url = readFileSync(registryFile, "utf8").trim();
  return url.startsWith("http") ? { npm_config_registry: url } : {};
}

/** Type stripping without a flag came with 24 as we use it. */
function node24() {
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
  const platform = process.platform === "win32" ? "win" : process.platform;
  const brought = path.join(
    root,
    "node_modules",
    `node-${platform}-${process.arch}`,
    "bin",
    process.platform === "win32" ? "node.exe" : "node",
  );
  if (existsSync(brought)) return brought;
  return fail(
    `Node 24 is needed and none comes for ${process.platform} ${process.arch}: install Node 24 or newer (this is ${process.version}) and start again.`,
  );
}

function systemPackages() {
  if (!works("git", "--version"))
    fail("git is missing: install it (Debian, Ubuntu: `apt-get install -y git`) and start again.");
  if (process.platform !== "linux") return;
  const chromium = [process.env.CHROMIUM_PATH, "chromium", "chromium-browser", "google-chrome"].some(
    (name) => name && works(name, "--version"),
  );
  const missing = [
    ...(works("bwrap", "--version") ? [] : ["bubblewrap"]),
    ...(forTests && !chromium ? ["chromium"] : []),
  ];
  if (missing.length === 0) return;
  const line = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  const as = process.getuid?.() === 0 ? [] : works("sudo", "-n", "true") ? ["sudo", "-n"] : null;
  if (as === null || !works("apt-get", "--version")) {
    fail(
      `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing. Run \`sudo ${line}\` (or your system's like) and start again.`,
    );
  }
  console.error(`countersign: installing ${missing.join(" and ")} with ${[...as, line].join(" ")}`);
  const apt = (...words) => {
    const [command, ...rest] = [...as, "apt-get", ...words];
    return (
      spawnSync(command, rest, {
        stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      }).status === 0
    );
  };
  const install = () => apt("install", "-y", "--no-install-recommends", ...missing);
  if (!(apt("update", "-qq") && install()))
    fail(`\`${line}\` failed: see its message above, mend it, and start again.`);
}

function program() {
  if (args[0] !== "--bin") return args;
  const [, name, ...rest] = args;
  const owners = { biome: "@biomejs/biome", tsc: "typescript" };
  const folder = path.join(root, "node_modules", owners[name] ?? name);
  const { bin } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  return [path.join(folder, typeof bin === "string" ? bin : bin[name]), ...rest];
}

const npmProgram = findNpm();
installDependencies();
systemPackages();
const node = node24();
const child = spawn(node, program(), {
  cwd: args[0] === "--bin" ? root : process.cwd(),
  stdio: "inherit",
  env: {
    ...process.env,
    ...registryOfNpm(),
    // What npm says of itself to what it starts; said here too, for whoever starts this without npm.
    ...(npmProgram === null ? {} : { npm_execpath: npmProgram, npm_node_execpath: process.execPath }),
    PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ""}`,
  },
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => fail(`could not start ${node}: ${error.message}`));
child.on("exit", (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else process.exit(code ?? 1);
});
