import type { Secret } from "#ports/secret.ts";
import { isAllowed } from "./slack-installations.ts";
import { type SlackGrant, type SlackOauth, SlackRefused } from "./slack-oauth.ts";
import type { WorkspaceTokens } from "./slack-tokens.ts";

/** What came of an installation. */
export type Installed =
  | { readonly kind: "installed"; readonly id: string; readonly name: string; readonly scopes: readonly string[] }
  /** For a whole organisation at once, which has no one workspace to work in. */
  | { readonly kind: "org_wide" }
  /** Not one of those that may. The app was taken out again, unless `left` says that Slack did not take that. */
  | { readonly kind: "not_allowed"; readonly id: string; readonly name: string; readonly left: boolean }
  /** Slack's word for why it grants nothing. */
  | { readonly kind: "refused"; readonly why: string };

/**
 * Turns the code that a browser brought back into an installation that is kept. Throws `SlackSilent` when Slack does not answer:
 * nothing is kept then, and the code may be used up.
 */
export function slackInstaller(o: {
  readonly oauth: SlackOauth;
  readonly tokens: Pick<WorkspaceTokens, "keep" | "meet">;
  /** Ids of workspaces and organisations. */
  readonly allowed: readonly string[];
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}): (code: string) => Promise<Installed> {
  const { oauth, tokens, allowed, log } = o;

  /** `false`: it is still there, and its token is nowhere. */
  async function takenOut(access: Secret): Promise<boolean> {
    try {
      await oauth.uninstall(access);
      return true;
    } catch (error) {
      log("an installation that is not allowed could not be taken back", { level: "error", error: String(error) });
      return false;
    }
  }

  async function keep(grant: SlackGrant): Promise<Installed> {
    const { workspace, scopes, installedBy, access, refresh, goodForMs } = grant;
    tokens.meet(grant);
    if (grant.orgWide || workspace === null) {
      await takenOut(access);
      return { kind: "org_wide" };
    }
    const notAllowed = async (): Promise<Installed> => ({
      ...{ kind: "not_allowed", ...workspace, left: !(await takenOut(access)) },
    });
    if (!isAllowed(allowed, { id: workspace.id, enterprise: grant.enterprise })) return notAllowed();
    // What the token is good for decides, and not what came along with it.
    const { botUserId, botId, url, enterprise, orgWide, workspace: id } = await oauth.identity(access);
    if (orgWide) {
      await takenOut(access);
      return { kind: "org_wide" };
    }
    if (id !== workspace.id) {
      await takenOut(access);
      return { kind: "refused", why: "team_mismatch" };
    }
    if (!isAllowed(allowed, { id, enterprise })) return notAllowed();
    await tokens.keep(
      { ...workspace, enterprise, url, botUserId, botId, scopes, installedBy },
      { access, refresh, goodForMs },
    );
    log("a workspace has installed the app", { workspace: id, by: installedBy, scopes: scopes.length });
    return { kind: "installed", ...workspace, scopes };
  }

  return async (code) => {
    try {
      return await keep(await oauth.exchange(code));
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      return { kind: "refused", why: error.code };
    }
  };
}
