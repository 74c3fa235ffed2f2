import { existsSync, lstatSync, readlinkSync } from "node:fs";
import path from "node:path";
import type { RunnerConfig } from "#runner/main.ts";
import { type Box, INSIDE } from "./box.ts";
import type { HostNpm } from "./npm.ts";
import { FILTER } from "./staging.ts";

/** The walls: every namespace new, no way to make more, no capability, no environment, dead with the supervisor. */
export const WALLS = [
  "--unshare-all",
  "--unshare-user",
  "--disable-userns",
  "--new-session",
  "--die-with-parent",
  "--clearenv",
  ...["--uid", "1000"],
  ...["--gid", "1000"],
  ...["--cap-drop", "ALL"],
  ...["--hostname", "sandbox"],
] as const;

const MIB = 1024 * 1024;
/** Threads of the runner and of bubblewrap, which count against the limit on processes. */
export const OWN_TASKS = 32;
/** A single file may be this large, in bytes. */
const FILE_SIZE = 8 * 1024 * MIB;

/** What a program needs of the host's /etc: trusted certificates and the linker's cache. No accounts, no names, no keys. */
const ETC = [
  "/etc/alternatives",
  "/etc/ca-certificates",
  "/etc/ca-certificates.conf",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
  "/etc/mime.types",
  "/etc/ssl/certs",
  "/etc/ssl/openssl.cnf",
];

/** The read-only base system: /usr, and /bin, /lib … as they are on this host. */
export function systemBinds(): string[] {
  const legacy = ["/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"].flatMap((folder) => {
    if (!existsSync(folder)) return [];
    return lstatSync(folder).isSymbolicLink()
      ? ["--symlink", readlinkSync(folder), folder]
      : ["--ro-bind", folder, folder];
  });
  return ["--ro-bind", "/usr", "/usr", ...legacy, ...ETC.flatMap((file) => ["--ro-bind-try", file, file])];
}

/** npm where Node looks for it, beside our node, which then runs it whatever Node the host has. */
function npmBinds(npm: HostNpm | null): string[] {
  if (npm === null) return [];
  const modules = path.join(INSIDE.node, "../lib/node_modules");
  return [
    ...["--ro-bind", npm.folder, npm.holds === "package" ? `${modules}/npm` : modules],
    ...["npm", "npx"].flatMap((name) => [
      "--symlink",
      `../lib/node_modules/npm/bin/${name}-cli.js`,
      `${INSIDE.node}/${name}`,
    ]),
  ];
}

/** What is of one sandbox and not in its record. */
export interface Furniture {
  readonly npm: HostNpm | null;
  /** Folder of this host with the files of `AUTHORITIES`; `null`: the system's alone are trusted, where they always are. */
  readonly authorities: string | null;
}

/** "all": the system's too. Node adds what it is given; everything else forgets the system's. */
export const AUTHORITIES = { all: "all.pem", own: "own.pem" } as const;

/** Each kind of program asks for its authorities by another name. */
const TRUST: Readonly<Record<string, string>> = {
  SSL_CERT_FILE: AUTHORITIES.all,
  CURL_CA_BUNDLE: AUTHORITIES.all,
  GIT_SSL_CAINFO: AUTHORITIES.all,
  REQUESTS_CA_BUNDLE: AUTHORITIES.all,
  NODE_EXTRA_CA_CERTS: AUTHORITIES.own,
};

const ENVIRONMENT = {
  PATH: `${INSIDE.node}:/usr/local/bin:/usr/bin:/bin`,
  HOME: INSIDE.home,
  LANG: "C.UTF-8",
  TERM: "dumb",
};

/**
 * Arguments for bubblewrap that start the runner. Descriptors: 3 node's IPC, 4 the link, 5 bubblewrap's own report, 6 the
 * filter on system calls.
 */
function bubblewrapArgs(box: Box, { npm, authorities }: Furniture): string[] {
  const trusted = Object.entries(authorities === null ? {} : TRUST);
  const environment = {
    ...ENVIRONMENT,
    ...Object.fromEntries(trusted.map(([name, file]) => [name, `${INSIDE.authorities}/${file}`])),
  };
  const proxyPort = box.spec.gateway === null ? null : INSIDE.proxyPort;
  const runner: RunnerConfig = {
    workdir: INSIDE.workdir,
    roots: [INSIDE.workdir, INSIDE.home, "/tmp"],
    journals: INSIDE.journals,
    env: environment,
    link: 4,
    proxyPort,
    soleTenant: true,
  };
  const synthetic = ["passwd", "group", "hosts", "resolv.conf", "nsswitch.conf"];
  const pids = box.spec.limits.pids + OWN_TASKS;
  const limited =
    box.prlimit === null
      ? []
      : [box.prlimit, `--nproc=${pids}:${pids}`, `--fsize=${FILE_SIZE}:${FILE_SIZE}`, "--core=0:0", "--"];
  return [
    ...WALLS,
    ...["--info-fd", "5", "--seccomp", "6"],
    ...systemBinds(),
    ...synthetic.flatMap((file) => ["--ro-bind", path.join(box.runtime, "etc", file), `/etc/${file}`]),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...["--perms", "1777", "--size", String(64 * MIB), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"],
    ...[
      "--perms",
      "1777",
      "--size",
      String(Math.max(64, Math.floor(box.spec.limits.memoryMiB / 2)) * MIB),
      "--tmpfs",
      "/tmp",
    ],
    ...["--symlink", "/tmp", "/var/tmp"],
    ...["--ro-bind", box.node, `${INSIDE.node}/node`],
    ...npmBinds(npm),
    ...["--ro-bind", path.join(box.runtime, "runner.cjs"), INSIDE.runner],
    ...(authorities === null ? [] : ["--ro-bind", authorities, INSIDE.authorities]),
    ...["--ro-bind", box.image, INSIDE.image],
    ...["--bind", path.join(box.work, "workspace"), INSIDE.workdir],
    ...["--bind", path.join(box.work, "home"), INSIDE.home],
    ...["--bind", path.join(box.work, "journals"), INSIDE.journals],
    ...["--remount-ro", "/"],
    ...["--chdir", INSIDE.workdir],
    ...Object.entries(ENVIRONMENT).flatMap(([name, value]) => ["--setenv", name, value]),
    ...(proxyPort === null ? [] : ["--setenv", "NODE_CHANNEL_FD", "3"]),
    "--",
    ...limited,
    `${INSIDE.node}/node`,
    INSIDE.runner,
    JSON.stringify(runner),
  ];
}

/** What the supervisor's program starts. `filter`: the file to have open as descriptor 6. */
export interface LaunchLine {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid: number | null;
  readonly filter: string;
}

/**
 * The whole command line. As root the process first joins its control groups and then gives its uid up, in that order
 * and before bubblewrap runs, so that nothing inside was ever outside of its limits.
 */
export function launchLine(box: Box, furniture: Furniture): LaunchLine {
  const args = bubblewrapArgs(box, furniture);
  const groups = [box.memoryGroup, box.pidsGroup, box.cpuGroup ?? null].filter((group) => group !== null);
  const filter = path.join(box.runtime, FILTER);
  if (groups.length === 0 || box.uid === null) return { file: box.bwrap, args, uid: box.uid, filter };
  const join = [...new Set(groups)].map((group) => `echo 0 > '${group}/cgroup.procs'`).join(" && ");
  const uid = String(box.uid);
  const drop = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--", box.bwrap];
  return { file: "/bin/sh", args: ["-c", `${join} && exec "$@"`, "sh", ...drop, ...args], uid: null, filter };
}
