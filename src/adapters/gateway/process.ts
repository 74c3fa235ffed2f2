import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { hasEnded, type Identity, identityOf, isAlive } from "#adapters/sandbox/local/identity.ts";
import type { Gateway } from "#ports/gateway.ts";
import type { Secret } from "#ports/secret.ts";

const Record = z.strictObject({
  identity: z.strictObject({ pid: z.number(), start: z.string(), boot: z.string() }),
  /** Of the configuration it runs with: another one needs another process. */
  configuration: z.string(),
});

/** What tells one value of a secret from another without telling the value: for `configuration`. */
export const markOf = (secret: Secret | null): string | null =>
  secret === null ? null : createHash("sha256").update(`countersign/gateway/${secret.reveal()}`).digest("hex");

const recordFile = (stateDir: string): string => path.join(stateDir, "process.json");

/** The gateway's own first act: who it is, for whoever starts next. */
export function recordProcess(stateDir: string, configuration: string): void {
  const identity = identityOf(process.pid);
  if (!identity) throw new Error("this process cannot read its own /proc entry");
  const draft = `${recordFile(stateDir)}.${process.pid}`;
  writeFileSync(draft, JSON.stringify({ identity, configuration }), { mode: 0o600 });
  renameSync(draft, recordFile(stateDir));
}

function running(stateDir: string): { identity: Identity; configuration: string } | null {
  if (!existsSync(recordFile(stateDir))) return null;
  const record = Record.safeParse(JSON.parse(readFileSync(recordFile(stateDir), "utf8")));
  return record.success && isAlive(record.data.identity) ? record.data : null;
}

/** How often the control plane says that it lives, and looks whether the gateway does. */
const PULSE_MS = 1_000;
const READY_MS = 20_000;
const END_MS = 5_000;
const STARTS_MOST = 5;
/** A gateway that has not answered for so long never will: its lease is nearly over anyway. */
const DEAF_MS = 20_000;
/** So often at least it is asked in that time. Whoever was stopped for a while themselves heard nobody, and asks again. */
const DEAF_ROUNDS = 4;

export interface GatewayProcess {
  /**
   * Ends the watching, and with `end` the gateway too: a graceful stop of the product takes it along. Where there are
   * several processes, the runs of the others go on calling models while one is restarted.
   */
  stop(o: { end: boolean }): Promise<void>;
}

/**
 * Keeps one gateway process alive beside us: adopts the one that a killed control plane left, starts one when there is
 * none, starts another when it dies, and renews its lease. Resolves when it answers.
 */
export async function keepGateway(o: {
  stateDir: string;
  configuration: string;
  gateway: Gateway;
  start: () => ChildProcess;
  /** How long a gateway may live without an answer. Default 20 s. */
  deafMs?: number;
  log: (message: string, fields?: { readonly [key: string]: unknown }) => void;
}): Promise<GatewayProcess> {
  mkdirSync(o.stateDir, { recursive: true, mode: 0o700 });
  const old = running(o.stateDir);
  if (old && old.configuration !== o.configuration) {
    o.log("the gateway runs with another configuration and is replaced", { pid: old.identity.pid });
    await endProcess(old.identity);
  }
  const ready = async (): Promise<void> => {
    let child: ChildProcess | null = null;
    let why: unknown = null;
    let ended = 0;
    for (const until = performance.now() + READY_MS; performance.now() < until; await pause(50)) {
      if (!running(o.stateDir)) {
        if (child !== null && (child.exitCode !== null || child.signalCode !== null)) {
          // Somebody else's was there first, or died after it had sent ours away: one that cannot start never can.
          ended += 1;
          if (ended === STARTS_MOST) throw new Error(`it ended at once (exit ${child.exitCode ?? child.signalCode})`);
          await pause(ended * 100);
          child = null;
          continue;
        }
        child ??= o.start();
        continue;
      }
      try {
        return await o.gateway.lease();
      } catch (error) {
        why = error;
      }
    }
    throw new Error(`it does not answer: ${String(why)}`, { cause: why });
  };
  await ready();
  let stopped = false;
  const deafMs = o.deafMs ?? DEAF_MS;
  let silentMs = 0;
  let asked = performance.now();
  let round: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const alive = running(o.stateDir);
    if (alive && silentMs >= deafMs) {
      o.log("the gateway lives but does not answer, and is replaced", { pid: alive.identity.pid });
      process.kill(alive.identity.pid, "SIGKILL");
      await hasEnded(alive.identity, END_MS);
    }
    try {
      if (!running(o.stateDir)) {
        o.log("the gateway is gone and is started again");
        await ready();
      } else await o.gateway.lease();
      silentMs = 0;
    } catch (error) {
      silentMs += Math.min(performance.now() - asked, deafMs / DEAF_ROUNDS);
      o.log("the gateway does not answer", { error: String(error) });
    } finally {
      asked = performance.now();
    }
  }

  const pulse = setInterval(() => {
    round = round
      .then(() => (stopped ? undefined : look()))
      .catch((error: unknown) => o.log("the gateway cannot be looked at", { error: String(error) }));
  }, PULSE_MS);
  return {
    async stop({ end }) {
      stopped = true;
      clearInterval(pulse);
      await round;
      const mine = running(o.stateDir);
      if (end && mine) await endProcess(mine.identity);
    },
  };
}

async function endProcess(identity: Identity): Promise<void> {
  process.kill(identity.pid, "SIGTERM");
  if (!(await hasEnded(identity, END_MS))) process.kill(identity.pid, "SIGKILL");
}
