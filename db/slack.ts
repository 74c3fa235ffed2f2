import type { InstalledWorkspace, SealedTokens, WorkspaceStore } from "#ports/workspaces.ts";
import { and, asc, eq, gt, lt, sql } from "./drizzle.ts";
import { slackInstalls as installs, slackWorkspaces as workspaces } from "./schema/slack.ts";
import { asDb, type Db, outside, reading, store } from "./store.ts";

const now = sql`clock_timestamp()`;

/** Workspaces of Slack that have installed the app, for one organisation. */
export function slackStore(db: Db, orgId: string): WorkspaceStore {
  const mine = (id: string) => and(eq(workspaces.orgId, orgId), eq(workspaces.id, id));
  return {
    // Not where reads may go: whoever is told that a token was renewed must find the new one.
    async get(id) {
      const [row] = await outside(db).select().from(workspaces).where(mine(id));
      return row ? toWorkspace(row) : null;
    },
    all: () => slackWorkspacesOf(reading(db), orgId),
    async put({ tokens, ...about }) {
      const row = { ...about, ...tokens, scopes: [...about.scopes], installedAt: now };
      await outside(db)
        .insert(workspaces)
        .values({ orgId, ...row })
        .onConflictDoUpdate({ target: [workspaces.orgId, workspaces.id], set: row });
    },
    renew: (id, work) =>
      store(db).tx(async (tx) => {
        const [row] = await asDb(tx).select().from(workspaces).where(mine(id)).for("update");
        if (!row) return null;
        const known = toWorkspace(row);
        const tokens = await work(known);
        if (tokens !== known.tokens) await asDb(tx).update(workspaces).set(tokens).where(mine(id));
        return { ...known, tokens };
      }),
    async moved({ id, installedAt }, enterprise) {
      await outside(db)
        .update(workspaces)
        .set({ enterprise })
        .where(and(mine(id), eq(workspaces.installedAt, installedAt)));
    },
    async remove(id, before) {
      const gone = await outside(db)
        .delete(workspaces)
        .where(and(mine(id), lt(workspaces.installedAt, before)))
        .returning({ id: workspaces.id });
      return gone.length > 0;
    },
    async begin({ state, browser, ttlMs }) {
      // Whoever comes takes away what is over: it needs no sweep of its own.
      await outside(db)
        .delete(installs)
        .where(and(eq(installs.orgId, orgId), lt(installs.expiresAt, now)));
      const expiresAt = sql`clock_timestamp() + ${ttlMs} * interval '1 millisecond'`;
      await outside(db).insert(installs).values({ orgId, state, browser, expiresAt });
    },
    async redeem({ state, browser }) {
      const used = await outside(db)
        .delete(installs)
        .where(
          and(
            eq(installs.orgId, orgId),
            eq(installs.state, state),
            eq(installs.browser, browser),
            gt(installs.expiresAt, now),
          ),
        )
        .returning({ state: installs.state });
      return used.length > 0;
    },
  };
}

/** All of them, by id. */
export async function slackWorkspacesOf(db: Db, orgId: string): Promise<readonly InstalledWorkspace[]> {
  const rows = await db.select().from(workspaces).where(eq(workspaces.orgId, orgId)).orderBy(asc(workspaces.id));
  return rows.map(toWorkspace);
}

function toWorkspace(row: typeof workspaces.$inferSelect): InstalledWorkspace {
  const { orgId: _, keyId, access, refresh, expiresAt, lost, ...about } = row;
  const tokens: SealedTokens = { keyId, access, refresh, expiresAt, lost };
  return { ...about, tokens };
}
