import { setTimeout as pause } from "node:timers/promises";

/** Postgres ends the session, or is not there yet: shutdown, crash, still starting (class 57 and class 08). */
const STATES = /^(57P0[1-5]|08\d\d\d)$/;
const CODES = ["ECONNRESET", "ECONNREFUSED", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"];

/** The drivers have no code for these (pg 8.23, and Neon's 1.2, which is made of an older one). */
const WORDS = /^(Connection terminated|Client has encountered a connection error|Client was closed)/;

/** A database that was suspended, or whose server is replaced, is back within seconds. */
const WAITS_MS = [100, 400, 1_500];

/** A WebSocket that broke or never opened. */
export class SocketBroken extends Error {
  override readonly name = "SocketBroken";
}

/** The connection broke during the COMMIT. Who asked for it looks at what is there, as after a crash of its own. */
export class CommitUnknown extends Error {
  override readonly name = "CommitUnknown";
}

/** The five-letter code of a database error, through the wrapping of the query builder. */
export function sqlState(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string" && /^[0-9A-Z]{5}$/.test(at.code)) return at.code;
  }
  return undefined;
}

/**
 * Whether the connection broke, rather than that the server refused what was asked. What had not been committed is
 * undone then; whether a COMMIT that was on its way was carried out, nobody knows.
 */
export function isLost(error: unknown): boolean {
  if (error instanceof CommitUnknown) return false;
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof SocketBroken || WORDS.test(at.message)) return true;
    if ("code" in at && typeof at.code === "string" && (STATES.test(at.code) || CODES.includes(at.code))) return true;
    if (at instanceof AggregateError && at.errors.some(isLost)) return true;
  }
  return false;
}

/** Does `work`, which changes nothing unless it succeeds, again while the connection breaks: for two seconds. */
export async function unlessLost<T>(work: () => Promise<T>): Promise<T> {
  for (const wait of WAITS_MS) {
    try {
      return await work();
    } catch (error) {
      if (!isLost(error)) throw error;
    }
    await pause(wait);
  }
  return work();
}
