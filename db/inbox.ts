import type { Placeholder, SQL } from "drizzle-orm";
import type { InboxStore } from "#runs/stores.ts";
import { and, asc, eq, inArray, isNull, lt, lte, sql } from "./drizzle.ts";
import { inbox } from "./schema/work.ts";
import { asDb, type Db, outside } from "./store.ts";

/** How long a delivery is given that was kept without a claim: by the version before this one, during an upgrade. */
const UNCLAIMED_MS = 30_000;

const inMs = (ms: number | Placeholder): SQL<Date> => sql`clock_timestamp() + ${ms} * interval '1 millisecond'`;

export function inboxStore(db: Db, orgId: string): InboxStore {
  const [source, deliveryId] = [sql.placeholder("source"), sql.placeholder("deliveryId")];
  const claimedUntil = sql<Date>`coalesce(${inbox.claimedUntil}, ${inbox.receivedAt} + ${UNCLAIMED_MS} * interval '1 millisecond')`;
  const insert = db
    .insert(inbox)
    .values({
      ...{ orgId, source, deliveryId, body: sql.placeholder("body") },
      claimedUntil: inMs(sql.placeholder("claimMs")),
    })
    .onConflictDoNothing()
    .returning({ at: inbox.receivedAt })
    .prepare("inbox_insert");
  const done = db
    .update(inbox)
    .set({ doneAt: sql`clock_timestamp()` })
    .where(and(eq(inbox.source, source), eq(inbox.deliveryId, deliveryId), isNull(inbox.doneAt)))
    .prepare("inbox_done");
  return {
    async insertOnce(source, deliveryId, body, claimMs) {
      outside(db);
      return (await insert.execute({ source, deliveryId, body, claimMs })).length > 0;
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
    async hold(source, deliveryIds, claimMs) {
      await outside(db)
        .update(inbox)
        .set({ claimedUntil: sql`greatest(${inbox.claimedUntil}, ${inMs(claimMs)})` })
        .where(and(eq(inbox.source, source), inArray(inbox.deliveryId, [...deliveryIds]), isNull(inbox.doneAt)));
    },
    async later(source, deliveryId, afterMs) {
      await outside(db)
        .update(inbox)
        .set({ claimedUntil: inMs(afterMs) })
        .where(and(eq(inbox.source, source), eq(inbox.deliveryId, deliveryId), isNull(inbox.doneAt)));
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
    async unfinished(source, claimMs, limit) {
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
              lte(claimedUntil, sql`clock_timestamp()`),
            ),
          )
          .orderBy(asc(inbox.receivedAt))
          .limit(limit)
          .for("update", { skipLocked: true }),
      );
      const rows = await free
        .with(open)
        .update(inbox)
        .set({ claimedUntil: inMs(claimMs) })
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
