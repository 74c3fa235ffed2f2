import { groupOf, type Policy } from "#policy/policy.ts";
import type { PolicyForge } from "#ports/policy-forge.ts";
import type { Core } from "#runs/core.ts";
import { sameAccount } from "#runs/seat.ts";

/**
 * Whether a commit of the policy's branch counts: the branch is protected, and enough of the owners that the policy in force
 * names approved it, as they are now. `null`: it does; else why not, as a sentence that begins small. Throws when the forge
 * or the directory cannot be asked: then nothing changes. `forge`: `null` when this version has no way to ask it.
 */
export async function agreed(
  core: Pick<Core, "directory">,
  at: { readonly forge: PolicyForge | null; readonly branch: string; readonly workspace: string },
  oid: string,
  inForce: Policy,
): Promise<string | null> {
  const { forge, branch, workspace } = at;
  if (forge === null) {
    return "this forge cannot be asked who approved it, so no change counts: configure its GitHub App if it is GitHub, or check the commit out into a folder and name that folder in COUNTERSIGN_POLICIES";
  }
  const { owners } = inForce;
  const group = owners === null ? null : groupOf(inForce, owners.from);
  if (owners === null || group === null) {
    return "the policy in force names no owners who could agree: begin anew from a policy with owners: {from: group:…}";
  }
  const backing = await forge.backing(branch, oid);
  if (backing === null) return `it is not the merge of a pull request into ${branch}`;
  const because = (why: string) => [why, ...(backing.remarks ?? [])].join("; ");
  if (!backing.protected)
    return because(`the branch ${branch} is not protected on the forge: let nothing reach it but a pull request`);
  const members = await core.directory.members(group, workspace);
  const yes = backing.approvedBy.filter((one) => members.some((member) => sameAccount(member, one)));
  const needed = owners.quorum + (backing.unnamedAuthors ?? 0);
  if (yes.length >= needed) return null;
  return because(`${yes.length} of ${needed} needed from ${owners.from} approved it`);
}
