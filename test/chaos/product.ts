import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { hasEnded } from "#adapters/sandbox/local/identity.ts";
import { until } from "./until.ts";
import { clearAway, gatewayOf } from "./victims.ts";

/** One process of the product, which may be killed and started again at the same address. */
export interface Process {
  /** `null` while it is down. */
  pid(): number | null;
  /** Resolves when it says that it is ready. Throws with its last words when it ends instead. */
  start(): Promise<void>;
  /** SIGKILL; resolves when the kernel has taken it away. */
  kill(): Promise<void>;
  /** SIGTERM, as a person stops it; resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGSTOP: it holds everything and does nothing. */
  freeze(): void;
  thaw(): void;
}

/** The real product in a folder of its own, with a port that stays the same over every restart. */
export interface Installation extends AsyncDisposable {
  /** Where people open it. */
  readonly url: string;
  /** Where each process with pages listens: the first's, and a replica's. */
  readonly addresses: readonly string[];
  readonly dataDir: string;
  readonly databaseUrl: string;
  /** Pages, chat and a worker. */
  readonly first: Process;
  /** A worker or a replica beside it; `null` on PGlite, which serves one process. */
  readonly second: Process | null;
  /** Stops every process in order, as an operator does: also a gateway that replicas leave to itself. */
  stop(): Promise<void>;
  /** What people open the pages with. Known once `first` has started. */
  token(): string;
  /** The end of what every process said, for a failed test. */
  lastWords(): string;
}

const READY_MS = 60_000;
const END_MS = 10_000;
const root = path.resolve(import.meta.dirname, "..", "..");

/**
 * Makes an installation; nothing is started yet. `postgres` is the URL of an empty database, or `null` for PGlite;
 * `args` go to `serve`, `env` is set beside what we set. Disposing kills what still runs of it and removes its folder.
 */
export async function installation(o: {
  postgres: string | null;
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /**
   * Two that are alike, as docs/deploy.md has several replicas: both have pages, chat and runs, and leave the gateway to
   * itself. `env` is the second's own. Without it the second is a worker alone.
   */
  replica?: { env: Readonly<Record<string, string>> };
}): Promise<Installation> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-chaos-"));
  const [port, other] = [await keptPort(), await keptPort()];
  const env = {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    HOME: process.env.HOME ?? "/",
    PORT: String(port),
    COUNTERSIGN_DATA: dataDir,
    LOG_LEVEL: "info",
    ...(o.postgres === null ? {} : { DATABASE_URL: o.postgres }),
    ...o.env,
  };
  const { replica, args = [] } = o;
  const roles = replica === undefined ? "web,worker,gateway" : "web,worker";
  const first = processOf("first", ["--roles", roles, ...args], env, dataDir);
  const beside = () =>
    replica === undefined
      ? processOf("second", ["--roles", "worker"], env, dataDir)
      : processOf("second", ["--roles", roles, ...args], { ...env, PORT: String(other), ...replica.env }, dataDir);
  const second = o.postgres === null ? null : beside();
  const addresses = (replica === undefined ? [port] : [port, other]).map((at) => `http://127.0.0.1:${at}`);
  return {
    url: o.env?.PUBLIC_URL ?? `http://127.0.0.1:${port}`,
    addresses,
    dataDir,
    databaseUrl: o.postgres ?? `pglite:${path.join(dataDir, "database")}`,
    first,
    second,
    async stop() {
      await Promise.all([first.stop(), second?.stop()]);
      const left = replica === undefined ? null : gatewayOf(dataDir);
      if (left === null) return;
      process.kill(left.pid, "SIGTERM");
      if (!(await hasEnded(left, END_MS))) throw new Error("the gateway does not end");
    },
    token: () => tokenIn(wordsOf(dataDir, "first")),
    lastWords: () =>
      ["first", "second", "gateway"].map((name) => `--- ${name}\n${wordsOf(dataDir, name).slice(-6_000)}`).join("\n"),
    async [Symbol.asyncDispose]() {
      await Promise.all([first.kill(), second?.kill()]);
      await clearAway(dataDir);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Runs `body` in an installation; what it throws is told with the last words of every process. */
export async function inHouse(
  o: Parameters<typeof installation>[0],
  body: (house: Installation) => Promise<void>,
): Promise<void> {
  await using house = await installation(o);
  try {
    await body(house);
  } catch (error) {
    if (error instanceof Error) error.message += `\n${house.lastWords()}`;
    throw error;
  }
}

function processOf(name: string, args: readonly string[], env: NodeJS.ProcessEnv, dataDir: string): Process {
  let child: ChildProcess | null = null;
  const alive = () => (child !== null && child.exitCode === null && child.signalCode === null ? child : null);
  const end = async (signal: "SIGKILL" | "SIGTERM") => {
    const running = alive();
    if (!running) return;
    const exited = once(running, "exit");
    running.kill("SIGCONT");
    running.kill(signal);
    await exited;
  };
  return {
    pid: () => alive()?.pid ?? null,
    async start() {
      if (alive()) throw new Error(`the ${name} process runs already`);
      const log = openSync(logOf(dataDir, name), "a", 0o600);
      const from = wordsOf(dataDir, name).length;
      const started = spawn(process.execPath, [path.join(root, "src", "main.ts"), "serve", ...args], {
        cwd: root,
        env,
        stdio: ["ignore", log, log],
      });
      closeSync(log);
      child = started;
      await until(
        `the ${name} process is ready`,
        () => {
          const words = wordsOf(dataDir, name).slice(from);
          if (words.includes("Countersign is ready: open http")) return true;
          // Killed while it started: whoever killed it knows, and starts it again.
          if (started.signalCode === "SIGKILL") return true;
          if (started.exitCode !== null) throw new Error(`the ${name} process ended at once:\n${words.slice(-4_000)}`);
          return null;
        },
        READY_MS,
      );
    },
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    freeze: () => void alive()?.kill("SIGSTOP"),
    thaw: () => void alive()?.kill("SIGCONT"),
  };
}

const logOf = (dataDir: string, name: string): string => path.join(dataDir, `${name}.log`);

function wordsOf(dataDir: string, name: string): string {
  try {
    return readFileSync(logOf(dataDir, name), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

function tokenIn(words: string): string {
  const token = /\/\?token=(\S+)/.exec(words)?.[1];
  if (token === undefined) throw new Error("the product has not said its start token yet");
  return token;
}

/** Below what the kernel gives out by itself: while its process is down nobody else is given the port. */
const KEPT = { from: 15_000, below: 32_000 };

/** A port that is free, and stays so while nobody asks for it by its number. */
async function keptPort(): Promise<number> {
  for (;;) {
    const port = randomInt(KEPT.from, KEPT.below);
    const probe = createServer().listen(port, "127.0.0.1");
    try {
      await once(probe, "listening");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") continue;
      throw error;
    }
    probe.close();
    await once(probe, "close");
    return port;
  }
}
