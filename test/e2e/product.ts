import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gatewayOf } from "#test/chaos/victims.ts";
import { freePort } from "#test/command.ts";

/** The real product in a process of its own, with a folder of its own, as `npm start` starts it. */
export interface Product {
  /** What it printed to be opened, with the start token. */
  readonly url: string;
  /** Its end of the log, for a failed test. */
  lastWords(): string;
  /** SIGTERM, unless it was typed. Resolves with the exit code when all of it has ended; of what was typed with 0 when no gateway is left. */
  stop(): Promise<number | null>;
}

/** How it is started: from this work tree by the Node that we run on, unless told. */
export interface Starting {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Searched for programs, instead of our own. */
  readonly path?: string;
  /** How long it may take until it can be opened. */
  readonly readyMs: number;
  /** As a person types it in a terminal, and ends it there: Ctrl-C reaches everybody in it. */
  readonly typed?: true;
}

const root = path.resolve(import.meta.dirname, "..", "..");
const READY_MS = 110_000;
const WORDS_KEPT = 20_000;

/** Runs `countersign …` to its end. Nothing of our environment goes along but where programs are. */
export async function countersign(...args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [path.join(root, "src", "main.ts"), ...args], {
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const words = listen(child.stdout, child.stderr);
  await once(child, "close");
  return { code: child.exitCode, output: words() };
}

const OURS: Starting = {
  program: process.execPath,
  args: [path.join(root, "src", "main.ts"), "serve"],
  readyMs: READY_MS,
};

export const startProduct = (): Promise<Product> => startProductWith({});

/** The same, with settings, and in another way. */
export async function startProductWith(
  settings: Readonly<Record<string, string>>,
  { program, args, cwd, path: programs, readyMs, typed }: Starting = OURS,
): Promise<Product> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-e2e-"));
  const where = programs === undefined ? {} : { PATH: programs };
  const child = spawn(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...environment(), ...where, PORT: String(await freePort()), COUNTERSIGN_DATA: dataDir, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
    detached: typed === true,
  });
  const words = listen(child.stdout, child.stderr);
  // Whoever typed it waits for npm, which may end before what it started: the streams are closed by the last of them.
  const ended = once(child, typed ? "close" : "exit");
  const stop = async () => {
    if (!typed) child.kill("SIGTERM");
    else if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGINT");
    await ended;
    const code = typed ? (gatewayOf(dataDir) === null ? 0 : null) : child.exitCode;
    rmSync(dataDir, { recursive: true, force: true });
    return code;
  };
  const url = await new Promise<string>((resolve, reject) => {
    // One that comes too late must not stay behind: its end is told below, whatever it prints until then.
    let tooLate = false;
    const late = setTimeout(() => {
      tooLate = true;
      stop().catch(reject);
    }, readyMs);
    child.stdout.on("data", () => {
      const printed = /open (http\S+)/.exec(words())?.[1];
      if (printed === undefined || tooLate) return;
      clearTimeout(late);
      resolve(printed);
    });
    child.once("exit", (code) => {
      clearTimeout(late);
      reject(new Error(`the product was not ready within ${readyMs / 1000} s, or ended with ${code}:\n${words()}`));
    });
  });
  return { url, lastWords: words, stop };
}

const environment = (): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH ?? "/usr/bin:/bin",
  HOME: process.env.HOME ?? "/",
});

function listen(...streams: readonly NodeJS.ReadableStream[]): () => string {
  let words = "";
  for (const stream of streams) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      words = (words + chunk).slice(-WORDS_KEPT);
    });
  }
  return () => words;
}
