import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Capabilities, Problem } from "#ports/sandbox.ts";
import { systemBinds, WALLS } from "./bubblewrap.ts";
import { type CgroupHome, findCgroups } from "./cgroups.ts";
import { hasFilter } from "./seccomp.ts";

const OLDEST = [0, 8] as const;
const PROBE_MS = 10_000;

/** What this machine was seen to do. */
export interface Survey {
  readonly bwrap: string | null;
  readonly prlimit: string | null;
  readonly cgroups: CgroupHome | null;
  readonly capabilities: Capabilities;
  readonly problems: readonly Problem[];
}

const found = (...files: string[]) => files.find((file) => existsSync(file)) ?? null;

/** A setting of the kernel by its path below /proc/sys; `null`: this one has no such setting. */
type Kernel = (name: string) => string | null;

const thisKernel: Kernel = (name) =>
  existsSync(`/proc/sys/${name}`) ? readFileSync(`/proc/sys/${name}`, "utf8").trim() : null;

/**
 * Runs bubblewrap as a sandbox would. `bwrap`: where it must be, instead of the usual places. `uid`: as whom, when we
 * are root. `kernel`: this one's settings, unless told.
 */
export async function survey(o: { bwrap: string | null; uid: number | null; kernel?: Kernel }): Promise<Survey> {
  const prlimit = found("/usr/bin/prlimit", "/bin/prlimit");
  const setpriv = found("/usr/bin/setpriv", "/bin/setpriv");
  const bwrap = o.bwrap === null ? found("/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap") : found(o.bwrap);
  const cgroups = o.uid !== null && setpriv !== null ? findCgroups() : null;
  const problem =
    process.platform !== "linux"
      ? notLinux()
      : hasFilter(process.arch)
        ? await problemOf(bwrap, o.uid, o.kernel ?? thisKernel)
        : notKnown();
  const works = problem === null;
  return {
    bwrap,
    prlimit,
    cgroups,
    capabilities: {
      isolation: works ? "process" : "none",
      egress: works ? "enforced" : "none",
      limits: {
        cpu: works && cgroups !== null && cgroups.cpu !== null ? "hard" : "none",
        memory: works && cgroups !== null ? "hard" : "none",
        pids: works && (cgroups !== null || prlimit !== null) ? "hard" : "none",
        disk: "none",
      },
    },
    problems: problem === null ? [] : [problem],
  };
}

/** A sandbox works without it; the product does not: agents are installed with it, and most checks begin with it. */
export function noNpm(): Problem {
  return {
    what: "npm is not on this machine",
    fix: existsSync("/usr/bin/apt-get") ? "apt-get install -y npm" : "Install Node.js with npm, then start again.",
  };
}

function notLinux(): Problem {
  return {
    what: "the local sandbox needs Linux",
    fix: "Run Countersign on Linux (or in WSL 2), or configure a hosted sandbox provider.",
  };
}

function notKnown(): Problem {
  return {
    what: `the local sandbox knows no filter on system calls for ${process.arch}`,
    fix: "Run Countersign on x86-64 or 64-bit ARM, or configure a hosted sandbox provider.",
  };
}

async function problemOf(bwrap: string | null, uid: number | null, kernel: Kernel): Promise<Problem | null> {
  if (bwrap === null) return { what: "bubblewrap is not installed", fix: installLine() };
  const version = await run(bwrap, ["--version"], null);
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(version.text) ?? [];
  const isOld = Number(major) < OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) < OLDEST[1]);
  if (version.failed) return { what: `bubblewrap does not run: ${version.text.trim()}`, fix: installLine() };
  if (isOld) {
    const fix = `${release()} may have no newer one (Debian 12 and Ubuntu 24.04 have 0.8): use a newer release, or build bubblewrap and name it with BWRAP_PATH.`;
    return { what: `bubblewrap is ${version.text.trim()}; 0.8 or newer is needed`, fix };
  }
  const tried = await run(
    bwrap,
    [...WALLS, ...systemBinds(), "--proc", "/proc", "--dev", "/dev", "--", "/usr/bin/true"],
    uid,
  );
  return tried.failed
    ? {
        what: `bubblewrap cannot build a sandbox here: ${tried.text.trim()}`,
        fix: namespaceFix(kernel, uid === null ? "sudo " : ""),
      }
    : null;
}

/** As it calls itself: installing the same package of the same release once more would change nothing. */
function release(): string {
  const file = "/etc/os-release";
  return (existsSync(file) && /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync(file, "utf8"))?.[1]) || "This release";
}

function installLine(): string {
  return existsSync("/usr/bin/apt-get")
    ? "apt-get install -y bubblewrap"
    : "Install bubblewrap 0.8 or newer with your package manager.";
}

/** Why user namespaces are refused, in the order in which machines refuse them. */
function namespaceFix(kernel: Kernel, as: string): string {
  const line = (setting: string) => `run \`${as}sysctl -w ${setting}\` and start again.`;
  if (kernel("kernel/unprivileged_userns_clone") === "0") return line("kernel.unprivileged_userns_clone=1");
  if (kernel("user/max_user_namespaces") === "0") return line("user.max_user_namespaces=15000");
  if (kernel("kernel/apparmor_restrict_unprivileged_userns") === "1") {
    return line("kernel.apparmor_restrict_unprivileged_userns=0");
  }
  return "In a container, start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined.";
}

function run(file: string, args: readonly string[], uid: number | null): Promise<{ failed: boolean; text: string }> {
  const options = {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    timeout: PROBE_MS,
    ...(uid === null ? {} : { uid, gid: uid }),
  };
  return new Promise((resolve) => {
    execFile(file, [...args], options, (error, stdout, stderr) => {
      resolve({ failed: error !== null, text: error === null ? stdout : stderr || error.message });
    });
  });
}
