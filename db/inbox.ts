import type { InboxStore } from "#runs/stores.ts";
import { and, asc, eq, isNull, lt, lte, or, sql } from "./drizzle.ts";
import { inbox } from "./schema/work.ts";
import { asDb, type Db, outside } from "./store.ts";

/** Whoever claimed a delivery and died is relieved after this. */
const CLAIM_MS = 60_000;

/** `soleSince`: what came before then is left over, however young. See `Database`. */
export function inboxStore(db: Db, orgId: string, soleSince: Date | null): InboxStore {
  const [source, deliveryId] = [sql.placeholder("source"), sql.placeholder("deliveryId")];
  const insert = db
    .insert(inbox)
    .values({ orgId, source, deliveryId, body: sql.placeholder("body") })
    .onConflictDoNothing()
    .returning({ at: inbox.receivedAt })
    .prepare("inbox_insert");
  const done = db
    .update(inbox)
    .set({ doneAt: sql`clock_timestamp()` })
    .where(and(eq(inbox.source, source), eq(inbox.deliveryId, deliveryId), isNull(inbox.doneAt)))
    .prepare("inbox_done");
  return {
    async insertOnce(source, deliveryId, body) {
      outside(db);
      return (await insert.execute({ source, deliveryId, body })).length > 0;
    },
    async insertDone(tx, source, deliveryId) {
      const added = await asDb(tx)
        .insert(inbox)
        .values({ orgId, source, deliveryId, body: {}, doneAt: sql`clock_timestamp()` })
        .onConflictDoNothing()
        .returning({ at: inbox.receivedAt });
      return added.length > 0;
    },
    async done(source, deliveryId) {
      outside(db);
      await done.execute({ source, deliveryId });
    },
    async forget(source, olderThanMs, limit) {
      const free = outside(db);
      const old = free
        .select({ deliveryId: inbox.deliveryId })
        .from(inbox)
        .where(
          and(
            eq(inbox.orgId, orgId),
            eq(inbox.source, source),
            lt(inbox.doneAt, sql`clock_timestamp() - ${olderThanMs} * interval '1 millisecond'`),
          ),
        )
        .limit(limit);
      const gone = await free
        .delete(inbox)
        .where(and(eq(inbox.orgId, orgId), eq(inbox.source, source), sql`${inbox.deliveryId} in ${old}`))
        .returning({ deliveryId: inbox.deliveryId });
      return gone.length;
    },
    async unfinished(source, olderThanMs, limit) {
      const free = outside(db);
      const open = free.$with("open").as(
        free
          .select({ source: inbox.source, deliveryId: inbox.deliveryId })
          .from(inbox)
          .where(
            and(
              eq(inbox.orgId, orgId),
              eq(inbox.source, source),
              isNull(inbox.doneAt),
              or(
                lte(inbox.receivedAt, sql`clock_timestamp() - ${olderThanMs} * interval '1 millisecond'`),
                ...(soleSince === null ? [] : [lt(inbox.receivedAt, soleSince)]),
              ),
              or(isNull(inbox.claimedUntil), lt(inbox.claimedUntil, sql`clock_timestamp()`)),
            ),
          )
          .orderBy(asc(inbox.receivedAt))
          .limit(limit)
          .for("update", { skipLocked: true }),
      );
      const rows = await free
        .with(open)
        .update(inbox)
        .set({ claimedUntil: sql`clock_timestamp() + ${CLAIM_MS} * interval '1 millisecond'` })
        .where(sql`(${inbox.source}, ${inbox.deliveryId}) in (select * from open)`)
        .returning({
          source: inbox.source,
          deliveryId: inbox.deliveryId,
          body: inbox.body,
          receivedAt: inbox.receivedAt,
        });
      rows.sort((a, b) => a.receivedAt.getTime() - b.receivedAt.getTime());
      return rows.map(({ source, deliveryId, body }) => ({ source, deliveryId, body }));
    },
  };
}
