import { type Seal, SealBroken } from "#adapters/secrets/seal.ts";
import type { Secret } from "#ports/secret.ts";
import type { InstalledWorkspace, SealedTokens, WorkspaceStore } from "#ports/workspaces.ts";
import type { SlackAccessOptions } from "./slack-access.ts";
import { type SlackOauth, SlackRefused, type SlackTokens } from "./slack-oauth.ts";
import { type RotatedToken, SlackTokenGone } from "./slack-rotated.ts";

/** How long what was read of a workspace is used: that it is gone, or has another token, is known so late elsewhere. */
const HOLD_MS = 5_000;
/** A token that ends this soon is renewed. Slack's are good for twelve hours. */
const EARLY_MS = 60 * 60_000;
/** After a renewal that got no answer, while the old token is still good. */
const AGAIN_MS = 60_000;

/** Slack's words for a token that another process, or a new installation, may have put another in the place of. */
const REPLACED: readonly string[] = ["token_revoked", "invalid_auth", "account_inactive"];

/** Slack's words for a refresh token that will never be taken. Any other refusal is about us, and may be mended. */
const LOST: readonly string[] = [
  "invalid_refresh_token",
  "invalid_grant",
  "token_revoked",
  "token_expired",
  "account_inactive",
];

export interface WorkspaceTokensOptions {
  readonly store: WorkspaceStore;
  readonly seal: Seal;
  readonly oauth: Pick<SlackOauth, "renew">;
  /** Whose rows they are: a sealed token opens in its own organisation's row alone. */
  readonly orgId: string;
  readonly now: () => number;
  readonly log: SlackAccessOptions["log"];
}

/** Bot tokens of the workspaces that installed us. In memory they are `Secret`, in the database sealed. */
export interface WorkspaceTokens {
  /** What is known of a workspace, at most five seconds old; `null`: it has not installed us. */
  workspace(id: string): Promise<InstalledWorkspace | null>;
  of(id: string): RotatedToken;
  /** Puts what Slack granted in the place of what was known. */
  keep(about: Omit<InstalledWorkspace, "installedAt" | "tokens">, tokens: SlackTokens): Promise<void>;
  /** Seals anew what an older key has sealed; how many rows. What no key opens is left, and said. */
  reseal(): Promise<number>;
  forget(id: string): void;
  /** The tokens that are in memory, for whoever keeps them out of the record. */
  secrets(): readonly Secret[];
}

interface Held {
  readonly workspace: InstalledWorkspace;
  readonly access: Secret;
  readonly readAt: number;
}

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

export function workspaceTokens(o: WorkspaceTokensOptions): WorkspaceTokens {
  const { store, seal, oauth, now, log } = o;
  const held = new Map<string, Held>();
  const renewing = new Map<string, Promise<Held>>();
  const failedAt = new Map<string, number>();
  /** What Slack gave for a refresh token that may not have been kept yet: it is not asked for it twice. */
  const given = new Map<string, { readonly by: string; readonly tokens: SlackTokens }>();

  const open = (workspace: InstalledWorkspace) => openedTokens(seal, o.orgId, workspace);

  function sealed(id: string, { access, refresh, goodForMs }: SlackTokens): SealedTokens {
    return {
      keyId: seal.keyId,
      access: seal.seal(access, whose(o.orgId, id, "access")),
      refresh: refresh === null ? null : seal.seal(refresh, whose(o.orgId, id, "refresh")),
      expiresAt: goodForMs === null ? null : new Date(now() + goodForMs),
      lost: null,
    };
  }

  function hold(workspace: InstalledWorkspace): Held {
    const before = held.get(workspace.id);
    const same = before?.workspace.tokens.access === workspace.tokens.access;
    const access = same && before !== undefined ? before.access : open(workspace).access;
    const one = { workspace, access, readAt: now() };
    held.set(workspace.id, one);
    return one;
  }

  async function read(id: string): Promise<Held | null> {
    const known = held.get(id);
    if (known !== undefined && now() - known.readAt < HOLD_MS) return known;
    const workspace = await store.get(id);
    if (workspace !== null) return hold(workspace);
    held.delete(id);
    return null;
  }

  const leftMs = ({ tokens: { expiresAt } }: InstalledWorkspace): number =>
    expiresAt === null ? Number.POSITIVE_INFINITY : expiresAt.getTime() - now();

  /** Whoever holds the row asks Slack; whoever waited for it finds what was kept meanwhile. */
  async function renewed(workspace: InstalledWorkspace, refused: Secret | null): Promise<SealedTokens> {
    const { id, tokens } = workspace;
    const { access, refresh } = open(workspace);
    const fresh = refused === null ? leftMs(workspace) > EARLY_MS : access.reveal() !== refused.reveal();
    if (fresh || refresh === null || tokens.lost !== null) return tokens;
    const before = given.get(id);
    try {
      const next = before?.by === refresh.reveal() ? before.tokens : await oauth.renew(refresh);
      given.set(id, { by: refresh.reveal(), tokens: next });
      return sealed(id, next);
    } catch (error) {
      if (!(error instanceof SlackRefused) || !LOST.includes(error.code)) throw error;
      return { ...tokens, lost: error.code };
    }
  }

  /** One at a time for a workspace: of several calls that need it, one goes to the database and to Slack. */
  function renew(id: string, refused: Secret | null): Promise<Held> {
    const going = renewing.get(id);
    if (going !== undefined) return going;
    const work = (async () => {
      const workspace = await store.renew(id, (row) => renewed(row, refused));
      if (workspace === null) throw new SlackTokenGone("not_installed", `${id} has not installed the app`);
      given.delete(id);
      failedAt.delete(id);
      const { lost } = workspace.tokens;
      if (lost !== null)
        log("a workspace's token cannot be renewed any more: install the app there again", {
          ...{ level: "error", workspace: id, why: lost, until: workspace.tokens.expiresAt?.toISOString() },
        });
      return hold(workspace);
    })().finally(() => renewing.delete(id));
    renewing.set(id, work);
    return work;
  }

  async function current(id: string): Promise<Secret> {
    const known = await read(id);
    if (known === null) throw new SlackTokenGone("not_installed", `${id} has not installed the app`);
    const left = leftMs(known.workspace);
    if (left > EARLY_MS) return known.access;
    const stillGood = left > 0;
    const waits = known.workspace.tokens.lost !== null || now() - (failedAt.get(id) ?? 0) < AGAIN_MS;
    if (stillGood && waits) return known.access;
    try {
      const next = await renew(id, null);
      if (leftMs(next.workspace) > 0) return next.access;
    } catch (error) {
      if (!stillGood) throw error;
      failedAt.set(id, now());
      log("a workspace's token could not be renewed; it is good for a while", {
        ...{ level: "error", workspace: id, goodForMs: left, error: String(error) },
      });
      return known.access;
    }
    throw new SlackTokenGone(
      "token_expired",
      `the token of ${id} has ended and cannot be renewed: install the app again`,
    );
  }

  return {
    workspace: async (id) => (await read(id))?.workspace ?? null,
    of: (id) => ({
      current: () => current(id),
      async after(refused, why) {
        if (why !== "token_expired" && !REPLACED.includes(why)) return null;
        held.delete(id);
        if (why === "token_expired") await renew(id, refused);
        const known = await read(id);
        return known === null || known.access.reveal() === refused.reveal() ? null : known.access;
      },
    }),
    async keep(about, tokens) {
      await store.put({ ...about, tokens: sealed(about.id, tokens) });
      held.delete(about.id);
      given.delete(about.id);
    },
    async reseal() {
      let count = 0;
      for (const { id, tokens } of await store.all()) {
        if (tokens.keyId === seal.keyId) continue;
        try {
          await store.renew(id, async (row) => {
            if (row.tokens.keyId === seal.keyId) return row.tokens;
            const { access, refresh } = open(row);
            count += 1;
            const { expiresAt, lost } = row.tokens;
            return { ...sealed(id, { access, refresh, goodForMs: null }), expiresAt, lost };
          });
        } catch (error) {
          if (!(error instanceof SealBroken)) throw error;
          log("a workspace's tokens cannot be opened: bring back their key, or install the app there again", {
            ...{ level: "error", workspace: id, code: error.code, error: error.message },
          });
        }
      }
      return count;
    },
    forget: (id) => void held.delete(id),
    secrets: () => [...held.values()].map(({ access }) => access),
  };
}
