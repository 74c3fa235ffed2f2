import type { ReceiptStore } from "#runs/stores.ts";
import { eq } from "./drizzle.ts";
import { isId } from "./fence.ts";
import { receipts } from "./schema/record.ts";
import { asDb, type Db, reading } from "./store.ts";

export function receiptStore(db: Db, orgId: string): ReceiptStore {
  return {
    async put(tx, runId, envelope) {
      const to = asDb(tx);
      await to.insert(receipts).values({ orgId, runId, envelope }).onConflictDoNothing();
      const [row] = await to.select({ envelope: receipts.envelope }).from(receipts).where(eq(receipts.runId, runId));
      if (row?.envelope !== envelope) throw new Error(`Run ${runId} has another receipt already.`);
    },
    async get(runId) {
      if (!isId(runId)) return null;
      const [row] = await reading(db).select().from(receipts).where(eq(receipts.runId, runId));
      return row?.envelope ?? null;
    },
  };
}
