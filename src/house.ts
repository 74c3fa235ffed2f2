import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync, openSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { serve as listen } from "@hono/node-server";
import pino from "pino";
import { acpAgents } from "#adapters/agent/acp.ts";
import { installImage } from "#adapters/agent/install.ts";
import { demo, opencode } from "#adapters/agent/profiles.ts";
import { keepGateway } from "#adapters/gateway/process.ts";
import { watchPolicyFolder } from "#adapters/policy/folder.ts";
import { type LocalRepoHost, localRepoHost } from "#adapters/repo-host/local/host.ts";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import { openKeys } from "#adapters/secrets/keys.ts";
import { pgBossEngine } from "#db/engine.ts";
import { DatabaseInUse, takeLock } from "#db/lock.ts";
import { openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { store } from "#db/store.ts";
import { stores } from "#db/stores.ts";
import { gatewayClient } from "#gateway/client.ts";
import { seedRepositories } from "#playground/repos/seed.ts";
import { systemClock } from "#ports/clock.ts";
import { ingest } from "#runs/audit.ts";
import type { Core } from "#runs/core.ts";
import { deliver } from "#runs/deliver.ts";
import { keyIdOf } from "#runs/receipt.ts";
import { redactor } from "#runs/redact.ts";
import { pullRequestChanged } from "#runs/review.ts";
import { sweep, sweepSandboxes } from "#runs/sweep.ts";
import { handlers } from "#runs/tick.ts";
import { type Config, hostInUrl } from "./config.ts";
import { type Front, openFront } from "./front.ts";
import { gatewayConfiguration, gatewayLog } from "./gateway-role.ts";
import { gatewaySockets } from "./places.ts";

export const ROLES = ["web", "worker"] as const;
export type Role = (typeof ROLES)[number];

/** Something the person who starts us has to mend: one line with the fix. */
export class StartError extends Error {
  override readonly name = "StartError";
}

export interface House extends AsyncDisposable {
  /** What the person who started us reads. */
  readonly welcome: string;
}

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const DRAIN_MS = 10_000;
/** How long a step waits for a gateway that is being started again, before the step itself is tried again. */
const GATEWAY_PATIENCE_MS = 20_000;

/**
 * The parts list: opens everything in order, each with how it is closed; on a failure what was opened is closed again.
 * Throws `StartError` with one clear line, or what is a bug.
 */
export async function openHouse(
  config: Config,
  o: { roles: ReadonlySet<Role>; repos: readonly string[] },
): Promise<House> {
  await using opening = new AsyncDisposableStack();
  const log = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const say: Core["log"] = (message, fields) => log.info(fields ?? {}, message);

  writable(config.dataDir);
  const site: Site = {
    fetch: () => new Response("Countersign is starting.\n", { status: 503, headers: { "retry-after": "1" } }),
  };
  const port = o.roles.has("web")
    ? opening.adopt(await bind(site, config), (bound) => bound.close()).port
    : config.port;
  const baseUrl = config.publicUrl ?? `http://${hostInUrl(config.host)}:${port}`;
  const policy = opening.adopt(await openPolicy(config, say), (watch) => watch.close());
  const keys = openKeys(path.join(config.dataDir, "keys"));
  const database = opening.adopt(await openDb(config, say), (open) => open.close());
  if (o.roles.has("web") && config.slack === null) opening.defer(localPage(config.dataDir));
  const orgId = await ensureOrg(database.db, "default");
  const images = imageFolders(config);
  const sandboxes = await openSandboxes(config, images);

  const sockets = gatewaySockets(config.dataDir);
  const gateway = gatewayClient({ ...sockets, patienceMs: GATEWAY_PATIENCE_MS });
  opening.adopt(
    await keepGateway({
      stateDir: sockets.stateDir,
      configuration: gatewayConfiguration(config),
      gateway,
      start: () => startGatewayProcess(config),
      log: say,
    }),
    (kept) => kept.stop({ end: o.roles.has("web") && o.roles.has("worker") }),
  );

  const outbox = waker();
  const engine = await pgBossEngine({ database, orgId });
  const repoHost: LocalRepoHost = await localRepoHost({
    dir: path.join(config.dataDir, "repos"),
    baseUrl: `${baseUrl}/code`,
    clock: systemClock,
    onChange: (what) => pullRequestChanged(core, what),
    onFailure: (error, what) =>
      say("a pull request's change was not taken and is tried again", { what, error: String(error) }),
  });
  opening.defer(() => repoHost.stop());

  const core: Core = {
    orgId,
    baseUrl,
    clock: systemClock,
    store: store(database.db),
    stores: stores(database, { orgId }),
    engine,
    directory: {
      account: (id) => front.directory.account(id),
      members: (group, workspace) => front.directory.members(group, workspace),
    },
    policy: () => {
      const current = policy.current();
      return current.ok
        ? { ok: true, policy: current.policy }
        : { ok: false, problem: current.problems.map(({ at, message }) => `${at} ${message}`).join("; ") };
    },
    gateway,
    sandboxes,
    agents: new Map([demo, opencode].map((profile) => [profile.id, acpAgents({ profile })])),
    defaultAgent: { id: config.agent, model: config.model },
    repoHost,
    signer: { keyId: keyIdOf(keys.receipts.publicKey), publicKey: keys.receipts.publicKey, sign: keys.receipts.sign },
    tokenFor: keys.tokenFor,
    redact: redactor(
      [
        config.models.openai.key,
        config.models.anthropic.key,
        config.slack?.botToken,
        config.slack?.signingSecret,
        keys.text("start"),
      ].flatMap((secret) => (secret ? [{ name: secret.name, value: secret.reveal() }] : [])),
    ),
    nudge: outbox.wake,
    log: say,
  };

  const seeded = o.roles.has("web") && config.policyDir === null;
  if (seeded) await seedRepositories(repoHost);
  const own = await importAll(repoHost, o.repos);
  const front: Front = await openFront({ config, core, keys, repoHost, own, web: o.roles.has("web") });
  opening.defer(() => front.close());

  if (o.roles.has("worker")) {
    images(config.agent).then(
      () => say("the agent is installed", { agent: config.agent }),
      (error: unknown) =>
        say("the agent could not be installed yet; the first run tries again", { error: String(error) }),
    );
    await engine.work(handlers(core));
    await engine.schedule("sweep", 2_000, () => sweep(core));
    await engine.schedule("sandboxes", 60_000, () => sweepSandboxes(core));
    opening.defer(loop(say, "the gateway's audit", (signal) => ingest(core, signal)));
  }
  opening.defer(() => engine.drain(DRAIN_MS));
  if (o.roles.has("web")) {
    site.fetch = front.pages.fetch;
    await repoHost.start();
    opening.defer(loop(say, "the outbox", (signal) => deliver(core, front.chat, outbox.wait, signal)));
    opening.defer(
      loop(say, "the inbox", async (signal) => {
        while (!signal.aborted) {
          await front.redrive();
          await pause(5_000, undefined, { signal });
        }
      }),
    );
    // Another worker's wishes for the outbox reach us as the database's notifications.
    opening.defer(
      loop(say, "the outbox's bell", async (signal) => {
        for await (const _ of core.stores.events.changes(signal)) outbox.wake();
      }),
    );
    front.begin();
  }
  const parts = opening.move();
  return { welcome: front.welcome, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

function writable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new StartError(
      `the data folder ${folder} cannot be written: make it yours (chown), or name another with COUNTERSIGN_DATA=/path`,
      { cause },
    );
  }
}

/** What answers on the port; replaced once everything behind it is there. */
interface Site {
  fetch: (request: Request) => Response | Promise<Response>;
}

/** Takes the port before anything else is started, so that a taken one leaves nothing half-started. */
function bind(site: Site, config: Config): Promise<{ port: number; close: () => Promise<void> }> {
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

async function openPolicy(config: Config, say: Core["log"]) {
  const folder = config.policyDir ?? path.join(root, "policies");
  const presets = [
    ...(config.models.openai.baseUrl !== null || config.agent === "demo" ? ["model-openai"] : []),
    ...(config.models.anthropic.baseUrl !== null ? ["model-anthropic"] : []),
    ...(config.registry !== null ? ["npm-read"] : []),
  ];
  const watch = await watchPolicyFolder(folder, {
    site: { presets, upstreams: upstreams(config) },
    onChange: (change) =>
      change.ok
        ? say("policy reloaded", { digest: change.policy.digest })
        : say("policy is broken; the last good one stays in force", { problems: change.problems }),
  });
  const loaded = watch.current();
  if (loaded.ok) return watch;
  watch.close();
  const lines = loaded.problems.map(({ at, message }) => `  ${at} ${message}`).join("\n");
  throw new StartError(`the policy in ${folder} is broken:\n${lines}`);
}

/** Hosts that only the operator's configuration may name; no rule can grant or deny them. */
function upstreams(config: Config): string[] {
  const urls = [config.models.openai.baseUrl, config.models.anthropic.baseUrl, config.registry];
  return [...new Set(urls.flatMap((url) => (url === null ? [] : [new URL(url).hostname])))];
}

async function openDb(config: Config, say: Core["log"]) {
  try {
    return await openDatabase(config.databaseUrl, { onError: (error) => say("database", { error: error.message }) });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(
      config.databaseUrl.startsWith("pglite:") ? why : `the database of DATABASE_URL cannot be used: ${why}`,
      { cause },
    );
  }
}

/** The local Slack page lives in one process: the people of a second one would talk to nobody. Released by the call. */
function localPage(dataDir: string): () => void {
  try {
    return takeLock(path.join(dataDir, "slack-page.lock"), dataDir);
  } catch (cause) {
    if (!(cause instanceof DatabaseInUse)) throw cause;
    const why = `another process serves the local Slack page of ${dataDir}: stop it, or start this one with --roles worker`;
    throw new StartError(why, { cause });
  }
}

/** Folders of the images, installed on first use; a first use of OpenCode takes a while, so it begins at the start. */
function imageFolders(config: Config): (image: string) => Promise<string> {
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
      npm: ["npm"],
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

async function openSandboxes(config: Config, imageFolder: (image: string) => Promise<string>) {
  const provider = localSandboxes({
    stateDir: path.join(config.dataDir, "sandboxes"),
    node: process.execPath,
    imageFolder,
  });
  const { problems } = await provider.preflight();
  if (problems.length > 0) throw new StartError(problems.map(({ what, fix }) => `${what}: ${fix}`).join("\n"));
  return provider;
}

/** Detached: it must outlive us when we are killed. */
function startGatewayProcess(config: Config) {
  const out = openSync(gatewayLog(config.dataDir), "a", 0o600);
  const child = spawn(process.execPath, [path.join(root, "src", "main.ts"), "serve", "--roles", "gateway"], {
    detached: true,
    stdio: ["ignore", out, out],
  });
  child.unref();
  return child;
}

/** Serves real repositories as local/<name>; the originals are only read. */
async function importAll(host: LocalRepoHost, sources: readonly string[]): Promise<readonly string[]> {
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

/** Runs `body` until it is told to stop; what it throws is said, and it begins again after a second. */
function loop(say: Core["log"], what: string, body: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  const leaving = new AbortController();
  const done = (async () => {
    while (!leaving.signal.aborted) {
      try {
        await body(leaving.signal);
      } catch (error) {
        if (leaving.signal.aborted) return;
        say(`${what} failed and goes on in a second`, { error: String(error) });
        await pause(1_000, undefined, { signal: leaving.signal }).catch(() => undefined);
      }
    }
  })();
  return async () => {
    leaving.abort();
    await done;
  };
}

/** A bell: `wait` ends when it rings, at the latest after `ms`. A ring while nobody waits is not lost. */
function waker(): { wake: () => void; wait: (ms: number, signal: AbortSignal) => Promise<void> } {
  let rung = false;
  let ring: (() => void) | null = null;
  return {
    wake() {
      rung = true;
      ring?.();
    },
    async wait(ms, signal) {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          ring = () => {
            clearTimeout(timer);
            resolve();
          };
          signal.addEventListener("abort", () => ring?.(), { once: true });
        });
        ring = null;
      }
      rung = false;
    },
  };
}
