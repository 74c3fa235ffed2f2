import { gitText } from "#adapters/git.ts";
import type { ExternalId } from "#ports/directory.ts";
import type { PolicyForge } from "#ports/policy-forge.ts";
import { type Ground, gitDirOf, mustHaveRepository } from "./ground.ts";
import { readPulls } from "./pulls.ts";
import type { Person } from "./records.ts";

/**
 * The local host as the forge of a policy: only a person's press on its pages moves a default branch, so that branch is
 * protected, and who pressed stands for the merge. It knows one approver for each pull request, and none when that person
 * is an author of it. `accountOf`: the account behind a person of the pages; `null`: nobody that the directory knows.
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
      const { by, headOid, baseOid } = merged.decision;
      // A press on what the branch had already makes no merge: the commit itself is the change then.
      const brought = baseOid === oid ? oid : headOid;
      const wrote = (await authorsOf(ground, repo, oid, brought)).some((author) => isBy(author, by));
      const account = wrote ? null : accountOf(by.id);
      return {
        protected: branch === defaultBranch,
        approvedBy: account === null ? [] : [account],
        ...(wrote ? { remarks: [`${by.name} merged it and is one of its authors: somebody else has to`] } : {}),
      };
    },
  };
}

interface Signature {
  readonly name: string;
  readonly email: string;
}

const COMMITS_MOST = 1_000;

/** Whoever stands in a commit that `oid` brought as author, committer or co-author. */
async function authorsOf(ground: Ground, repo: string, oid: string, brought: string): Promise<Signature[]> {
  const gitDir = gitDirOf(ground, repo);
  const parents = (await gitText(ground.git, ["rev-list", "--parents", "-n", "1", oid], { gitDir })).split(" ");
  const before = parents[1] === undefined ? [] : [`^${parents[1]}`];
  const format = "--format=%an%x00%ae%x00%cn%x00%ce%x00%B%x01";
  const log = await gitText(ground.git, ["log", `-n${COMMITS_MOST + 1}`, format, brought, ...before], { gitDir });
  const commits = log.split("\u0001").filter((one) => one.trim() !== "");
  if (commits.length > COMMITS_MOST) throw new Error(`${oid} brought more than ${COMMITS_MOST} commits`);
  return commits.flatMap((commit) => {
    const [author = "", address = "", committer = "", sender = "", message = ""] = commit.trimStart().split("\0");
    const others = [...message.matchAll(/^co-authored-by:([^<\n]*)<([^>\n]+)>/gim)];
    return [
      { name: author, email: address },
      { name: committer, email: sender },
      ...others.map(([, name = "", email = ""]) => ({ name, email })),
    ];
  });
}

/** What the host and our own runs write for a person is their id in front of an "@"; other programs know only the name. */
function isBy({ name, email }: Signature, person: Person): boolean {
  const same = (a: string, b: string) => a.trim().toLowerCase() === b.trim().toLowerCase();
  return same(email.split("@")[0] ?? "", person.id) || same(name, person.name);
}
