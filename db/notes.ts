import type { NoteStore } from "#runs/stores.ts";
import { and, desc, eq, lt, sql } from "./drizzle.ts";
import { notes } from "./schema/work.ts";
import { asDb, type Db, outside, reading } from "./store.ts";

export function noteStore(db: Db, orgId: string): NoteStore {
  return {
    async keep(tx, key, body) {
      const added = await asDb(tx)
        .insert(notes)
        .values({ orgId, key, body })
        .onConflictDoNothing()
        .returning({ key: notes.key });
      return added.length > 0;
    },
    async get(key) {
      const [row] = await reading(db)
        .select({ body: notes.body, at: notes.at })
        .from(notes)
        .where(and(eq(notes.orgId, orgId), eq(notes.key, key)));
      return row ?? null;
    },
    async forget(prefix, olderThanMs, limit) {
      const free = outside(db);
      const old = free
        .select({ key: notes.key })
        .from(notes)
        .where(
          and(
            eq(notes.orgId, orgId),
            sql`starts_with(${notes.key}, ${prefix})`,
            lt(notes.at, sql`clock_timestamp() - ${olderThanMs} * interval '1 millisecond'`),
          ),
        )
        .limit(limit);
      const gone = await free
        .delete(notes)
        .where(and(eq(notes.orgId, orgId), sql`${notes.key} in ${old}`))
        .returning({ key: notes.key });
      return gone.length;
    },
    async keys(prefix, limit) {
      const found = await reading(db)
        .select({ key: notes.key })
        .from(notes)
        .where(and(eq(notes.orgId, orgId), sql`starts_with(${notes.key}, ${prefix})`))
        .orderBy(desc(notes.at), desc(notes.key))
        .limit(limit);
      return found.map(({ key }) => key).reverse();
    },
  };
}
