import { CODEOWNERS_BYTES, CODEOWNERS_FILES, type CodeOwners, ownerOf, readCodeOwners } from "#policy/codeowners.ts";
import type { Ask } from "#policy/decision.ts";
import type { Policy } from "#policy/policy.ts";
import { DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import { GatewayError } from "#ports/gateway.ts";
import type { Core } from "#runs/core.ts";
import type { Run } from "#runs/run.ts";
import { isIn, type OpenAsk } from "#runs/seat.ts";

type Based = Pick<Run, "repo" | "baseOid">;

/** What the repository says of its owners at the commit the run starts from, where no run has written it; `null`: nothing. */
export async function codeOwnersOf(core: Pick<Core, "gateway">, { repo, baseOid }: Based): Promise<CodeOwners | null> {
  if (baseOid === null) throw new Error(`no base commit of ${repo} is known`);
  for (const file of CODEOWNERS_FILES) {
    try {
      const text = await core.gateway.file(repo, baseOid, file, CODEOWNERS_BYTES);
      if (text !== null) return readCodeOwners(text, file);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== "invalid") throw error;
      return { ok: false, problems: [{ at: file, message: "is too large, or no text" }] };
    }
  }
  return null;
}

/** The accounts of these owners right now, and the owners of whom none can be found. Throws when that is all of them. */
export async function accountsOf(
  core: Pick<Core, "directory">,
  workspace: string,
  owners: readonly string[],
): Promise<{ readonly members: readonly ExternalId[]; readonly unknown: readonly string[] }> {
  const members: ExternalId[] = [];
  const missing: { readonly owner: string; readonly why: string }[] = [];
  for (const owner of owners) {
    const ref = ownerOf(owner);
    try {
      if (ref === null) throw new DirectoryUnavailable(`${owner} is no owner`);
      for (const one of await core.directory.members(ref, workspace)) if (!isIn(one, members)) members.push(one);
    } catch (error) {
      if (!(error instanceof DirectoryUnavailable)) throw error;
      missing.push({ owner, why: error.message });
    }
  }
  if (missing.length === owners.length) {
    const why = missing.map((one) => `${one.owner} (${one.why})`).join(", ");
    throw new DirectoryUnavailable(`nobody is found for the code owners ${why}`);
  }
  return { members, unknown: missing.map(({ owner }) => owner) };
}

/**
 * A question to code owners as one to the owners of each set of paths: every path needs one of its own. Paths that nobody
 * owns go to whom policy asks where no rule names a group. Throws `DirectoryUnavailable` when somebody who has to be asked
 * cannot be.
 */
export async function ownersAsks(
  core: Pick<Core, "gateway" | "directory">,
  policy: Policy,
  run: Based,
  workspace: string,
  ask: Ask,
  membersOf: (group: string) => Promise<readonly ExternalId[]>,
): Promise<OpenAsk[]> {
  const read = await codeOwnersOf(core, run);
  if (read?.ok === false) {
    throw new DirectoryUnavailable(read.problems.map(({ at, message }) => `${at} ${message}`).join("; "));
  }
  const sets = Map.groupBy(ask.paths ?? [], (path) => [...new Set(read?.ownersOf(path) ?? [])].sort().join(" "));
  const asks: OpenAsk[] = [];
  for (const [key, paths] of [...sets].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const owners = key === "" ? [] : key.split(" ");
    const of = { ...ask, paths, owners };
    if (owners.length > 0) {
      asks.push({ ...of, ...(await accountsOf(core, workspace, owners)) });
      continue;
    }
    const from = policy.approvals.from ?? policy.owners?.from ?? null;
    if (from === null) {
      throw new DirectoryUnavailable(
        `nobody owns ${paths.join(", ")}, and policy names nobody to ask instead (defaults.approvals.from)`,
      );
    }
    asks.push({ ...of, from, members: await membersOf(from) });
  }
  return asks;
}
