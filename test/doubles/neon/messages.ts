/** What a client of Postgres says, message by message (protocol 3.0; postgresql.org/docs/current/protocol-message-formats). */

const VERSION_3 = 196_608;

/** What Neon's proxy passes on of a first message; the rest it drops (github.com/neondatabase/neon/issues/12856). */
const PASSED_ON = ["user", "database", "application_name", "client_encoding", "options", "replication"];
/** What PgBouncer takes in one: it refuses a connection that brings anything else (neon.com/docs, "Connection errors"). */
const POOLED = ["user", "database", "application_name", "client_encoding", "datestyle", "timezone"];

export interface Startup {
  /** The whole message as it is passed on. */
  readonly bytes: Buffer;
  /** Parameters that a pooler refuses. */
  readonly unsupported: readonly string[];
}

/** Of a whole first message. Throws when it is none, such as a request for TLS inside the WebSocket. */
export function startupOf(message: Buffer): Startup {
  if (message.readInt32BE(4) !== VERSION_3)
    throw new Error(`the driver began with ${message.readInt32BE(4)}, which is no Postgres 3.0`);
  const words = message.subarray(8).toString("utf8").split("\0");
  const given: [string, string][] = [];
  for (let at = 0; at + 1 < words.length && words[at] !== ""; at += 2)
    given.push([words[at] ?? "", words[at + 1] ?? ""]);
  const kept = given.filter(([name]) => PASSED_ON.includes(name.toLowerCase()));
  const body = Buffer.from(`${kept.map(([name, value]) => `${name}\0${value}\0`).join("")}\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(VERSION_3, 4);
  return {
    bytes: Buffer.concat([head, body]),
    unsupported: given.map(([name]) => name).filter((name) => !POOLED.includes(name.toLowerCase())),
  };
}

/** The SQL that a message brings, as a simple query or to be prepared; `null`: none. */
export function statementIn(message: Buffer): string | null {
  const type = String.fromCharCode(message[0] ?? 0);
  if (type === "Q") return message.subarray(5, message.indexOf(0, 5)).toString("utf8");
  if (type !== "P") return null;
  const from = message.indexOf(0, 5) + 1;
  return message.subarray(from, message.indexOf(0, from)).toString("utf8");
}

/** Whole messages out of a stream; the first has no type. */
export function messages(): (chunk: Buffer) => readonly Buffer[] {
  let rest: Buffer = Buffer.alloc(0);
  let first = true;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole: Buffer[] = [];
    for (;;) {
      const at = first ? 0 : 1;
      if (rest.length < at + 4) return whole;
      const length = at + rest.readInt32BE(at);
      if (rest.length < length) return whole;
      whole.push(rest.subarray(0, length));
      rest = rest.subarray(length);
      first = false;
    }
  };
}

/** An answer that ends the session, as a pooler refuses. */
export function fatal(code: string, text: string): Buffer {
  const body = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${text}\0\0`);
  const head = Buffer.alloc(5);
  head.write("E", 0);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

/** What loses its meaning when the next transaction has another session, by the table at pgbouncer.org/features. */
const SESSION =
  /^\s*(listen|unlisten|reset|discard|prepare|deallocate|load|set\s+(?!local))\b|pg_(try_)?advisory_(?!xact|unlock)/i;
const CHANGES =
  /^\s*(begin|insert|update|delete|create|alter|drop|lock|notify)\b|\bpg_notify\(|\bfor\s+(no\s+key\s+)?update\b|\b(insert\s+into|delete\s+from|update\s+"?\w+"?\s+set)\b/i;

/** Why this must not go through the pooler that only reads go through; `null`: it may. */
export const wrongThroughPooler = (sql: string): string | null =>
  SESSION.test(sql) ? "it belongs to a session" : CHANGES.test(sql) ? "it changes or locks something" : null;
