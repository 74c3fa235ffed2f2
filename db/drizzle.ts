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
