import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach } from "vitest";

const scripts = path.resolve(import.meta.dirname, "..", "..", "scripts");

/**
 * The bootstrap in a folder of its own, with a PATH that holds nothing but stand-ins: git, bubblewrap 0.9 and Chromium
 * unless a test takes them away. Each writes down how it was called.
 */
export interface Bootstrap {
  /** A path in its folder. */
  at(...parts: string[]): string;
  /** What it starts: `child.mjs`, which says its arguments. */
  child(code: string): string;
  /** A stand-in on the PATH, in sh. */
  program(name: string, does: string, folder?: string): void;
  missing(...names: string[]): void;
  /** Calls of one stand-in, without its questions for versions. */
  calls(name: string): string[];
  start(args: readonly string[], env?: Readonly<Record<string, string>>, script?: "countersign.mjs"): ChildProcess;
  /** To its end. `PRETEND_NODE` is the version that the host's Node says it is, `PRETEND_UID` who we are; not root. `PRETEND_RESTRICTED`: what Ubuntu's AppArmor is set to. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>, script?: "countersign.mjs"): Promise<Ran>;
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const PRETEND = `import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
const { PRETEND_NODE: node, PRETEND_UID: uid, PRETEND_RESTRICTED: restricted } = process.env;
if (node) {
  Object.defineProperty(process, "versions", { value: { ...process.versions, node } });
  Object.defineProperty(process, "version", { value: "v" + node });
}
process.getuid = () => Number(uid ?? 1000);
const setting = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
const { existsSync, readFileSync } = fs;
fs.existsSync = (file) => (file === setting ? restricted !== undefined : existsSync(file));
fs.readFileSync = (file, ...how) => (file === setting ? restricted + "\\n" : readFileSync(file, ...how));
syncBuiltinESMExports();
`;

/** A fresh one for each test of the file. `node`: the host's, where it is not to be ours that says it were another. */
export function bootstrapOfFile(node: () => string = () => process.execPath): Bootstrap {
  let root = "";
  let running: ChildProcess[] = [];
  const at = (...parts: string[]) => path.join(root, ...parts);

  function program(name: string, does: string, folder = at("bin")): void {
    mkdirSync(folder, { recursive: true });
    const text = `#!/bin/sh\necho "${name} $*" >> "${at("calls")}"\n${does}\n`;
    writeFileSync(path.join(folder, name), text, { mode: 0o755 });
  }

  function child(code: string): string {
    writeFileSync(at("child.mjs"), code);
    return at("child.mjs");
  }

  const start: Bootstrap["start"] = (args, env = {}, script) => {
    const started = spawn(node(), ["--import", at("pretend.mjs"), at("scripts", script ?? "run.mjs"), ...args], {
      cwd: root,
      env: { PATH: at("bin"), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.push(started);
    return started;
  };

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), "countersign-run-"));
    for (const folder of ["bin", "scripts", "node_modules"]) mkdirSync(at(folder));
    for (const name of ["run.mjs", "countersign.mjs"]) cpSync(path.join(scripts, name), at("scripts", name));
    writeFileSync(at("package-lock.json"), "{}");
    writeFileSync(at("node_modules", ".countersign-lock"), createHash("sha256").update("{}").digest("hex"));
    writeFileSync(at("pretend.mjs"), PRETEND);
    // What the stand-ins themselves are made of.
    symlinkSync("/bin/sh", at("bin", "sh"));
    program("git", "exit 0");
    program("bwrap", "echo bubblewrap 0.9.0");
    program("chromium", "exit 0");
    child('console.log("child", ...process.argv.slice(2));');
  });
  afterEach(async () => {
    for (const each of running) {
      if (each.exitCode !== null || each.signalCode !== null) continue;
      const gone = once(each, "exit");
      each.kill("SIGKILL");
      await gone;
    }
    running = [];
    rmSync(root, { recursive: true, force: true });
  });

  return {
    at,
    child,
    program,
    missing(...names) {
      for (const name of names) rmSync(at("bin", name));
    },
    calls(name) {
      const lines = existsSync(at("calls")) ? readFileSync(at("calls"), "utf8").split("\n") : [];
      return lines.filter((line) => line.startsWith(`${name} `) && !line.endsWith("--version"));
    },
    start,
    async run(args, env, script) {
      const started = start(args, env, script);
      let [out, err] = ["", ""];
      started.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
        out += chunk;
      });
      started.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
        err += chunk;
      });
      await once(started, "close");
      return { code: started.exitCode, out, err };
    },
  };
}
