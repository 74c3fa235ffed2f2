import {
  bigint,
  index,
  integer,
  json,
  pgEnum,
  pgTable,
  primaryKey,
  sql,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "#db/drizzle.ts";
import { org, time } from "./orgs.ts";
import { run, runs } from "./runs.ts";

export const effectState = pgEnum("effect_state", ["intent", "done"]);
export const sandboxState = pgEnum("sandbox_state", ["intent", "ready", "gone"]);

export const inbox = pgTable(
  "inbox",
  {
    orgId: org(),
    source: text("source").notNull(),
    deliveryId: text("delivery_id").notNull(),
    body: json("body").$type<unknown>().notNull(),
    receivedAt: time("received_at").notNull().defaultNow(),
    claimedUntil: time("claimed_until"),
    doneAt: time("done_at"),
  },
  (t) => [
    primaryKey({ columns: [t.source, t.deliveryId] }),
    index("inbox_open").on(t.receivedAt).where(sql`${t.doneAt} is null`),
  ],
);

export const effects = pgTable(
  "effects",
  {
    key: text("key").primaryKey(),
    orgId: org(),
    runId: run(),
    state: effectState("state").notNull().default("intent"),
    result: json("result").$type<unknown>(),
    epoch: integer("epoch").notNull(),
    /** How often the act was entered: more than one means that a look-up came before it. */
    attempts: integer("attempts").notNull().default(1),
    intendedAt: time("intended_at").notNull().defaultNow(),
    doneAt: time("done_at"),
  },
  (t) => [index("effects_run").on(t.runId)],
);

export const sandboxes = pgTable(
  "sandboxes",
  {
    key: text("key").primaryKey(),
    orgId: org(),
    runId: run(),
    slot: text("slot").notNull(),
    attempt: integer("attempt").notNull(),
    providerId: text("provider_id"),
    state: sandboxState("state").notNull().default("intent"),
    epoch: integer("epoch").notNull(),
    createdAt: time("created_at").notNull().defaultNow(),
    goneAt: time("gone_at"),
  },
  (t) => [
    unique("sandboxes_attempt").on(t.runId, t.slot, t.attempt),
    uniqueIndex("sandboxes_live").on(t.runId, t.slot).where(sql`${t.state} <> 'gone'`),
  ],
);

export const outbox = pgTable(
  "outbox",
  {
    key: text("key").primaryKey(),
    orgId: org(),
    /** `null`: it belongs to no run, and `notes` has its facts under the same key. */
    runId: uuid("run_id").references(() => runs.id),
    provider: text("provider").notNull(),
    workspace: text("workspace").notNull(),
    channel: text("channel").notNull(),
    thread: text("thread").notNull(),
    kind: text("kind").notNull(),
    subject: text("subject"),
    version: integer("version").notNull().default(1),
    shownVersion: integer("shown_version").notNull().default(0),
    messageId: text("message_id"),
    wantedAt: time("wanted_at").notNull().defaultNow(),
    /** A worker that shows it now. */
    claimedUntil: time("claimed_until"),
    /** The pause before the next try; while somebody shows it, the time of a wish that does not wait for one. */
    notBefore: time("not_before"),
  },
  (t) => [
    index("outbox_run").on(t.runId, t.kind),
    index("outbox_due").on(t.wantedAt).where(sql`${t.version} > ${t.shownVersion}`),
  ],
);

/** Facts that belong to no run and outlive the process: words that wait for a choice, what the policy's owners are told. */
export const notes = pgTable(
  "notes",
  {
    orgId: org(),
    key: text("key").notNull(),
    body: json("body").$type<unknown>().notNull(),
    at: time("at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.orgId, t.key] })],
);

export const cursors = pgTable(
  "cursors",
  {
    orgId: org(),
    name: text("name").notNull(),
    position: bigint("position", { mode: "number" }).notNull(),
    at: time("at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.orgId, t.name] })],
);
