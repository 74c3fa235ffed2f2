import type { Placeholder, SQL } from "drizzle-orm";
import type { OutboxRow, OutboxStore } from "#runs/stores.ts";
import { and, eq, gt, inArray, isNull, lt, lte, or, sql } from "./drizzle.ts";
import { announce } from "./events.ts";
import { outbox } from "./schema/work.ts";
import { asDb, type Db, outside, reading, rows as rowsOf } from "./store.ts";

/** What a person waits for comes first, and before it the sign that they were heard. */
const URGENT = ["heard", "approval", "escalated", "delegated", "question", "blocked", "status", "outcome", "receipt"];

const inMs = (ms: number | Placeholder): SQL<Date> => sql`clock_timestamp() + ${ms} * interval '1 millisecond'`;

export function outboxStore(db: Db, orgId: string): OutboxStore {
  const due = prepareDue(db, orgId);
  const shown = db
    .update(outbox)
    .set({
      shownVersion: sql`greatest(${outbox.shownVersion}, ${sql.placeholder("version")})`,
      messageId: sql`${sql.placeholder("messageId")}`,
      claimedUntil: null,
      notBefore: null,
    })
    .where(eq(outbox.key, sql.placeholder("key")))
    .returning({ overtaken: gt(outbox.version, outbox.shownVersion) })
    .prepare("outbox_shown");
  // A claim takes the time away: one that is there now is of a wish that came since.
  const later = db
    .update(outbox)
    .set({ claimedUntil: null, notBefore: sql`coalesce(${outbox.notBefore}, ${inMs(sql.placeholder("afterMs"))})` })
    .where(eq(outbox.key, sql.placeholder("key")))
    .returning({ due: lte(outbox.notBefore, sql`clock_timestamp()`) })
    .prepare("outbox_later");
  return {
    async want(tx, row, o) {
      const { key, runId, place, kind, subject } = row;
      // An edit may be tried at any time. A post that may have got through must not: whoever tries it next has to come
      // late enough to find it.
      const notBefore =
        o?.patient === true
          ? sql`outbox.not_before`
          : sql`case when outbox.message_id is null then outbox.not_before
              else date_trunc('milliseconds', clock_timestamp()) end`;
      // The time of the oldest wish that is not met yet is kept.
      await asDb(tx).execute(sql`
        insert into outbox (key, org_id, run_id, provider, workspace, channel, thread, kind, subject)
        values (${key}, ${orgId}, ${runId}, ${place.provider}, ${place.workspace}, ${place.channel}, ${place.thread},
          ${kind}, ${subject})
        on conflict (key) do update set version = outbox.version + 1, not_before = ${notBefore}, wanted_at =
          case when outbox.version > outbox.shown_version then outbox.wanted_at else clock_timestamp() end`);
      await announce(asDb(tx), runId);
    },
    async claim(tx, row, claimMs) {
      const { key, runId, place, kind, subject } = row;
      const added = await asDb(tx).execute(sql`
        insert into outbox (key, org_id, run_id, provider, workspace, channel, thread, kind, subject, claimed_until)
        values (${key}, ${orgId}, ${runId}, ${place.provider}, ${place.workspace}, ${place.channel}, ${place.thread},
          ${kind}, ${subject}, ${inMs(claimMs)})
        on conflict do nothing returning version`);
      const [made] = rowsOf<{ version: number }>(added);
      return made ? { ...row, version: made.version, shownVersion: 0, messageId: null } : null;
    },
    async due(claimMs, limit) {
      outside(db);
      const rows = await due.execute({ claimMs, limit });
      const rank = (kind: string) => (URGENT.includes(kind) ? URGENT.indexOf(kind) : URGENT.length);
      const kindOf = (row: typeof outbox.$inferSelect) =>
        row.kind === "status" && row.messageId === null ? "heard" : row.kind;
      rows.sort((a, b) => rank(kindOf(a)) - rank(kindOf(b)) || a.wantedAt.getTime() - b.wantedAt.getTime());
      return rows.map(toRow);
    },
    async shown(key, version, messageId) {
      outside(db);
      const [row] = await shown.execute({ key, version, messageId });
      return row?.overtaken === true;
    },
    async later(key, afterMs) {
      outside(db);
      const [row] = await later.execute({ key, afterMs });
      return row?.due === true;
    },
    async get(key) {
      const [row] = await reading(db).select().from(outbox).where(eq(outbox.key, key));
      return row ? toRow(row) : null;
    },
    async subjects(tx, runId, kind) {
      const found = await asDb(tx)
        .selectDistinct({ subject: outbox.subject })
        .from(outbox)
        .where(and(eq(outbox.orgId, orgId), eq(outbox.runId, runId), eq(outbox.kind, kind)));
      return found.flatMap(({ subject }) => subject ?? []);
    },
  };
}

/** Claims up to `limit` messages for `claimMs`. */
function prepareDue(db: Db, orgId: string) {
  const kind = sql`case when ${outbox.kind} = 'status' and ${outbox.messageId} is null then 'heard' else ${outbox.kind} end`;
  const urgency = sql`array_position(${sql.param(URGENT)}::text[], ${kind})`;
  const ready = db.$with("ready").as(
    db
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
      .limit(sql.placeholder("limit"))
      .for("update", { skipLocked: true }),
  );
  return db
    .with(ready)
    .update(outbox)
    .set({ claimedUntil: inMs(sql.placeholder("claimMs")), notBefore: null })
    .where(inArray(outbox.key, db.select({ key: ready.key }).from(ready)))
    .returning()
    .prepare("outbox_due");
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
