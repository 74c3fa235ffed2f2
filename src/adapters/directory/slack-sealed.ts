import type { Seal } from "#adapters/secrets/seal.ts";
import type { Secret } from "#ports/secret.ts";
import type { InstalledWorkspace, SealedTokens } from "#ports/workspaces.ts";
import type { SlackTokens } from "./slack-oauth.ts";

/** Of one workspace: the pair in use and those before it, which Slack may still take for a while. */
const KNOWN_MOST = 6;

const whose = (orgId: string, id: string, what: "access" | "refresh") => `slack/${orgId}/${id}/${what}`;

/** The tokens of a workspace as they were sealed. Throws `SealBroken`. */
export function openedTokens(
  seal: Pick<Seal, "open">,
  orgId: string,
  { id, tokens: { keyId, access, refresh } }: InstalledWorkspace,
): { readonly access: Secret; readonly refresh: Secret | null } {
  const opened = (text: string, what: "access" | "refresh") =>
    seal.open(text, {
      keyId,
      of: whose(orgId, id, what),
      name: what === "access" ? "slack_bot_token" : "slack_refresh_token",
    });
  return { access: opened(access, "access"), refresh: refresh === null ? null : opened(refresh, "refresh") };
}

/** The one way of tokens into rows and out of them, so that every one that was in our hands can be kept out of what people read. */
export interface SealedDoor {
  /** Throws `SealBroken`. */
  open(workspace: InstalledWorkspace): ReturnType<typeof openedTokens>;
  close(id: string, tokens: SlackTokens): SealedTokens;
  /** Tokens that come from Slack, before anything is done with them. */
  meet(id: string, tokens: Pick<SlackTokens, "access" | "refresh">): void;
  /** What passed of late. */
  secrets(): readonly Secret[];
}

/** `orgId`: whose rows they are: a sealed token opens in its own organisation's row alone. */
export function sealedDoor(o: { readonly seal: Seal; readonly orgId: string; readonly now: () => number }): SealedDoor {
  const { seal, orgId, now } = o;
  /** By workspace, the newest last. */
  const met = new Map<string, readonly Secret[]>();

  function meet(id: string, { access, refresh }: Pick<SlackTokens, "access" | "refresh">): void {
    const fresh = refresh === null ? [access] : [access, refresh];
    const again = (one: Secret) => fresh.some((token) => token.reveal() === one.reveal());
    met.set(id, [...(met.get(id) ?? []).filter((one) => !again(one)), ...fresh].slice(-KNOWN_MOST));
  }

  return {
    open(workspace) {
      const opened = openedTokens(seal, orgId, workspace);
      meet(workspace.id, opened);
      return opened;
    },
    close(id, tokens) {
      const { access, refresh, goodForMs } = tokens;
      meet(id, tokens);
      return {
        keyId: seal.keyId,
        access: seal.seal(access, whose(orgId, id, "access")),
        refresh: refresh === null ? null : seal.seal(refresh, whose(orgId, id, "refresh")),
        expiresAt: goodForMs === null ? null : new Date(now() + goodForMs),
        lost: null,
      };
    },
    meet,
    secrets: () => [...met.values()].flat(),
  };
}
