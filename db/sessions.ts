import type { SessionStore } from "#runs/stores.ts";
import { and, eq, gt, lt, sql } from "./drizzle.ts";
import { sessions } from "./schema/web.ts";
import { type Db, outside, reading } from "./store.ts";

const now = sql`clock_timestamp()`;

export function sessionStore(db: Db, orgId: string): SessionStore {
  const mine = (digest: string) => and(eq(sessions.orgId, orgId), eq(sessions.digest, digest));
  return {
    async open({ digest, account, ttlMs }) {
      // Whoever comes takes away what is over: it needs no sweep of its own.
      await outside(db)
        .delete(sessions)
        .where(and(eq(sessions.orgId, orgId), lt(sessions.expiresAt, now)));
      await outside(db)
        .insert(sessions)
        .values({
          orgId,
          digest,
          provider: account.provider,
          workspace: account.workspace,
          externalId: account.id,
          expiresAt: sql`clock_timestamp() + ${ttlMs} * interval '1 millisecond'`,
        });
    },
    async account(digest) {
      const [row] = await reading(db)
        .select({ provider: sessions.provider, workspace: sessions.workspace, id: sessions.externalId })
        .from(sessions)
        .where(and(mine(digest), gt(sessions.expiresAt, now)));
      return row ?? null;
    },
    async end(digest) {
      await outside(db).delete(sessions).where(mine(digest));
    },
  };
}
