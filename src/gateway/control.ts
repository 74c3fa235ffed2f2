import { decideEgress } from "#policy/egress.ts";
import type { AuditLine, Changes, Gateway, Grant, Usage } from "#ports/gateway.ts";
import { GatewayError } from "#ports/gateway.ts";
import { changesBetween } from "./git/changes.ts";
import type { Git } from "./git/git.ts";
import type { Repositories } from "./git/repositories.ts";
import type { Ledger } from "./model/ledger.ts";
import type { Wall } from "./wall.ts";

/** The gateway's verbs, on the side where the state is. The admin socket and its client only carry them. */
export interface Control extends Omit<Gateway, "address"> {
  /** Audit lines before this cursor are in the record. */
  acknowledge(to: number): Promise<void>;
}

/** Answers about changes that are kept, and the longest patch in one: a run asks twice within a minute or so. */
const KEPT = 8;
const KEPT_PATCH = 2_000_000;

export function controlOf(
  wall: Wall,
  parts: { repositories: Repositories; ledger: Ledger; git: Git; certificate: string },
): Control {
  const { repositories, ledger } = parts;
  /** What lies between two commits never changes: it is asked when a run is checked and again when it is published. */
  const between = new Map<string, { readonly changes: Changes; readonly maxBytes: number }>();

  /** Narrowing is immediate: what the new grant would refuse is cut. */
  function cutRefused(grant: Grant): void {
    for (const connection of wall.connections.of(grant.sandbox)) {
      if (connection.destination === null) continue;
      const request = { ...connection.destination, method: null, path: null };
      if (decideEgress(grant.egress, request).outcome === "deny") connection.cut("narrowed");
    }
  }

  return {
    certificate: async () => parts.certificate,
    async lease() {
      wall.lease.hear();
    },
    async grant(grant) {
      await wall.grants.put(grant);
      cutRefused(grant);
    },
    async revoke(sandbox) {
      await wall.grants.revoke(sandbox);
      for (const connection of wall.connections.of(sandbox)) connection.cut("revoked");
    },
    mirror: (repo, ref) => repositories.mirror(repo, ref),
    file: (repo, oid, path, maxBytes) => repositories.file(repo, oid, path, maxBytes),
    openRepository: (run, repo, branch, at) => repositories.open(run, repo, branch, at),
    closePush: (run) => repositories.close(run),
    async changes(run, base, head, maxBytes): Promise<Changes> {
      const gitDir = repositories.find(run);
      if (!gitDir) throw new GatewayError("not_found", `run ${run} has no repository`);
      const pushing = wall.grants.ofRun(run).find((held) => held.grant.git?.branch) ?? wall.grants.ofRun(run)[0];
      const paths = pushing?.grant.git?.paths ?? [];
      const key = JSON.stringify([run, base, head, paths]);
      const known = between.get(key);
      // A whole patch is whole for whoever would take more of it.
      if (known !== undefined && maxBytes >= known.maxBytes) return known.changes;
      const changes = await changesBetween({ git: parts.git, gitDir, env: {} }, { base, head, maxBytes, paths });
      if (changes.truncated) return changes;
      const [oldest] = between.keys();
      if (between.size >= KEPT && oldest !== undefined) between.delete(oldest);
      if (changes.patch.length <= KEPT_PATCH) between.set(key, { changes, maxBytes });
      return changes;
    },
    async forget(run) {
      for (const held of wall.grants.ofRun(run)) {
        for (const connection of wall.connections.of(held.grant.sandbox)) connection.cut("forgotten");
        wall.uploads.delete(held.grant.sandbox);
      }
      await wall.grants.forget(run);
      await repositories.forget(run);
      ledger.forget(run);
    },
    async usage(run): Promise<Usage> {
      return ledger.spent(run);
    },
    acknowledge: (to) => wall.journal.acknowledge(to),
    audit: (from, signal): AsyncIterable<{ next: number; line: AuditLine }> => wall.journal.read(from, signal),
    audited: async () => wall.journal.end(),
  };
}
