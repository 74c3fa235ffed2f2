import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Engine } from "#ports/engine.ts";
import type { Gateway } from "#ports/gateway.ts";

/** One role's sign of life: rejects while it is not there. */
export interface Sign {
  readonly role: string;
  readonly look: () => Promise<unknown>;
}

export interface Health {
  readonly port: number;
  /** From now on these signs are looked for; before, whoever asks is told that we are starting. */
  watch(signs: readonly Sign[]): void;
  close(): Promise<void>;
}

/** Below what the image's health check waits for. */
const PATIENCE_MS = 4_000;
/** A worker looks for jobs every two seconds. */
const LATE_MS = 30_000;

/** Something the person who starts us has to mend: one line with the fix. The gateway's process has no use for the other file of it. */
class StartError extends Error {
  override readonly name = "StartError";
}

/**
 * Answers `GET /health` on a port of this machine alone, whatever our roles are: 200 while every sign is there, 503 with the
 * roles that are ill. Throws `StartError` for a port that is taken.
 */
export async function openHealth(port: number): Promise<Health> {
  let watched: readonly Sign[] | null = null;

  async function ill(): Promise<readonly string[]> {
    if (watched === null) return ["starting"];
    const looked = await Promise.all(watched.map(async ({ role, look }) => ((await isThere(look)) ? [] : [role])));
    return looked.flat();
  }

  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/health") return void response.writeHead(404).end();
    void ill().then((roles) => {
      const ok = roles.length === 0;
      response.writeHead(ok ? 200 : 503, { "content-type": "application/json", connection: "close" });
      response.end(JSON.stringify(ok ? { ok } : { ok, ill: roles }));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "is taken" : `cannot be listened on (${cause.message})`;
      reject(new StartError(`port ${port} of COUNTERSIGN_HEALTH_PORT ${why}: name another, or unset it`, { cause }));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    watch(signs) {
      watched = signs;
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

/** What hangs is not there. */
async function isThere(look: () => Promise<unknown>): Promise<boolean> {
  const late = new AbortController();
  try {
    return await Promise.race([
      look().then(() => true),
      pause(PATIENCE_MS, false, { signal: late.signal }).catch(() => false),
    ]);
  } catch {
    return false;
  } finally {
    late.abort();
  }
}

/** The pages answer at this address. */
export const webSign = (url: string): Sign => ({
  role: "web",
  look: async () => {
    const { status } = await fetch(`${url}/health`, { redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (status !== 200) throw new Error(`the pages answer ${status}`);
  },
});

/** The store answers, and jobs were looked for a moment ago. */
export const workerSign = (engine: Pick<Engine, "stats">): Sign => ({
  role: "worker",
  look: async () => {
    const { lookedMsAgo } = await engine.stats();
    if (lookedMsAgo === null || lookedMsAgo > LATE_MS) throw new Error("jobs are not looked for");
  },
});

/** The gateway answers. Not its lease: that would say that a control plane lives. */
export const gatewaySign = (gateway: Pick<Gateway, "audited">): Sign => ({
  role: "gateway",
  look: () => gateway.audited(),
});
