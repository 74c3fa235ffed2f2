import type { WebClient } from "@slack/web-api";
import type { Installations, InstallationWord } from "#ports/workspaces.ts";
import { slackIdentity, slackRefusal } from "./slack-access.ts";
import type { WorkspaceTokens } from "./slack-tokens.ts";

/**
 * Slack's words for a token whose installation is over: https://docs.slack.dev/reference/methods/auth.test. Every other one
 * may be about us, about this minute, or new to us, and ends nothing.
 */
const GONE: readonly string[] = ["account_inactive", "token_revoked", "app_uninstalled"];
/** Also Slack's word to an app that may call from certain addresses alone, when it calls from another one. */
const REFUSED = "invalid_auth";

const wordOf = (why: string): InstallationWord => {
  if (GONE.includes(why)) return { kind: "gone", why };
  return { kind: why === REFUSED ? "refused" : "unknown", why };
};

/** Whether a workspace is one of these, by its own id or its organisation's. */
export const isAllowed = (
  allowed: readonly string[],
  of: { readonly id: string; readonly enterprise: string | null },
): boolean => allowed.includes(of.id) || (of.enterprise !== null && allowed.includes(of.enterprise));

/** What Slack and the configured list say of workspaces that installed us. */
export function slackInstallations(o: {
  readonly tokens: Pick<WorkspaceTokens, "workspace" | "forget">;
  /** Ids of workspaces and organisations. */
  readonly allowed: readonly string[];
  /** A client that bears the workspace's token. */
  readonly clientOf: (id: string) => WebClient;
  readonly now: () => number;
}): Installations {
  async function asked(id: string): Promise<InstallationWord> {
    const known = await o.tokens.workspace(id);
    if (known === null) return { kind: "gone", why: "not_installed" };
    if (!known.opens) return { kind: "sealed" };
    const { expiresAt, lost } = known.workspace.tokens;
    // Nothing is left to ask with. Slack said why when it refused the next token.
    if (expiresAt !== null && expiresAt.getTime() <= o.now() && lost !== null) return wordOf(lost);
    const { workspace, enterprise, orgWide } = await slackIdentity(o.clientOf(id));
    if (workspace !== id) return { kind: "unknown", why: `Slack says that the token is of ${workspace}` };
    return orgWide ? { kind: "unknown", why: "the token is of a whole organisation" } : { kind: "taken", enterprise };
  }
  return {
    isAllowed: (workspace) => isAllowed(o.allowed, workspace),
    async ask(id) {
      try {
        return await asked(id);
      } catch (error) {
        const why = slackRefusal(error);
        return why === null ? { kind: "unknown", why: String(error) } : wordOf(why);
      }
    },
    forget: o.tokens.forget,
  };
}
