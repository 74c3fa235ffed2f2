import type { SQL } from "drizzle-orm";
import type { OutboxRow, OutboxStore } from "#runs/stores.ts";
import { and, eq, gt, inArray, isNull, lt, lte, or, sql } from "./drizzle.ts";
import { announce } from "./events.ts";
import { outbox } from "./schema/work.ts";
import { asDb, type Db, outside } from "./store.ts";

/** What a person waits for comes first, and before it the sign that they were heard. */
const URGENT = ["heard", "approval", "question", "blocked", "status", "outcome", "receipt"];

const inMs = (ms: number): SQL<Date> => sql`clock_timestamp() + ${ms} * interval '1 millisecond'`;

export function outboxStore(db: Db, orgId: string): OutboxStore {
  return {
    async want(tx, row, o) {
      const { key, runId, place, kind, subject } = row;
      // An edit may be tried at any time. A post that may have got through must not: whoever tries it next has to come
      // late enough to find it.
      const now = sql`date_trunc('milliseconds', clock_timestamp())`;
      const notBefore = sql`case when ${outbox.messageId} is null then ${outbox.notBefore} else ${now} end`;
      await asDb(tx)
        .insert(outbox)
        .values({ key, orgId, runId, ...place, kind, subject })
        .onConflictDoUpdate({
          target: outbox.key,
          set: {
            version: sql`${outbox.version} + 1`,
            // The time of the oldest wish that is not met yet.
            wantedAt: sql`case when ${outbox.version} > ${outbox.shownVersion} then ${outbox.wantedAt} else clock_timestamp() end`,
            ...(o?.patient === true ? {} : { notBefore }),
          },
        });
      await announce(asDb(tx), runId);
    },
    async due(claimMs, limit) {
      const free = outside(db);
      const kind = sql`case when ${outbox.kind} = 'status' and ${outbox.messageId} is null then 'heard' else ${outbox.kind} end`;
      const urgency = sql`array_position(${sql.param(URGENT)}::text[], ${kind})`;
      const ready = free.$with("ready").as(
        free
          .select({ key: outbox.key })
          .from(outbox)
          .where(
            and(
              eq(outbox.orgId, orgId),
              gt(outbox.version, outbox.shownVersion),
              or(isNull(outbox.claimedUntil), lt(outbox.claimedUntil, sql`clock_timestamp()`)),
              or(isNull(outbox.notBefore), lte(outbox.notBefore, sql`clock_timestamp()`)),
            ),
          )
          .orderBy(sql`${urgency} nulls last`, outbox.wantedAt)
          .limit(limit)
          .for("update", { skipLocked: true }),
      );
      const rows = await free
        .with(ready)
        .update(outbox)
        .set({ claimedUntil: inMs(claimMs), notBefore: null })
        .where(inArray(outbox.key, free.select({ key: ready.key }).from(ready)))
        .returning();
      const rank = (kind: string) => (URGENT.includes(kind) ? URGENT.indexOf(kind) : URGENT.length);
      const kindOf = (row: typeof outbox.$inferSelect) =>
        row.kind === "status" && row.messageId === null ? "heard" : row.kind;
      rows.sort((a, b) => rank(kindOf(a)) - rank(kindOf(b)) || a.wantedAt.getTime() - b.wantedAt.getTime());
      return rows.map(toRow);
    },
    async shown(key, version, messageId) {
      const shownVersion = sql<number>`greatest(${outbox.shownVersion}, ${version})`;
      const [row] = await outside(db)
        .update(outbox)
        .set({ shownVersion, messageId, claimedUntil: null, notBefore: null })
        .where(eq(outbox.key, key))
        .returning({ overtaken: gt(outbox.version, outbox.shownVersion) });
      return row?.overtaken === true;
    },
    async later(key, afterMs) {
      // A claim takes the time away: one that is there now is of a wish that came since.
      const [row] = await outside(db)
        .update(outbox)
        .set({ claimedUntil: null, notBefore: sql`coalesce(${outbox.notBefore}, ${inMs(afterMs)})` })
        .where(eq(outbox.key, key))
        .returning({ due: lte(outbox.notBefore, sql`clock_timestamp()`) });
      return row?.due === true;
    },
    async get(key) {
      const [row] = await outside(db).select().from(outbox).where(eq(outbox.key, key));
      return row ? toRow(row) : null;
    },
  };
}

function toRow(row: typeof outbox.$inferSelect): OutboxRow {
  return {
    key: row.key,
    runId: row.runId,
    place: { provider: row.provider, workspace: row.workspace, channel: row.channel, thread: row.thread },
    kind: row.kind,
    subject: row.subject,
    version: row.version,
    shownVersion: row.shownVersion,
    messageId: row.messageId,
  };
}
