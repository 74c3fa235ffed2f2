import { integer, json, pgEnum, pgTable, primaryKey, sql, text, unique, uniqueIndex, uuid } from "#db/drizzle.ts";
import { APPROVAL_STATES, GATES, type OpenAsk } from "#runs/approval.ts";
import { org, people, time } from "./orgs.ts";
import { run } from "./runs.ts";

export const approvalState = pgEnum("approval_state", APPROVAL_STATES);
export const gate = pgEnum("gate", GATES);
export const choice = pgEnum("choice", ["approve", "deny"]);

export const approvals = pgTable(
  "approvals",
  {
    id: uuid("id").primaryKey(),
    orgId: org(),
    runId: run(),
    gate: gate("gate").notNull(),
    digest: text("digest").notNull(),
    subject: json("subject").$type<Readonly<Record<string, unknown>>>().notNull(),
    asks: json("asks").$type<readonly OpenAsk[]>().notNull(),
    status: approvalState("status").notNull().default("pending"),
    askNo: integer("ask_no").notNull(),
    openedAt: time("opened_at").notNull().defaultNow(),
    expiresAt: time("expires_at").notNull(),
    closedAt: time("closed_at"),
  },
  (t) => [
    uniqueIndex("approvals_pending").on(t.runId, t.gate, t.digest).where(sql`${t.status} = 'pending'`),
    unique("approvals_ask").on(t.runId, t.gate, t.digest, t.askNo),
  ],
);

export const approvalVotes = pgTable(
  "approval_votes",
  {
    orgId: org(),
    approvalId: uuid("approval_id")
      .notNull()
      .references(() => approvals.id),
    personId: uuid("person_id")
      .notNull()
      .references(() => people.id),
    personName: text("person_name").notNull(),
    provider: text("provider").notNull(),
    workspace: text("workspace").notNull(),
    externalId: text("external_id").notNull(),
    choice: choice("choice").notNull(),
    reason: text("reason"),
    at: time("at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.approvalId, t.personId] })],
);
