import { type Seal, SealBroken } from "#adapters/secrets/seal.ts";
import type { Secret } from "#ports/secret.ts";
import type { InstalledWorkspace, SealedTokens, WorkspaceStore } from "#ports/workspaces.ts";
import type { SlackAccessOptions } from "./slack-access.ts";
import { type SlackOauth, SlackRefused, type SlackTokens } from "./slack-oauth.ts";
import { type RotatedToken, SlackTokenGone } from "./slack-rotated.ts";
import { sealedDoor } from "./slack-sealed.ts";

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

/** A workspace that has installed us. */
export interface KnownWorkspace {
  readonly workspace: InstalledWorkspace;
  /** `false`: no key of ours opens its tokens. It is installed all the same, and nothing else speaks for it. */
  readonly opens: boolean;
}

/** Bot tokens of the workspaces that installed us. In memory they are `Secret`, in the database sealed. */
export interface WorkspaceTokens {
  /** What is known of a workspace, at most five seconds old; `null`: it has not installed us. */
  workspace(id: string): Promise<KnownWorkspace | null>;
  /** Its calls throw `SealBroken` while no key opens them. */
  of(id: string): RotatedToken;
  /** Puts what Slack granted in the place of what was known. */
  keep(about: Omit<InstalledWorkspace, "installedAt" | "tokens">, tokens: SlackTokens): Promise<void>;
  /** Seals anew what an older key has sealed; how many rows. What no key opens is left, and said. */
  reseal(): Promise<number>;
  forget(id: string): void;
  /** Tokens that are not kept, and are not to be read by anybody either. */
  meet(tokens: SlackTokens): void;
  /** Tokens that were in our hands of late, whoever gave them, for whoever keeps them out of the record and the log. */
  secrets(): readonly Secret[];
}

interface Held {
  readonly workspace: InstalledWorkspace;
  /** `null`: no key opens it. */
  readonly access: Secret | null;
  readonly readAt: number;
}
type Open = Held & { readonly access: Secret };

export function workspaceTokens(o: WorkspaceTokensOptions): WorkspaceTokens {
  const { store, seal, oauth, now, log } = o;
  const door = sealedDoor(o);
  const held = new Map<string, Held>();
  const renewing = new Map<string, Promise<Open>>();
  const failedAt = new Map<string, number>();
  /** What Slack gave for a refresh token that may not have been kept yet: it is not asked for it twice. */
  const given = new Map<string, { readonly by: string; readonly tokens: SlackTokens }>();

  /** Sealed texts that no key opens: each is said once. */
  const shut = new Set<string>();

  function saidShut({ id, name, tokens }: InstalledWorkspace, { code, message }: SealBroken): void {
    if (shut.has(tokens.access)) return;
    shut.add(tokens.access);
    log(
      `the tokens of ${name} cannot be opened, so nothing works there: bring back their key, or install the app again`,
      {
        ...{ level: "error", workspace: id, code, error: message },
      },
    );
  }

  function accessOf(workspace: InstalledWorkspace): Secret | null {
    const before = held.get(workspace.id);
    if (before?.access && before.workspace.tokens.access === workspace.tokens.access) return before.access;
    try {
      return door.open(workspace).access;
    } catch (error) {
      if (!(error instanceof SealBroken)) throw error;
      saidShut(workspace, error);
      return null;
    }
  }

  function hold(workspace: InstalledWorkspace): Held {
    const one = { workspace, access: accessOf(workspace), readAt: now() };
    held.set(workspace.id, one);
    return one;
  }

  /** Throws `SealBroken`. */
  const opened = ({ workspace, access, readAt }: Held): Open => ({
    ...{ workspace, readAt },
    access: access ?? door.open(workspace).access,
  });

  async function read(id: string): Promise<Held | null> {
    const there = held.get(id);
    if (there !== undefined && now() - there.readAt < HOLD_MS) return there;
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
    const { access, refresh } = door.open(workspace);
    const fresh = refused === null ? leftMs(workspace) > EARLY_MS : access.reveal() !== refused.reveal();
    if (fresh || refresh === null || tokens.lost !== null) return tokens;
    const before = given.get(id);
    try {
      const next = before?.by === refresh.reveal() ? before.tokens : await oauth.renew(refresh);
      given.set(id, { by: refresh.reveal(), tokens: next });
      return door.close(id, next);
    } catch (error) {
      if (!(error instanceof SlackRefused) || !LOST.includes(error.code)) throw error;
      return { ...tokens, lost: error.code };
    }
  }

  /** One at a time for a workspace: of several calls that need it, one goes to the database and to Slack. */
  function renew(id: string, refused: Secret | null): Promise<Open> {
    const going = renewing.get(id);
    if (going !== undefined) return going;
    const work = (async () => {
      let lostBefore: string | null = null;
      const workspace = await store.renew(id, (row) => {
        lostBefore = row.tokens.lost;
        return renewed(row, refused);
      });
      if (workspace === null) throw new SlackTokenGone("not_installed", `${id} has not installed the app`);
      given.delete(id);
      failedAt.delete(id);
      const { lost } = workspace.tokens;
      if (lost !== null && lost !== lostBefore)
        log("a workspace's token cannot be renewed any more: install the app there again", {
          ...{ level: "error", workspace: id, why: lost, until: workspace.tokens.expiresAt?.toISOString() },
        });
      return opened(hold(workspace));
    })().finally(() => renewing.delete(id));
    renewing.set(id, work);
    return work;
  }

  async function current(id: string): Promise<Secret> {
    const there = await read(id);
    if (there === null) throw new SlackTokenGone("not_installed", `${id} has not installed the app`);
    const { workspace, access } = opened(there);
    const left = leftMs(workspace);
    if (left > EARLY_MS) return access;
    const stillGood = left > 0;
    const waits = workspace.tokens.lost !== null || now() - (failedAt.get(id) ?? 0) < AGAIN_MS;
    if (stillGood && waits) return access;
    try {
      const next = await renew(id, null);
      if (leftMs(next.workspace) > 0) return next.access;
    } catch (error) {
      if (!stillGood) throw error;
      failedAt.set(id, now());
      log("a workspace's token could not be renewed; it is good for a while", {
        ...{ level: "error", workspace: id, goodForMs: left, error: String(error) },
      });
      return access;
    }
    throw new SlackTokenGone(
      "token_expired",
      `the token of ${id} has ended and cannot be renewed: install the app again`,
    );
  }

  return {
    async workspace(id) {
      const there = await read(id);
      return there && { workspace: there.workspace, opens: there.access !== null };
    },
    of: (id) => ({
      current: () => current(id),
      async after(refused, why) {
        if (why !== "token_expired" && !REPLACED.includes(why)) return null;
        held.delete(id);
        if (why === "token_expired") await renew(id, refused);
        const next = (await read(id))?.access ?? null;
        return next === null || next.reveal() === refused.reveal() ? null : next;
      },
    }),
    async keep(about, tokens) {
      await store.put({ ...about, tokens: door.close(about.id, tokens) });
      held.delete(about.id);
      given.delete(about.id);
    },
    async reseal() {
      let count = 0;
      for (const row of await store.all()) {
        const { id } = row;
        if (row.tokens.keyId === seal.keyId) continue;
        try {
          await store.renew(id, async (locked) => {
            if (locked.tokens.keyId === seal.keyId) return locked.tokens;
            const { access, refresh } = door.open(locked);
            count += 1;
            const { expiresAt, lost } = locked.tokens;
            return { ...door.close(id, { access, refresh, goodForMs: null }), expiresAt, lost };
          });
        } catch (error) {
          if (!(error instanceof SealBroken)) throw error;
          saidShut(row, error);
        }
      }
      return count;
    },
    forget: (id) => void held.delete(id),
    meet: (tokens) => door.meet("", tokens),
    secrets: door.secrets,
  };
}
