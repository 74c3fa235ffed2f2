import { createHash } from "node:crypto";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import path from "node:path";
import { decideEgress } from "#policy/egress.ts";
import { adminServer } from "./admin.ts";
import { openAuthority } from "./ca.ts";
import { openConnections } from "./connections.ts";
import { controlOf } from "./control.ts";
import { dataPlane } from "./data.ts";
import { systemDial, systemResolve } from "./destination.ts";
import { openFirstAddresses } from "./first-addresses.ts";
import { GIT_CONFIG, gitIn } from "./git/git.ts";
import { installHook } from "./git/hook.ts";
import { openPushes } from "./git/pushes.ts";
import { GIT_PATH, gitRelay } from "./git/relay.ts";
import { openRepositories } from "./git/repositories.ts";
import { openGrants } from "./grants.ts";
import { interceptor } from "./intercept.ts";
import { openJournal } from "./journal.ts";
import { openLease } from "./lease.ts";
import { modelBroker } from "./model/broker.ts";
import { leastUsage, openInFlight, type StartedCall } from "./model/in-flight.ts";
import { type Ledger, openLedger } from "./model/ledger.ts";
import { PRICES } from "./model/prices.ts";
import { REGISTRY_PATH } from "./package-path.ts";
import { openPublicDoor } from "./public-door.ts";
import { registryBroker } from "./registry.ts";
import { openRetired } from "./retired.ts";
import { RUN_POLICY_PATH, runPolicyBroker } from "./run-policy.ts";
import { type GatewayConfig, type GatewayWorld, LIMITS } from "./settings.ts";
import { inForce, record, type Wall } from "./wall.ts";

export interface RunningGateway {
  /** For `SandboxSpec.gateway`: "unix:/path". */
  readonly address: string;
  readonly dataSocket: string;
  readonly adminSocket: string;
  /** Where hosted sandboxes come in; `null`: nowhere. */
  readonly publicPort: number | null;
  /** Resolves when no control plane has been heard for `orphanMs`; whoever runs the process then ends it. */
  readonly orphaned: Promise<void>;
  close(): Promise<void>;
}

const SOCKET_PATH_BYTES = 107;

/** The gateway, whole. Everything it knows is under `config.stateDir`, so that the next process goes on from there. */
export async function startGateway(config: GatewayConfig, world: Partial<GatewayWorld> = {}): Promise<RunningGateway> {
  const { stateDir, adminSocket, dataSocket } = socketsOf(config);
  for (const socket of [adminSocket, dataSocket]) mustFit(socket);
  const sole = await soleOwner(stateDir);
  try {
    const running = await openGateway(config, world);
    return {
      ...running,
      async close() {
        await running.close();
        sole.close();
      },
    };
  } catch (error) {
    sole.close();
    throw error;
  }
}

/**
 * Two workers may miss a killed gateway at the same moment and each start one; two that write one journal would bill
 * wrongly. The kernel gives a name to one process only, and takes it back however that process ends.
 */
async function soleOwner(stateDir: string): Promise<Server> {
  const name = createHash("sha256").update(path.resolve(stateDir)).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(cause.code === "EADDRINUSE" ? new Error(`another gateway answers for ${stateDir}`) : cause),
    );
    server.listen(`\0countersign-gateway-${name}`, resolve);
  });
  return server.unref();
}

const socketsOf = ({ stateDir, adminSocket, dataSocket }: GatewayConfig) => ({
  stateDir,
  adminSocket: adminSocket ?? path.join(stateDir, "admin.sock"),
  dataSocket: dataSocket ?? path.join(stateDir, "data.sock"),
});

function mustFit(socketPath: string): void {
  if (Buffer.byteLength(socketPath) <= SOCKET_PATH_BYTES) return;
  throw new Error(
    `${socketPath} is longer than a socket path may be (${SOCKET_PATH_BYTES} bytes): use a shorter folder`,
  );
}

async function openGateway(config: GatewayConfig, world: Partial<GatewayWorld>): Promise<RunningGateway> {
  const outside: GatewayWorld = {
    resolve: systemResolve,
    dial: systemDial,
    now: Date.now,
    limits: LIMITS,
    trust: [],
    ...world,
  };
  const { stateDir, adminSocket, dataSocket } = socketsOf(config);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const home = path.join(stateDir, "git", "home");
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(path.join(home, "gitconfig"), GIT_CONFIG, { mode: 0o600 });

  await claim(adminSocket);
  await claim(dataSocket);
  const git = gitIn(home);
  const grants = await openGrants(path.join(stateDir, "grants"));
  const retired = await openRetired(path.join(stateDir, "audit-retired.json"));
  const journal = await openJournal(stateDir, {
    rollBytes: outside.limits.journalBytes,
    retired: retired.upTo(),
    retire: (lines, to) => retired.take(lines, to, new Set(grants.runs())),
  });
  const lease = openLease({
    leaseMs: config.leaseMs ?? 60_000,
    orphanMs: config.orphanMs ?? 600_000,
    now: outside.now,
  });
  const wall: Wall = {
    grants,
    journal,
    lease,
    connections: openConnections(),
    config,
    world: outside,
    uploads: new Map(),
  };
  const known = new Set(grants.runs());
  const ledger = openLedger(new Map([...retired.spent()].filter(([run]) => known.has(run))));
  for await (const line of journal.past()) if (line.run !== null && known.has(line.run)) ledger.count(line);
  const { left, inFlight } = await openInFlight(path.join(stateDir, "in-flight.jsonl"));
  for (const call of left) await chargeLost(wall, ledger, call);
  const repositories = await openRepositories(path.join(stateDir, "git"), git, outside.limits);
  const pushes = openPushes(wall, git);
  const ca = await openAuthority(stateDir, outside.now);
  const tls = interceptor(wall, ca);
  const hooks = await installHook(path.join(stateDir, "git", "hooks"));
  const data = dataPlane(wall, {
    intercept: tls.intercept,
    brokers: {
      "/model/": modelBroker(wall, ledger, inFlight),
      [REGISTRY_PATH]: registryBroker(wall),
      [GIT_PATH]: gitRelay(wall, { repositories, pushes, home, hooks }),
      [RUN_POLICY_PATH]: runPolicyBroker(wall, ledger),
    },
  });
  const admin = adminServer(controlOf(wall, { repositories, ledger, git, certificate: ca.certificate }));
  const sweep = setInterval(() => cutExpired(wall), outside.limits.sweepMs).unref();
  await listen(admin, adminSocket);
  await listen(data.listener, dataSocket);
  const addresses = await openFirstAddresses(path.join(stateDir, "first-addresses.json"), grants);
  const door = config.publicDoor
    ? await openPublicDoor(wall, { door: config.publicDoor, authority: ca, addresses, dataSocket })
    : null;

  return {
    address: `unix:${dataSocket}`,
    dataSocket,
    adminSocket,
    publicPort: door?.port ?? null,
    orphaned: lease.orphaned,
    async close() {
      clearInterval(sweep);
      await door?.close();
      for (const connection of wall.connections.all()) connection.cut("closing");
      await data.close();
      tls.close();
      lease.close();
      const closed = new Promise<void>((resolve) => void admin.close(() => resolve()));
      admin.closeAllConnections();
      await closed;
      await inFlight.close();
      await journal.close();
    },
  };
}

/** A token's end is also the end of what it opened. */
function cutExpired(wall: Wall): void {
  for (const connection of wall.connections.all()) {
    const held = wall.grants.bySandbox(connection.sandbox);
    const now = wall.world.now();
    if (!held || held.revoked || Date.parse(held.grant.expiresAt) <= now) connection.cut("run_over");
    else if (connection.destination !== null) {
      const { egress } = inForce(held.grant, now);
      const request = { ...connection.destination, method: null, path: null };
      if (decideEgress(egress, request).outcome === "deny") connection.cut("narrowed");
    }
  }
}

/** A call that the process before us made and never billed: it died in between. Its input is the least it cost. */
async function chargeLost(wall: Wall, ledger: Ledger, call: StartedCall): Promise<void> {
  const { run, sandbox, model } = call;
  const line = { run, sandbox, model, status: 0, usage: leastUsage(call), prices: PRICES, durationMs: 0 };
  ledger.count({ kind: "model", id: "", at: "", ...line });
  await record(wall, { kind: "model", ...line });
}

/** A socket file that nobody answers on is left over from a process that was killed. One that answers is a gateway. */
async function claim(socketPath: string): Promise<void> {
  const answers = await new Promise<boolean>((resolve) => {
    const probe = connect(socketPath, () => resolve(true)).once("error", () => resolve(false));
    probe.once("close", () => resolve(false)).once("connect", () => probe.destroy());
  });
  if (answers) throw new Error(`another gateway answers on ${socketPath}`);
  await rm(socketPath, { force: true });
}

async function listen(server: Server | ReturnType<typeof adminServer>, socketPath: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, () => {
      server.off("error", reject);
      resolve();
    });
  });
  await chmod(socketPath, 0o600);
}
