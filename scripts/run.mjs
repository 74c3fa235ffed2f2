#!/usr/bin/env node
// The bootstrap behind `npm start` and `npm test`: plain JavaScript that Node 18 and newer can run. It makes the
// dependencies true to the lockfile, finds a Node 24, brings the system packages that are missing when it may do so
// unasked, and starts what it was asked to start, passing signals and the exit code on.
//   node scripts/run.mjs [--for-tests] (FILE.ts | --bin NAME) [arguments...]
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, linkSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const args = process.argv.slice(2);
const registryFile = path.join(root, "node_modules", ".countersign-registry");
/** How somebody says where a browser is. */
const NAMED = "CHROMIUM_PATH=/path/to/it npm test";
const forTests = args[0] === "--for-tests" && Boolean(args.shift());
/** The product's own code runs on half of what npm would bring: the rest is for tests, checks and scripts. */
const productAlone = path.resolve(args[0] ?? "").startsWith(path.join(root, "src", path.sep));

/** One clear line with the fix, and nothing half-started. */
function fail(line) {
  console.error(`countersign: ${line}`);
  process.exit(1);
}

function works(command, ...args) {
  const ran = spawnSync(command, args, { stdio: "ignore" });
  return ran.error === undefined && ran.status === 0;
}

const mark = path.join(root, "node_modules", ".countersign-lock");
/** What is there, as npm has it: it writes this last (its "hidden lockfile"). "" for nothing. */
function broughtByNpm() {
  const file = path.join(root, "node_modules", ".package-lock.json");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** Makes `node_modules` true to the lockfile. A mark in it says for which lockfile it was made, and whether whole. */
function installDependencies() {
  const lock = createHash("sha256")
    .update(readFileSync(path.join(root, "package-lock.json")))
    .digest("hex");
  const part = `${lock} without dev`;
  const marked = () => (existsSync(mark) ? readFileSync(mark, "utf8") : "");
  const enough = () => marked() === lock || (productAlone && marked() === part);
  if (enough()) return;
  if (npmProgram === null)
    fail("npm is missing: install it (Debian, Ubuntu: `apt-get install -y npm`) and start again.");
  const release = alone();
  // Another command may have done it meanwhile.
  if (!enough()) install(lock, marked() === part);
  release();
}

/** `adding`: all of the product is there. `npm ci` begins by taking everything away, and a service may be running on it. */
function install(lock, adding) {
  console.error(`countersign: installing dependencies (once per lockfile${adding ? "; these are for tests" : ""})`);
  // Until it has succeeded nothing is known of what is there: an install that was cut short is begun from nothing.
  rmSync(mark, { force: true });
  // Without it npm would bring what is there once more: it is left where something is only added to that.
  if (!adding) rmSync(path.join(root, "node_modules", ".package-lock.json"), { force: true });
  const before = broughtByNpm();
  const verb = adding ? ["install", "--no-save", "--package-lock"] : ["ci"];
  // Said in so many words, for npm goes by NODE_ENV otherwise.
  const which = productAlone ? "--omit=dev" : "--include=dev";
  const ran = npm([...verb, which, "--no-audit", "--no-fund", "--loglevel=error"], "inherit");
  if (ran.error || ran.status !== 0)
    fail(`\`npm ${verb[0]}\` failed: see its message above, mend it, and start again.`);
  // npm 10 has given up with 0 ("Exit handler never called!") where the registry could not be reached.
  if (broughtByNpm() === before)
    fail(`\`npm ${verb[0]}\` ended before everything was there: see its message above, mend it, and start again.`);
  const registry = npm(["config", "get", "registry"], ["ignore", "pipe", "ignore"]);
  writeFileSync(registryFile, registry.stdout?.toString().trim() ?? "");
  writeFileSync(mark, productAlone ? `${lock} without dev` : lock);
}

/** Waits until no other command installs here: two at once would take from under each other. Returns what ends it. */
function alone() {
  const file = path.join(root, ".countersign-installing");
  const own = `${file}.${process.pid}`;
  const free = () => rmSync(file, { force: true });
  try {
    writeFileSync(own, String(process.pid));
  } catch (error) {
    fail(`${root} cannot be written to (${error.code}), so nothing can be installed: mend that and start again.`);
  }
  try {
    for (let said = false; !linked(own, file); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)) {
      const holder = existsSync(file) ? Number(readFileSync(file, "utf8")) : null;
      if (holder !== null && !existsProcess(holder)) free();
      else if (!said)
        console.error(`countersign: another command installs dependencies here: waiting. If none does, remove ${file}`);
      said = true;
    }
  } finally {
    rmSync(own);
  }
  process.once("exit", free);
  return free;
}

/** A second name appears whole or not at all. */
function linked(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function existsProcess(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
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

/** The first of these that runs, as a path. */
function find(...names) {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const files = names.flatMap((name) =>
    name?.includes("/") ? [name] : folders.map((folder) => path.join(folder, name ?? "")),
  );
  return files.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() && works(file, "--version")) ?? null;
}

/** As the release calls itself: "Debian GNU/Linux 12 (bookworm)". */
function distribution() {
  const file = "/etc/os-release";
  return (existsSync(file) && /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync(file, "utf8"))?.[1]) || "this system";
}

/** Installing again would bring the same one again: the way out is another release. */
function refuseOld(bwrap) {
  const version = /\d+(\.\d+)+/.exec(spawnSync(bwrap, ["--version"]).stdout?.toString() ?? "")?.[0] ?? "";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 0 || minor >= 8) return;
  fail(
    `bubblewrap ${version} is too old, 0.8 is needed (Debian 12 and Ubuntu 24.04 have it, this is ${distribution()}): use a newer release, or build bubblewrap and put it first on your PATH.`,
  );
}

/** Whether apt has a Chromium to install. A name that is only spoken of can be shown too; what is called a snap is a stub. */
function hasChromium() {
  const { stdout } = spawnSync("apt-cache", ["policy", "chromium"], { env: { ...process.env, LC_ALL: "C" } });
  const candidate = /^ *Candidate: (.+)$/m.exec(stdout?.toString() ?? "")?.[1] ?? "(none)";
  return candidate !== "(none)" && !candidate.includes("snap");
}

const RESTRICTED = "kernel.apparmor_restrict_unprivileged_userns";

/**
 * Ubuntu's AppArmor lets no user make the namespaces of a sandbox, and root's sandboxes are a user's too. The product says so
 * itself where it wants one; of tests every other one would fail.
 */
function refuseRestricted(bwrap) {
  const file = `/proc/sys/${RESTRICTED.replace(".", "/")}`;
  if (!existsSync(file) || readFileSync(file, "utf8").trim() !== "1") return;
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const tried = ["--unshare-user", "--unshare-net", "--ro-bind", "/", "/", "--", "true"];
  if (spawnSync(bwrap, tried, { stdio: "ignore", ...nobody }).status === 0) return;
  const sudo = process.getuid?.() === 0 ? "" : "sudo ";
  fail(`AppArmor forbids bubblewrap its namespaces: run \`${sudo}sysctl -w ${RESTRICTED}=0\` and start again.`);
}

/** Installs what is missing where it may do so unasked; else prints the exact line and stops. */
function bring(missing) {
  const line = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  const as = process.getuid?.() === 0 ? [] : works("sudo", "-n", "true") ? ["sudo", "-n"] : null;
  if (as === null || !works("apt-get", "--version")) {
    fail(
      `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing. Run \`sudo ${line}\` (or your system's like) and start again${
        missing.includes("chromium") ? `, or name a Chrome or Chromium: ${NAMED}` : ""
      }.`,
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
  const updated = apt("update", "-qq");
  if (updated && missing.includes("chromium") && !hasChromium())
    fail(`${distribution()} has no package chromium: install any Chrome or Chromium and name it: ${NAMED}`);
  if (!(updated && apt("install", "-y", "--no-install-recommends", ...missing)))
    fail(
      `\`${line}\` failed: see its message above, mend it, and start again${
        missing.includes("chromium") ? `, or name a Chrome or Chromium: ${NAMED}` : ""
      }.`,
    );
}

/** Programs of the system. Returns what tells the child where they were found. */
function systemPackages() {
  if (!works("git", "--version"))
    fail("git is missing: install it (Debian, Ubuntu: `apt-get install -y git`) and start again.");
  if (process.platform !== "linux") return {};
  const named = process.env.CHROMIUM_PATH;
  const browser = () =>
    forTests ? find(...(named ? [named] : ["chromium", "chromium-browser", "google-chrome"])) : "";
  const wall = () => find(process.env.BWRAP_PATH || "bwrap");
  let [chromium, bwrap] = [browser(), wall()];
  if (named && chromium === null) fail(`CHROMIUM_PATH=${named} does not run: name a Chrome or Chromium, or unset it.`);
  if (bwrap !== null) refuseOld(bwrap);
  if (chromium === null || bwrap === null) {
    bring([...(bwrap === null ? ["bubblewrap"] : []), ...(chromium === null ? ["chromium"] : [])]);
    [chromium, bwrap] = [browser(), wall()];
    if (bwrap === null) fail("bubblewrap was installed and does not run: `bwrap --version` says why.");
    refuseOld(bwrap);
    if (chromium === null) fail(`chromium was installed and does not run: name another Chrome or Chromium: ${NAMED}`);
  }
  if (forTests) refuseRestricted(bwrap);
  return { BWRAP_PATH: bwrap, ...(chromium ? { CHROMIUM_PATH: chromium } : {}) };
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
const found = systemPackages();
const node = node24();
const child = spawn(node, program(), {
  cwd: args[0] === "--bin" ? root : process.cwd(),
  stdio: "inherit",
  env: {
    ...process.env,
    ...registryOfNpm(),
    ...found,
    // What Node made of our files, for the next start: half of the time a start takes. Node alone decides what is stale.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE || path.join(root, "node_modules", ".cache", "node"),
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
