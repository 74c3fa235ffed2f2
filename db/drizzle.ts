import { createRequire } from "node:module";

/**
 * The query builder, from its CommonJS build. Its ES modules import each other in circles, and linking them costs
 * Node 24 about 900 ms and 250 MB at every start; this costs 130 ms and 25 MB (drizzle-orm 0.45.4, measured alone).
 */
const require = createRequire(import.meta.url);

const core: typeof import("drizzle-orm") = require("drizzle-orm");
const pg: typeof import("drizzle-orm/pg-core") = require("drizzle-orm/pg-core");

export const { and, asc, count, desc, eq, gt, gte, inArray, isNotNull, isNull, lt, lte, ne, notInArray, or, sql } =
  core;
export const {
  alias,
  bigint,
  boolean,
  doublePrecision,
  index,
  integer,
  json,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} = pg;

export const { drizzle: overPg }: typeof import("drizzle-orm/node-postgres") = require("drizzle-orm/node-postgres");
export const { readMigrationFiles }: typeof import("drizzle-orm/migrator") = require("drizzle-orm/migrator");

/** The embedded database and its driver: another 26 MB, which a process on Postgres does not load. */
export function loadPglite(): {
  PGlite: typeof import("@electric-sql/pglite").PGlite;
  parse: typeof import("@electric-sql/pglite").parse;
  protocol: typeof import("@electric-sql/pglite").protocol;
  overPglite: typeof import("drizzle-orm/pglite").drizzle;
} {
  const { PGlite, parse, protocol }: typeof import("@electric-sql/pglite") = require("@electric-sql/pglite");
  const { drizzle: overPglite }: typeof import("drizzle-orm/pglite") = require("drizzle-orm/pglite");
  return { PGlite, parse, protocol, overPglite };
}

/**
 * Neon's driver and what goes over it, for a process whose database is there. From its CommonJS build too: the other
 * one would be a second copy, whose pools the builder takes for none.
 */
export function loadNeon(): {
  Client: typeof import("@neondatabase/serverless").Client;
  Pool: typeof import("@neondatabase/serverless").Pool;
  overNeon: typeof import("drizzle-orm/neon-serverless").drizzle;
} {
  const { Client, Pool }: typeof import("@neondatabase/serverless") = require("@neondatabase/serverless");
  const { drizzle: overNeon }: typeof import("drizzle-orm/neon-serverless") = require("drizzle-orm/neon-serverless");
  return { Client, Pool, overNeon };
}
