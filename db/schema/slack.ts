import { index, json, pgTable, primaryKey, text } from "#db/drizzle.ts";
import { org, time } from "./orgs.ts";

/** Workspaces that have installed the app. Tokens are sealed before they come here: see `adapters/secrets/seal.ts`. */
export const slackWorkspaces = pgTable(
  "slack_workspaces",
  {
    orgId: org(),
    id: text("id").notNull(),
    enterprise: text("enterprise"),
    name: text("name").notNull(),
    url: text("url"),
    botUserId: text("bot_user_id").notNull(),
    botId: text("bot_id").notNull(),
    scopes: json("scopes").$type<readonly string[]>().notNull(),
    installedBy: text("installed_by").notNull(),
    installedAt: time("installed_at").notNull().defaultNow(),
    keyId: text("key_id").notNull(),
    access: text("access").notNull(),
    refresh: text("refresh"),
    expiresAt: time("expires_at"),
    lost: text("lost"),
  },
  (t) => [primaryKey({ columns: [t.orgId, t.id] })],
);

/** Installations under way. Only digests are here: of what the address carries, and of what the browser holds. */
export const slackInstalls = pgTable(
  "slack_installs",
  {
    orgId: org(),
    state: text("state").notNull(),
    browser: text("browser").notNull(),
    expiresAt: time("expires_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.orgId, t.state] }), index("slack_installs_expires").on(t.expiresAt)],
);
