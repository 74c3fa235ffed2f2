import type { CursorStore } from "#runs/stores.ts";
import { and, eq, lt, sql } from "./drizzle.ts";
import { cursors } from "./schema/work.ts";
import { asDb, type Db, reading } from "./store.ts";

export function cursorStore(db: Db, orgId: string): CursorStore {
  return {
    async get(name) {
      const [row] = await reading(db)
        .select({ position: cursors.position })
        .from(cursors)
        .where(and(eq(cursors.orgId, orgId), eq(cursors.name, name)));
      return row?.position ?? 0;
    },
    advance: (tx, name, to) => advance(asDb(tx), orgId, name, to),
  };
}

/** Only forward; a second caller waits for the first one's transaction, and then finds out. */
export async function advance(db: Db, orgId: string, name: string, to: number): Promise<boolean> {
  if (to <= 0) return false;
  const moved = await db
    .insert(cursors)
    .values({ orgId, name, position: to })
    .onConflictDoUpdate({
      target: [cursors.orgId, cursors.name],
      set: { position: to, at: sql`clock_timestamp()` },
      setWhere: lt(cursors.position, to),
    })
    .returning({ name: cursors.name });
  return moved.length > 0;
}
