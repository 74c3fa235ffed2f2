import { restorePolicy } from "#policy/archive.ts";
import type { PolicyArchive } from "#runs/stores.ts";
import { and, eq } from "./drizzle.ts";
import { policies } from "./schema/orgs.ts";
import { asDb, type Db, outside } from "./store.ts";

export function policyArchive(db: Db, orgId: string): PolicyArchive {
  return {
    async keep(tx, policy) {
      await asDb(tx).insert(policies).values({ orgId, digest: policy.digest, policy }).onConflictDoNothing();
    },
    async get(digest) {
      const [row] = await outside(db)
        .select({ policy: policies.policy })
        .from(policies)
        .where(and(eq(policies.orgId, orgId), eq(policies.digest, digest)));
      return row ? restorePolicy(row.policy) : null;
    },
  };
}
