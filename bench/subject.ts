import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { PATHS, TOKEN_HEADER } from "#playground/slack/paths.ts";

/** A program that serves the local chat page: the product, or the bare app it is measured against. */
export interface Subject extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly dataDir: string;
  readonly pid: number;
  /** From spawn until the page answered. */
  readonly startedMs: number;
}

const root = path.resolve(import.meta.dirname, "..");
/** For a profile of what is measured: BENCH_NODE="--cpu-prof --cpu-prof-dir=/tmp/profile". */
const EXTRA = (process.env.BENCH_NODE ?? "").split(" ").filter((word) => word !== "");
/** A first start installs everything. */
const READY_MS = 300_000;

/**
 * The whole product. `database`: a Postgres URL, or `null` for the embedded one. `dataDir` given: it is there already,
 * and stays when the product is closed; else a folder of its own. `env`: settings beside ours.
 */
export function product(
  database: string | null,
  dataDir?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Subject> {
  return open(process.execPath, [...EXTRA, path.join(root, "src", "main.ts"), "serve"], {
    cwd: root,
    database,
    dataDir,
    env,
  });
}

/** The product as a newcomer starts it: `npm start` in a checkout, which installs what is missing. */
export function npmStart(checkout: string, dataDir?: string): Promise<Subject> {
  return open("npm", ["start", "--silent"], { cwd: checkout, database: null, dataDir, env: site() });
}

/** How programs here reach what is outside: npm's settings, certificates, proxies. Without them npm tries for minutes. */
function site(): Record<string, string> {
  const named = Object.entries(process.env).filter(([name]) => /^npm_config_|proxy$|cert|_ca_/i.test(name));
  return Object.fromEntries(named.map(([name, value]) => [name, value ?? ""]));
}

/** The peer: see bare-bolt.ts. */
export function bareBolt(database: string | null): Promise<Subject> {
  return open(process.execPath, [...EXTRA, path.join(import.meta.dirname, "bare-bolt.ts")], { cwd: root, database });
}

export const folder = (): string => mkdtempSync(path.join(tmpdir(), "countersign-bench-"));

async function open(
  command: string,
  args: readonly string[],
  o: {
    cwd: string;
    database: string | null;
    dataDir?: string | undefined;
    env?: Readonly<Record<string, string>>;
  },
): Promise<Subject> {
  const dataDir = o.dataDir ?? folder();
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    PORT: "0",
    COUNTERSIGN_DATA: dataDir,
    LOG_LEVEL: "warn",
    ...(o.database === null ? {} : { DATABASE_URL: o.database }),
    ...o.env,
  };
  const began = performance.now();
  const child = spawn(command, args, { cwd: o.cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      // To all of them: npm tells only the shell that it started, and leaves before what that started does.
      const all = -(child.pid ?? 0);
      process.kill(all, "SIGTERM");
      const timer = setTimeout(() => process.kill(all, "SIGKILL"), 20_000);
      await ended;
      clearTimeout(timer);
      while (groupLives(child.pid ?? 0)) await pause(20);
    }
    if (o.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const { url, token } = await said(child);
    await reached(`${url}${PATHS.page}`, token);
    const startedMs = performance.now() - began;
    return { url, token, dataDir, pid: child.pid ?? 0, startedMs, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function groupLives(pid: number): boolean {
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}

/** The address that the program prints once it is ready. Throws with its last words when it ends instead. */
function said(child: ChildProcess): Promise<{ url: string; token: string }> {
  return new Promise((resolve, reject) => {
    let words = "";
    const hear = (chunk: unknown) => {
      words = (words + String(chunk)).slice(-20_000);
      const found = /(http:\/\/[\w.:]+)\/\?token=(\S+)/.exec(words);
      if (found?.[1] && found[2]) resolve({ url: found[1], token: found[2] });
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.once("exit", (code) => reject(new Error(`it ended with ${code}:\n${words.slice(-4_000)}`)));
  });
}

/** Resolves when the page is there. */
async function reached(url: string, token: string): Promise<void> {
  for (const end = performance.now() + READY_MS; ; await pause(5)) {
    try {
      const answer = await fetch(url, { headers: { [TOKEN_HEADER]: token } });
      await answer.arrayBuffer();
      if (answer.ok) return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    if (performance.now() > end) throw new Error("the page did not answer");
  }
}
