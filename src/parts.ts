import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { serve as listen } from "@hono/node-server";
import { ErrorCode } from "@slack/web-api";
import { installImage } from "#adapters/agent/install.ts";
import {
  type SlackAccess,
  type SlackIdentity,
  slackAccess,
  slackHmac,
  slackIdentity,
} from "#adapters/directory/slack-access.ts";
import { type SlackSocket, slackSocket } from "#adapters/directory/slack-socket.ts";
import { type GatewayProcess, keepGateway } from "#adapters/gateway/process.ts";
import type { LocalRepoHost } from "#adapters/repo-host/local/host.ts";
import { npmCommand } from "#adapters/sandbox/local/npm.ts";
import { DatabaseInUse, takeLock } from "#db/lock.ts";
import { openDatabase } from "#db/open.ts";
import type { Gateway } from "#ports/gateway.ts";
import type { Core } from "#runs/core.ts";
import type { Config } from "./config.ts";
import { gatewayConfiguration, gatewayLog } from "./gateway-role.ts";
import { gatewaySockets } from "./places.ts";

/** Something the person who starts us has to mend: one line with the fix. */
export class StartError extends Error {
  override readonly name = "StartError";
}

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

const ELSEWHERE = "or name another with COUNTERSIGN_DATA=/path";

/** Whether the data folder can be used, as far as that can be told without making it. */
export function usable(folder: string): void {
  let there = folder;
  while (!existsSync(there)) there = path.dirname(there);
  if (!statSync(there).isDirectory()) {
    throw new StartError(
      there === folder
        ? `the data folder ${folder} is not a folder: move it away, ${ELSEWHERE}`
        : `the data folder ${folder} cannot be made, since ${there} is not a folder: move that away, ${ELSEWHERE}`,
    );
  }
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw unwritable(folder, cause);
  }
}

/**
 * Others may pass through: the sandboxes' users read their images below it. Folder by folder, since Node's own
 * `recursive` never returns below a parent that takes no folders, such as /proc (24.21).
 */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(path.dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o755 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw unwritable(folder, cause);
  }
}

const unwritable = (folder: string, cause: unknown): StartError =>
  new StartError(`the data folder ${folder} cannot be written: make it yours (chown), ${ELSEWHERE}`, { cause });

/** What answers on the port; replaced once everything behind it is there. */
export interface Site {
  fetch: (request: Request) => Response | Promise<Response>;
}

/** Takes the port before anything else is started, so that a taken one leaves nothing half-started. */
export function bind(site: Site, config: Config): Promise<{ port: number; close: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = listen(
      { fetch: (request) => site.fetch(request), port: config.port, hostname: config.host },
      ({ port }) => {
        const close = () =>
          new Promise<void>((closed) => {
            server.close(() => closed());
            if ("closeAllConnections" in server) server.closeAllConnections();
          });
        resolve({ port, close });
      },
    );
    server.on("error", (error: NodeJS.ErrnoException) => {
      const why =
        error.code === "EADDRINUSE"
          ? `port ${config.port} is taken: stop what uses it, or start with another: PORT=${config.port + 1} npm start`
          : `cannot listen on ${config.host}:${config.port}: ${error.message}`;
      reject(new StartError(why, { cause: error }));
    });
  });
}

/** Slack as it takes us. */
export interface Workspace {
  /** The one workspace that took our token; `null`: those that install us are in the database. */
  readonly one: { readonly access: SlackAccess; readonly identity: SlackIdentity } | null;
  /** HMAC-SHA256 of a text under the signing secret; `null`: Slack's requests come over a socket. */
  readonly hmac: ((text: string) => Buffer) | null;
  /** `null`: Slack's requests come over HTTP. */
  readonly socket: SlackSocket | null;
}

/** `null`: the local page stands in for it. Asked before anything is started: a bad token leaves nothing behind. */
export async function openWorkspace(config: Config, log: Core["log"]): Promise<Workspace | null> {
  if (config.slack === null) return null;
  const { botToken, intake, apiUrl } = config.slack;
  const at = apiUrl === null ? {} : { slackApiUrl: apiUrl };
  const signingSecret = intake.by === "http" ? intake.signingSecret : null;
  const socket = intake.by === "socket" ? slackSocket({ appToken: intake.appToken, ...at, log }) : null;
  const one = botToken === null ? null : await oneWorkspace(slackAccess({ botToken, ...at, log }));
  await asked(
    socket?.probe() ?? Promise.resolve(),
    (why) =>
      `Slack refuses SLACK_APP_TOKEN (${why}): it is an app-level token with the scope connections:write, it starts with xapp-, and the app has Socket Mode enabled`,
  );
  return { one, hmac: signingSecret === null ? null : slackHmac(signingSecret), socket };
}

async function oneWorkspace(access: SlackAccess): Promise<NonNullable<Workspace["one"]>> {
  const identity = await asked(
    slackIdentity(access.urgent),
    (why) =>
      `Slack refuses SLACK_BOT_TOKEN (${why}): copy the Bot User OAuth Token of the installed app, it starts with xoxb-`,
  );
  return { access, identity };
}

async function asked<T>(call: Promise<T>, refused: (why: string) => string): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const platform = cause instanceof Error && "code" in cause && cause.code === ErrorCode.PlatformError;
    throw new StartError(platform ? refused(why) : `the Slack workspace cannot be used: ${why}`, { cause });
  }
}

export async function openDb(config: Config, say: Core["log"]) {
  try {
    return await openDatabase(config.database, {
      connections: config.databaseConnections,
      onError: (error) => say("database", { error: error.message }),
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(
      config.database.kind === "pglite" ? why : `the database of DATABASE_URL cannot be used: ${why}`,
      { cause },
    );
  }
}

/** The local Slack page lives in one process: the people of a second one would talk to nobody. Released by the call. */
export function localPage(dataDir: string): () => void {
  try {
    return takeLock(path.join(dataDir, "slack-page.lock"), dataDir);
  } catch (cause) {
    if (!(cause instanceof DatabaseInUse)) throw cause;
    const why = `another process serves the local Slack page of ${dataDir}: stop it, or start this one with --roles worker`;
    throw new StartError(why, { cause });
  }
}

/** Folders of the images, installed on first use; a first use of OpenCode takes a while, so it begins at the start. */
export function imageFolders(config: Config): (image: string) => Promise<string> {
  const into = path.join(config.dataDir, "images");
  const going = new Map<string, Promise<string>>();
  const install = async (image: string): Promise<string> => {
    mkdirSync(into, { recursive: true, mode: 0o755 });
    if (image === "plain") {
      const plain = path.join(into, "plain");
      mkdirSync(plain, { recursive: true, mode: 0o755 });
      return plain;
    }
    return installImage({
      name: image,
      from: path.join(root, "images"),
      into,
      npm: npmCommand(config.toolEnv),
      env: config.toolEnv,
      signal: AbortSignal.timeout(15 * 60_000),
    });
  };
  return (image) => {
    const one = going.get(image) ?? install(image).finally(() => going.delete(image));
    going.set(image, one);
    return one;
  };
}

/** The wall's door, kept alive beside us; see `gateway-role.ts` for what it is. */
export async function openGateway(config: Config, gateway: Gateway, log: Core["log"]): Promise<GatewayProcess> {
  const words = gatewayLog(config.dataDir);
  try {
    return await keepGateway({
      stateDir: gatewaySockets(config.dataDir).stateDir,
      configuration: gatewayConfiguration(config),
      gateway,
      start() {
        const out = openSync(words, "a", 0o600);
        // Detached: it must outlive us when we are killed.
        const child = spawn(process.execPath, [path.join(root, "src", "main.ts"), "serve", "--roles", "gateway"], {
          detached: true,
          stdio: ["ignore", out, out],
          env: config.gatewayEnv(),
        });
        child.unref();
        return child;
      },
      log,
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`the gateway does not start: ${why}. Its log: ${words}`, { cause });
  }
}

/** Serves real repositories as local/<name>; the originals are only read. */
export async function importAll(host: LocalRepoHost, sources: readonly string[]): Promise<readonly string[]> {
  const names: string[] = [];
  for (const source of sources) {
    const base =
      path
        .basename(source.replace(/\/+$/, ""))
        .replace(/\.git$/, "")
        .replace(/[^\w.-]+/g, "-")
        .replace(/^[.-]+/, "") || "repository";
    const name = `local/${base}`;
    try {
      await host.importRepository(name, source);
    } catch (cause) {
      throw new StartError(
        `--repo ${source} cannot be served: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
    names.push(name);
  }
  return names;
}
