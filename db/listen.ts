import type { PGlite } from "@electric-sql/pglite";
import type { Client } from "pg";

/** `countersign_events`: a run's id when its record or its messages change. `countersign_jobs`: a queue with work. */
export const CHANNELS = ["countersign_events", "countersign_jobs"] as const;
export type Channel = (typeof CHANNELS)[number];

export interface Listener {
  notified(payload: string): void;
  /** The connection was lost and is back: what was sent since `from` was not heard. */
  missed(from: Date): void;
}

/** Hears every channel from the moment it is made; listeners come and go. */
export interface Hub {
  on(channel: Channel, listener: Listener): () => void;
  close(): Promise<void>;
}

function registry() {
  const listeners = new Map<Channel, Set<Listener>>(CHANNELS.map((channel) => [channel, new Set()]));
  return {
    on(channel: Channel, listener: Listener): () => void {
      const set = listeners.get(channel);
      set?.add(listener);
      return () => set?.delete(listener);
    },
    notified(channel: string, payload: string): void {
      for (const listener of listeners.get(channel as Channel) ?? []) listener.notified(payload);
    },
    missed(from: Date): void {
      for (const set of listeners.values()) for (const listener of set) listener.missed(from);
    },
  };
}

export async function pgliteHub(client: PGlite): Promise<Hub> {
  const heard = registry();
  const stops: (() => Promise<void>)[] = [];
  for (const channel of CHANNELS) {
    stops.push(await client.listen(channel, (payload) => heard.notified(channel, payload)));
  }
  return {
    on: heard.on,
    async close() {
      for (const stop of stops) await stop();
    },
  };
}

const PING_MS = 10_000;
const PONG_MS = 5_000;
const RECONNECT_MS = [100, 500, 1_000, 2_000, 5_000];

/**
 * One connection that only listens, made anew from `make` when it is lost. A silent loss is found by a ping; what was
 * missed meanwhile is said.
 */
export async function postgresHub(make: () => Client, onError: (error: Error) => void): Promise<Hub> {
  const heard = registry();
  let closed = false;
  const gone = new WeakSet<Client>();
  let client: Client | null = null;
  client = await connect();
  let timer = setTimeout(ping, PING_MS);

  async function connect(): Promise<Client> {
    const next = make();
    next.on("notification", ({ channel, payload }) => heard.notified(channel, payload ?? ""));
    next.on("error", (error) => lost(next, error));
    next.on("end", () => lost(next, new Error("The listening connection to Postgres ended.")));
    try {
      await next.connect();
      for (const channel of CHANNELS) await next.query(`listen ${channel}`);
      // It may end between its last answer and this line, when nobody looks at it yet.
      if (gone.has(next)) throw new Error("The listening connection to Postgres ended at once.");
    } catch (error) {
      next.removeAllListeners("end");
      next.end().catch(onError);
      throw error;
    }
    return next;
  }

  function ping(): void {
    const asked = client;
    if (asked === null) return;
    const late = setTimeout(() => lost(asked, new Error("The listening connection to Postgres is silent.")), PONG_MS);
    asked
      .query("select 1")
      .then(() => {
        if (!closed && asked === client) timer = setTimeout(ping, PING_MS);
      })
      .catch((error: Error) => lost(asked, error))
      .finally(() => clearTimeout(late));
  }

  function lost(which: Client, error: Error): void {
    if (closed || gone.has(which)) return;
    gone.add(which);
    if (which !== client) return;
    clearTimeout(timer);
    onError(error);
    which.end().catch(() => {}); // it is broken already
    reconnect(new Date(Date.now() - PING_MS - PONG_MS), 0);
  }

  function reconnect(from: Date, tries: number): void {
    const wait = RECONNECT_MS[Math.min(tries, RECONNECT_MS.length - 1)];
    timer = setTimeout(() => {
      connect().then(
        (next) => {
          if (closed) return next.end().catch(onError);
          client = next;
          timer = setTimeout(ping, PING_MS);
          heard.missed(from);
        },
        (error: Error) => {
          onError(error);
          if (!closed) reconnect(from, tries + 1);
        },
      );
    }, wait);
  }

  return {
    on: heard.on,
    async close() {
      closed = true;
      clearTimeout(timer);
      client?.removeAllListeners("end");
      await client?.end().catch(onError);
    },
  };
}
