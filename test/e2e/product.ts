import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "#test/command.ts";

/** The real product in a process of its own, with a folder of its own, as `npm start` starts it. */
export interface Product {
  /** What it printed to be opened, with the start token. */
  readonly url: string;
  /** Its end of the log, for a failed test. */
  lastWords(): string;
  /** SIGTERM, as a person's Ctrl-C. Resolves with the exit code. */
  stop(): Promise<number | null>;
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

export const startProduct = (...args: readonly string[]): Promise<Product> => startProductWith({}, ...args);

/** The same, with settings. */
export async function startProductWith(
  settings: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<Product> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-e2e-"));
  const child = spawn(process.execPath, [path.join(root, "src", "main.ts"), "serve", ...args], {
    env: { ...environment(), PORT: String(await freePort()), COUNTERSIGN_DATA: dataDir, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const words = listen(child.stdout, child.stderr);
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(dataDir, { recursive: true, force: true });
    return child.exitCode;
  };
  const url = await new Promise<string>((resolve, reject) => {
    // One that comes too late must not stay behind: its end is told below, whatever it prints until then.
    let tooLate = false;
    const late = setTimeout(() => {
      tooLate = true;
      stop().catch(reject);
    }, READY_MS);
    child.stdout.on("data", () => {
      const printed = /open (http\S+)/.exec(words())?.[1];
      if (printed === undefined || tooLate) return;
      clearTimeout(late);
      resolve(printed);
    });
    child.once("exit", (code) => {
      clearTimeout(late);
      reject(new Error(`the product was not ready within ${READY_MS / 1000} s, or ended with ${code}:\n${words()}`));
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
