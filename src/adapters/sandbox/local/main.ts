import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { LaunchLine } from "./bubblewrap.ts";

/**
 * The supervisor's program: one detached process per sandbox. Arguments: the file of its error stream. Standard input: a line with the state directory, for
 * which it waits while its maker writes it. Descriptor 3: a line when the sandbox is ready, or why it is not.
 * Bubblewrap is started before anything else of ours is loaded, because the runner's start takes as long as our own
 * and both can happen at once; unless it is a spare ("spare" as second argument), which has time to load all of it first.
 */
const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes what we inherited and would pass on. Node marks its own descriptors; a shell or a service manager that started
 * the control plane may have left others, and inside the sandbox each of them would be a hole in the wall.
 */
function closeInherited(): void {
  for (const fd of readdirSync("/proc/self/fd").map(Number)) {
    if (fd <= 3) continue;
    try {
      const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "";
      if ((Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(fd);
    } catch (error) {
      // The descriptor of the listing itself is closed again by now.
      if (!["ENOENT", "EBADF"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
}

process.on("SIGHUP", () => undefined);
process.chdir("/");
closeInherited();
const [, , logFile, spare] = process.argv;
if (spare === "spare") await import("./supervisor.ts");
const dir = readFileSync(0, "utf8").trim();
if (dir === "") {
  // Its maker died, or needs it no more: nobody else knows of the file.
  if (logFile !== undefined) rmSync(logFile, { force: true });
  process.exit(0);
}
const line: LaunchLine = JSON.parse(readFileSync(`${dir}/launch.json`, "utf8"));
const filter = openSync(line.filter, "r");
const child = spawn(line.file, line.args, {
  cwd: "/",
  env: { PATH: "/usr/bin:/bin" },
  // The log file itself must not be a descriptor inside: with our own uid it could be written to.
  stdio: ["ignore", "ignore", "pipe", "ipc", "pipe", "pipe", filter],
  ...(line.uid === null ? {} : { uid: line.uid, gid: line.uid }),
});
closeSync(filter);
// Events do not wait for a listener, so these are taken before anything is awaited.
const ended = new Promise<void>((resolve) => {
  child.once("exit", () => resolve());
  child.once("error", (error) => {
    console.error(error);
    resolve();
  });
});
const door = new Promise<unknown>((resolve) => child.once("message", (_, handle) => resolve(handle)));

const { supervise } = await import("./supervisor.ts");
await supervise(dir, { child, ended, door });
