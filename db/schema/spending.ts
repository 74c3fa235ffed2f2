import { bigint, boolean, doublePrecision, index, pgTable, primaryKey, sql, text, uuid } from "#db/drizzle.ts";
import { org, people } from "./orgs.ts";
import { runs } from "./runs.ts";

/**
 * What each run has spent, as its record says, and what it was told it may spend in all. The first is written with the
 * record's own lines, so that it is never anything else than their sum.
 */
export const runBudgets = pgTable(
  "run_budgets",
  {
    orgId: org(),
    runId: uuid("run_id")
      .primaryKey()
      .references(() => runs.id),
    spentUsd: doublePrecision("spent_usd").notNull().default(0),
    spentTokens: bigint("spent_tokens", { mode: "number" }).notNull().default(0),
    /** `null`: it was not let start yet. */
    allottedUsd: doublePrecision("allotted_usd"),
    allottedTokens: bigint("allotted_tokens", { mode: "number" }),
    /** What it was allotted is held for it: it is at work, or what it spent there may not all be in the record yet. */
    held: boolean("held").notNull().default(false),
  },
  (t) => [index("run_budgets_held").on(t.orgId).where(sql`${t.held}`)],
);

/** The same by calendar month, UTC, for the limits of a team's and a person's month. */
export const monthSpending = pgTable(
  "month_spending",
  {
    orgId: org(),
    /** "2026-11". */
    month: text("month").notNull(),
    team: text("team").notNull(),
    /** Who asked for the runs. */
    personId: uuid("person_id")
      .notNull()
      .references(() => people.id),
    usd: doublePrecision("usd").notNull(),
    tokens: bigint("tokens", { mode: "number" }).notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.orgId, t.month, t.team, t.personId] }),
    index("month_spending_person").on(t.orgId, t.month, t.personId),
  ],
);
