import { restorePolicy } from "#policy/archive.ts";
import type { Policy } from "#policy/policy.ts";
import type { PolicyArchive } from "#runs/stores.ts";
import { and, eq, isNull } from "./drizzle.ts";
import { policies } from "./schema/orgs.ts";
import { afterCommit, asDb, type Db, reading } from "./store.ts";

/** Policies in force at once are few: the current one and what runs under way have pinned. */
const REMEMBERED = 32;

export function policyArchive(db: Db, orgId: string): PolicyArchive {
  // What a digest stands for never changes and rows are never deleted: one that was read and verified needs no second look.
  const verified = new Map<string, Policy>();
  let kept = "";
  return {
    async keep(tx, policy, sources) {
      const { digest } = policy;
      const what = sources === undefined ? digest : `${digest} with its files`;
      if (kept.startsWith(what)) return;
      const row = asDb(tx)
        .insert(policies)
        .values({ orgId, digest, policy, sources: sources ?? null });
      await (sources === undefined
        ? row.onConflictDoNothing()
        : row.onConflictDoUpdate({
            target: [policies.orgId, policies.digest],
            set: { sources },
            setWhere: isNull(policies.sources),
          }));
      afterCommit(tx, () => {
        kept = what;
      });
    },
    async sources(digest) {
      const [row] = await reading(db)
        .select({ sources: policies.sources })
        .from(policies)
        .where(and(eq(policies.orgId, orgId), eq(policies.digest, digest)));
      return row?.sources ?? null;
    },
    async get(digest) {
      const known = verified.get(digest);
      if (known) return known;
      const [row] = await reading(db)
        .select({ policy: policies.policy })
        .from(policies)
        .where(and(eq(policies.orgId, orgId), eq(policies.digest, digest)));
      if (!row) return null;
      const policy = restorePolicy(row.policy);
      const [oldest] = verified.keys();
      if (verified.size >= REMEMBERED && oldest !== undefined) verified.delete(oldest);
      verified.set(digest, policy);
      return policy;
    },
  };
}
