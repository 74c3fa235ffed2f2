import { type Directory, DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import type { GithubPeople } from "./github.ts";
import type { IdpFile } from "./idp.ts";

export interface JoinedOptions {
  /** Where people ask and answer: its accounts are what every group comes down to. */
  readonly workspace: Directory;
  /** `null`: not configured here. */
  readonly github: GithubPeople | null;
  readonly idp: IdpFile | null;
}

const NO_IDP = "no identity provider's file is configured here (COUNTERSIGN_IDP_FILE)";
const NO_GITHUB = "GitHub's teams cannot be read here (COUNTERSIGN_GITHUB_TOKEN)";

/**
 * Every source of groups behind one directory. The workspace knows its own; GitHub's teams become accounts of the workspace
 * by what the identity provider vouches for. Who of them is a guest, a bot or a stranger is looked at when they act.
 */
export function joinedDirectory({ workspace, github, idp }: JoinedOptions): Directory {
  async function linked(ids: readonly number[], who: string, on: string): Promise<readonly ExternalId[]> {
    if (idp === null) throw new DirectoryUnavailable(`nobody vouches for GitHub accounts: ${NO_IDP}`);
    const accounts = await idp.ofGithub(ids, on);
    if (accounts.length === 0) throw new DirectoryUnavailable(`nobody of ${who} has an account here`);
    return accounts;
  }

  return {
    account: (id) => workspace.account(id),
    channelMembers: (channel) => workspace.channelMembers(channel),
    async members(group, on) {
      if ("idp" in group) {
        if (idp === null) throw new DirectoryUnavailable(NO_IDP);
        return idp.group(group.idp, group.maxAgeMs ?? null, on);
      }
      if ("github_team" in group) {
        if (github === null) throw new DirectoryUnavailable(NO_GITHUB);
        return linked(await github.team(group.github_team), group.github_team, on);
      }
      if ("github_user" in group) {
        if (github === null) throw new DirectoryUnavailable(NO_GITHUB);
        return linked([await github.user(group.github_user)], group.github_user, on);
      }
      if ("email" in group) {
        const known = idp === null ? null : await idp.ofEmail(group.email, on);
        if (known !== null && known.length > 0) return known;
      }
      return workspace.members(group, on);
    },
  };
}
