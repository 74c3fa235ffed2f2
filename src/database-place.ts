import path from "node:path";
import { z } from "zod";
import { type DatabasePlace, databasePlace } from "#db/place.ts";

/** The variables that say where the database is, each with its sentence. */
export const databaseSettings = {
  DATABASE_URL: z
    .string()
    .regex(
      /^(postgres(ql)?:\/\/|pglite:)/,
      "must begin with postgres:// (or be unset: then an embedded database is used)",
    )
    .optional()
    .describe("Postgres to use, Neon's too; an embedded database in the data folder when absent."),
  DATABASE_DIRECT_URL: z
    .string()
    .optional()
    .describe("The same database past any pooler, for jobs, locks and migrations; at Neon DATABASE_URL tells it."),
  DATABASE_POOLED_URL: z
    .string()
    .optional()
    .describe("The same database through a transaction pooler, for reads; at Neon DATABASE_URL tells it."),
  DATABASE_CONNECTIONS: z.coerce
    .number({ error: "is not a number" })
    .int()
    .min(2)
    .max(1_000)
    .default(10)
    .describe("Most connections of a process to Postgres; one more listens."),
  NEON_WS_PROXY: z
    .url({ protocol: /^wss?$/, error: "is not a ws:// or wss:// URL" })
    .optional()
    .describe("WebSocket proxy of your own that Neon's driver goes through, whatever the host of DATABASE_URL is."),
} as const;

/** An embedded database in `dataDir` where nothing else is said. A text: what is wrong. */
export const databaseOf = (
  e: {
    readonly DATABASE_URL?: string | undefined;
    readonly DATABASE_DIRECT_URL?: string | undefined;
    readonly DATABASE_POOLED_URL?: string | undefined;
    readonly NEON_WS_PROXY?: string | undefined;
  },
  dataDir: string,
): DatabasePlace | string =>
  databasePlace({
    url: e.DATABASE_URL ?? `pglite:${path.join(dataDir, "database")}`,
    directUrl: e.DATABASE_DIRECT_URL,
    pooledUrl: e.DATABASE_POOLED_URL,
    proxy: e.NEON_WS_PROXY,
  });
