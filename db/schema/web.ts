import { index, pgTable, primaryKey, text } from "#db/drizzle.ts";
import { org, time } from "./orgs.ts";

/** Browsers in which somebody has signed in. What the browser holds is not here: only its digest. */
export const sessions = pgTable(
  "sessions",
  {
    orgId: org(),
    digest: text("digest").notNull(),
    provider: text("provider").notNull(),
    workspace: text("workspace").notNull(),
    externalId: text("external_id").notNull(),
    expiresAt: time("expires_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.orgId, t.digest] }), index("sessions_expires").on(t.expiresAt)],
);
