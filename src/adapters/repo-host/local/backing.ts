import type { ExternalId } from "#ports/directory.ts";
import type { PolicyForge } from "#ports/policy-forge.ts";
import { type Ground, mustHaveRepository } from "./ground.ts";
import { readPulls } from "./pulls.ts";

/**
 * The local host as the forge of a policy: only a person's press on its pages moves a default branch, so that branch is
 * protected, and who pressed stands for the merge. It knows one approver for each pull request. `accountOf`: the account
 * behind a person of the pages; `null`: nobody that the directory knows.
 */
export function localPolicyForge(
  ground: Ground,
  repo: string,
  accountOf: (person: string) => ExternalId | null,
): PolicyForge {
  return {
    async backing(branch, oid) {
      const { defaultBranch } = await mustHaveRepository(ground, repo);
      const merged = (await readPulls(ground, repo)).find(
        ({ pull, decision }) => pull.base === branch && decision?.kind === "merged" && decision.mergeOid === oid,
      );
      if (!merged?.decision) return null;
      const account = accountOf(merged.decision.by.id);
      return { protected: branch === defaultBranch, approvedBy: account === null ? [] : [account] };
    },
  };
}
