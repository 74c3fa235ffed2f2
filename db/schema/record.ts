import { integer, json, pgTable, primaryKey, text, unique, uuid } from "#db/drizzle.ts";
import type { EventBody } from "#runs/event.ts";
import { org, time } from "./orgs.ts";
import { run, runs } from "./runs.ts";

/** Where a run's record stands. Appending locks this row: it is the order, the chain and the fence in one. */
export const runHeads = pgTable("run_heads", {
  orgId: org(),
  runId: uuid("run_id")
    .primaryKey()
    .references(() => runs.id),
  seq: integer("seq").notNull().default(0),
  hash: text("hash").notNull(),
  epoch: integer("epoch").notNull().default(0),
  at: time("at").notNull().defaultNow(),
});

export const runEvents = pgTable(
  "run_events",
  {
    orgId: org(),
    runId: run(),
    seq: integer("seq").notNull(),
    at: time("at").notNull(),
    hash: text("hash").notNull(),
    /** `json`, not `jsonb`: agents print NUL and half surrogates, which `jsonb` refuses; the hash covers them. */
    body: json("body").$type<EventBody>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.runId, t.seq] })],
);

/** One line per ended run, chained, so that a run that was deleted leaves a gap. */
export const installationHeads = pgTable(
  "installation_heads",
  {
    orgId: org(),
    seq: integer("seq").notNull(),
    runId: uuid("run_id").notNull(),
    runSeq: integer("run_seq").notNull(),
    runHash: text("run_hash").notNull(),
    hash: text("hash").notNull(),
    at: time("at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.orgId, t.seq] }), unique("installation_heads_run").on(t.runId)],
);

export const receipts = pgTable("receipts", {
  orgId: org(),
  runId: uuid("run_id")
    .primaryKey()
    .references(() => runs.id),
  envelope: text("envelope").notNull(),
  at: time("at").notNull().defaultNow(),
});
