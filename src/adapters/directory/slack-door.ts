import type { Installations } from "#ports/workspaces.ts";
import type { SlackAccessOptions } from "./slack-access.ts";
import type { WorkspaceTokens } from "./slack-tokens.ts";

/** Which installation a request of Slack's is for, by its envelope. */
interface Claimed {
  readonly workspace: string;
  /** `null`: none is named. */
  readonly enterprise: string | null;
  readonly orgWide: boolean;
}

/** Far more than organisations that one workspace moves through. */
const SAID_MOST = 1_000;

/**
 * Holds what a request says of its installation to the row of that workspace. "shut": there is no such row, it is off the
 * list, or the request names another organisation than the one that the list was read for. "blocked": no key opens its tokens.
 */
export function slackDoor(o: {
  readonly workspace: WorkspaceTokens["workspace"];
  readonly isAllowed: Installations["isAllowed"];
  readonly log: SlackAccessOptions["log"];
}): (claimed: Claimed) => Promise<"open" | "shut" | "blocked"> {
  const said = new Set<string>();

  function sayOnce(message: string, { workspace, enterprise }: Claimed): void {
    const what = `${message} ${workspace} ${enterprise}`;
    if (said.has(what) || said.size >= SAID_MOST) return;
    said.add(what);
    o.log(message, { level: "error", workspace, enterprise });
  }

  return async (claimed) => {
    const known = await o.workspace(claimed.workspace);
    if (known === null || !o.isAllowed(known.workspace)) return "shut";
    if (claimed.orgWide) {
      sayOnce("requests for an installation of a whole organisation are dropped", claimed);
      return "shut";
    }
    if (claimed.enterprise !== null && claimed.enterprise !== known.workspace.enterprise) {
      sayOnce("requests from a workspace name another organisation than its installation, and are dropped", claimed);
      return "shut";
    }
    return known.opens ? "open" : "blocked";
  };
}
