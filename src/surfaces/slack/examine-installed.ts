import type { WebClient } from "@slack/web-api";
import type { InstalledWorkspace } from "#ports/workspaces.ts";
import { fine, grantedTo, INSTALL_AGAIN, note, type SlackFinding, saidOf, wrong } from "./examine.ts";
import { scopesNeeded } from "./needs.ts";

export interface InstalledExamination {
  readonly workspaces: readonly InstalledWorkspace[];
  /** Ids that may install. */
  readonly allowed: readonly string[];
  readonly isAllowed: (workspace: InstalledWorkspace) => boolean;
  /** A client with the workspace's token. Throws why the token cannot be opened. */
  readonly clientOf: (workspace: InstalledWorkspace) => WebClient;
  readonly now: Date;
  /** Where the app is installed from; `null`: there is no public address. */
  readonly installUrl: string | null;
}

/** Looks at each workspace that installed the app, as it is kept and as Slack has it. Renews no token. */
export async function examineInstalled(o: InstalledExamination): Promise<readonly SlackFinding[]> {
  const here = new Set(o.workspaces.map(({ id }) => id));
  const absent = o.allowed
    .filter((id) => id.startsWith("T") && !here.has(id))
    .map((id) =>
      note(
        `workspace.absent.${id}`,
        `${id} may install the app and has not: nothing is heard there.`,
        `Open ${o.installUrl ?? "PUBLIC_URL/slack/install"} with the start link's token, and choose the workspace.`,
      ),
    );
  const found = await Promise.all(o.workspaces.map((workspace) => examineOne(o, workspace)));
  return [...found.flat(), ...absent];
}

async function examineOne(o: InstalledExamination, workspace: InstalledWorkspace): Promise<SlackFinding[]> {
  const { id, tokens, scopes } = workspace;
  const name = `${workspace.name} (${id})`;
  if (!o.isAllowed(workspace))
    return [
      wrong(
        `workspace.not_allowed.${id}`,
        `${name} has installed the app and is not in COUNTERSIGN_SLACK_WORKSPACES: everything from there is dropped.`,
        "Add its id to the list, or remove the app there.",
      ),
    ];
  let client: WebClient;
  try {
    client = o.clientOf(workspace);
  } catch (error) {
    return [
      wrong(
        `workspace.sealed.${id}`,
        `The tokens of ${name} cannot be opened: ${saidOf(error)}.`,
        "Bring the key that sealed them back in COUNTERSIGN_TOKENS_KEY_OLD, or install the app there again.",
      ),
    ];
  }
  const until = tokens.expiresAt?.toISOString() ?? "";
  const ended = tokens.expiresAt !== null && tokens.expiresAt <= o.now;
  if (tokens.lost !== null)
    return [
      wrong(
        `workspace.lost.${id}`,
        `Slack does not renew the token of ${name} any more (${tokens.lost}); it ${ended ? "ended" : "ends"} at ${until}.`,
        "Install the app there again.",
      ),
    ];
  if (ended)
    return [
      note(`workspace.ended.${id}`, `The token of ${name} ended at ${until}; its next use renews it.`, null),
      ...scopesOf(id, name, scopes),
    ];
  try {
    const granted = await grantedTo(client);
    if (!o.isAllowed({ ...workspace, enterprise: granted.enterprise }))
      return [
        wrong(
          `workspace.moved.${id}`,
          `${name} is in ${granted.enterprise ?? "no organisation"} now, and was in ${workspace.enterprise ?? "none"} when it installed the app: it is not in COUNTERSIGN_SLACK_WORKSPACES any more.`,
          "Add its own id to the list, or remove the app there.",
        ),
      ];
    return [fine(`workspace.${id}`, `The app is installed in ${name}.`), ...scopesOf(id, name, granted.scopes)];
  } catch (error) {
    return [
      wrong(
        `workspace.token.${id}`,
        `Slack does not take the token of ${name}: ${saidOf(error)}.`,
        "Install the app there again, and see that slack.com (or SLACK_API_URL) can be reached.",
      ),
    ];
  }
}

function scopesOf(id: string, name: string, granted: readonly string[]): SlackFinding[] {
  const missing = [...scopesNeeded()].filter(([scope]) => !granted.includes(scope));
  if (missing.length === 0) return [fine(`scopes.${id}`, `All bot scopes are granted in ${name}.`)];
  return missing.map(([scope, without]) =>
    wrong(
      `scope.${id}.${scope}`,
      `The bot scope ${scope} is missing in ${name}, so ${without.join("; ")}.`,
      INSTALL_AGAIN,
    ),
  );
}
