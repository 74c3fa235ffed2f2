import { spawn } from "node:child_process";
import type { Session } from "./transcript.ts";

const MAX_OUTPUT = 20_000;
/** Output is told while it comes, but not for every byte of it. */
const TELL_EVERY_MS = 250;
/** After a command's end, what its pipes still hold is waited for this long: a background job may keep them open. */
const DRAIN_MS = 200;

/** Runs a command in a process group of its own; `code` is 128 + the signal when one ended it. */
export function runShell(
  session: Session,
  command: string,
  onOutput: (whole: string) => void,
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-c", command], {
      cwd: session.cwd,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (child.pid !== undefined) session.groups.add(child.pid);
    let output = "";
    let told = "";
    const tell = () => {
      if (output !== told) onOutput(output);
      told = output;
    };
    const ticker = setInterval(tell, TELL_EVERY_MS);
    const add = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(0, MAX_OUTPUT);
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    child.on("error", (error) => {
      clearInterval(ticker);
      reject(error);
    });
    let drain: NodeJS.Timeout | undefined;
    const done = (code: number) => {
      clearInterval(ticker);
      clearTimeout(drain);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code, output });
    };
    child.on("exit", (code, signal) => {
      const end = code ?? 128 + (signal === "SIGKILL" ? 9 : signal === "SIGTERM" ? 15 : 1);
      child.on("close", () => done(end));
      drain = setTimeout(() => done(end), DRAIN_MS);
    });
  });
}

/** Ends every group a tool of this session started. */
export function killGroups(session: Session): void {
  for (const group of session.groups) {
    try {
      process.kill(-group, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  session.groups.clear();
}
