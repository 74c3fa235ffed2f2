import { describe, expect, test } from "vitest";
import { databasePlace, type GivenPlace } from "#db/place.ts";

const HOST = "ep-quiet-dew-a1b2c3d4";
const DOMAIN = "c-2.eu-central-1.aws.neon.tech";
const direct = `postgres://ana:secret@${HOST}.${DOMAIN}/shop?sslmode=require`;
const pooled = `postgres://ana:secret@${HOST}-pooler.${DOMAIN}/shop?sslmode=require`;
const neon = { kind: "postgres", driver: "neon", url: direct, pooledUrl: pooled, proxy: null };

const UNDERSTOOD: Record<string, [GivenPlace, object]> = {
  "Neon's direct URL tells the pooled one": [{ url: direct }, neon],
  "Neon's pooled URL tells the direct one": [{ url: pooled }, neon],
  "a name that is written in capitals is the same name": [
    { url: direct.replace(HOST, HOST.toUpperCase()) },
    { driver: "neon", pooledUrl: pooled },
  ],
  "both said, neither is derived": [{ url: pooled, directUrl: direct, pooledUrl: pooled }, neon],
  "reads may go to the direct address too, when somebody says so": [
    { url: direct, pooledUrl: direct },
    { ...neon, pooledUrl: direct },
  ],
  "any other server is spoken to over TCP": [
    { url: "postgres://me@db.example.com/shop" },
    { kind: "postgres", driver: "pg", url: "postgres://me@db.example.com/shop", pooledUrl: null, proxy: null },
  ],
  "a name that ends like Neon's is not Neon's": [
    { url: "postgres://me@ep-a.notneon.tech/shop" },
    { kind: "postgres", driver: "pg", url: "postgres://me@ep-a.notneon.tech/shop", pooledUrl: null, proxy: null },
  ],
  "another server may have a pooler beside it": [
    { url: "postgres://me@db.example.com/shop", pooledUrl: "postgres://me@db.example.com:6432/shop" },
    { kind: "postgres", driver: "pg", pooledUrl: "postgres://me@db.example.com:6432/shop" },
  ],
  "a proxy of one's own is gone through to any server": [
    { url: "postgres://me@db/shop", proxy: "ws://proxy:8080/v1" },
    { kind: "postgres", driver: "neon", url: "postgres://me@db/shop", pooledUrl: null, proxy: "ws://proxy:8080/v1" },
  ],
  "a folder is an embedded database": [{ url: "pglite:./here" }, { kind: "pglite", folder: "./here" }],
  "and may be none": [{ url: "pglite:memory" }, { kind: "pglite", folder: null }],
};

const REFUSED: Record<string, [GivenPlace, RegExp]> = {
  "a host of Neon's that is no endpoint": [
    { url: "postgres://ana:secret@pg.neon.tech/shop" },
    /^DATABASE_URL names pg\.neon\.tech, which is no endpoint of a Neon project: copy/,
  ],
  "a port that Neon does not have": [
    { url: direct.replace("/shop", ":6432/shop") },
    /^DATABASE_URL names port 6432, and Neon answers on 5432 alone/,
  ],
  "no password": [{ url: direct.replace(":secret", "") }, /^DATABASE_URL lacks a user, a password or a database/],
  "no database": [{ url: direct.replace("/shop", "/") }, /^DATABASE_URL lacks a user, a password or a database/],
  "the pooler as the direct address": [
    { url: direct, directUrl: pooled },
    /^DATABASE_DIRECT_URL names Neon's pooler, which cannot listen or hold a lock: take "-pooler" out/,
  ],
  "reads from a replica": [
    { url: direct, pooledUrl: pooled.replace("a1b2c3d4", "e5f6") },
    /^DATABASE_POOLED_URL names another endpoint.*a replica lags behind$/,
  ],
  "two endpoints": [
    { url: pooled, directUrl: direct.replace("a1b2c3d4", "e5f6") },
    /^DATABASE_DIRECT_URL names another endpoint/,
  ],
  "two databases": [{ url: direct, pooledUrl: pooled.replace("/shop", "/other") }, /name different databases$/],
  "what is no URL": [{ url: direct, pooledUrl: "nonsense" }, /^DATABASE_POOLED_URL is not postgres:\/\//],
  "a pooler of a database that is embedded": [
    { url: "pglite:./here", pooledUrl: pooled },
    /^DATABASE_POOLED_URL is about a Postgres server, and the database is embedded/,
  ],
  "a proxy to a database that is embedded": [
    { url: "pglite:./here", proxy: "ws://proxy" },
    /^NEON_WS_PROXY is about a Postgres server/,
  ],
};

describe("where the database is", () => {
  test.each(Object.entries(UNDERSTOOD))("%s", (_, [given, place]) => {
    expect(databasePlace(given)).toMatchObject(place);
  });

  test.each(Object.entries(REFUSED))("%s is refused, with the way out and without the password", (_, [given, why]) => {
    const problem = databasePlace(given);
    expect(problem).toMatch(why);
    expect(problem).not.toContain("secret");
  });
});
