import type { Hono, MiddlewareHandler } from "hono";
import { directoryByWorkspace } from "#adapters/directory/by-workspace.ts";
import { slackDirectory } from "#adapters/directory/slack.ts";
import { type SlackAccess, type SlackIdentity, slackAccess, slackIdentity } from "#adapters/directory/slack-access.ts";
import { isAllowed, slackInstaller } from "#adapters/directory/slack-installer.ts";
import { slackOauth } from "#adapters/directory/slack-oauth.ts";
import { workspaceTokens } from "#adapters/directory/slack-tokens.ts";
import { openSeal } from "#adapters/secrets/seal.ts";
import { type Chat, ChatUnavailable, type Place } from "#ports/chat.ts";
import type { Directory } from "#ports/directory.ts";
import type { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import { workspaceLeft } from "#runs/left.ts";
import type { View } from "#runs/view.ts";
import type { Tenant as SlackTenant } from "#surfaces/slack/desk.ts";
import { failureOf } from "#surfaces/slack/failure.ts";
import { INSTALLED_AT, installRoutes } from "#surfaces/slack/install.ts";
import type { LeftWorkspace } from "#surfaces/slack/left.ts";
import { slackChat } from "#surfaces/slack/out.ts";
import type { SlackInstalls } from "./slack-place.ts";

/** A workspace that we are in, with what speaks to it alone. */
export interface Tenant extends SlackTenant {
  readonly identity: SlackIdentity;
  readonly directory: Directory;
  readonly chat: ReturnType<typeof slackChat>;
}

/** Every workspace that we are in: one by its token, or those that have installed us. */
export interface Tenants {
  /** Where the policy's owners are. */
  readonly home: string;
  /** `null`: it has not installed us. */
  of(workspace: string): Promise<Tenant | null>;
  readonly chat: Chat<View>;
  readonly directory: Directory;
  /** It has removed us: its runs end, and what we have of it is forgotten. */
  left(workspace: LeftWorkspace): Promise<void>;
  /** Where workspaces install us; `null`: there is one, and nothing to install. */
  readonly routes: Hono | null;
  /** Tokens that came to be known since the start. */
  secrets(): readonly Secret[];
  /** Resolves when everything that was said so far has been answered. */
  settled(): Promise<void>;
}

/** Somebody has to install us again first. */
const AFTER_GONE_MS = 60 * 60_000;

interface Opened {
  readonly core: Pick<Core, "clock" | "log">;
}

function tenantOf(
  { core }: Opened,
  { urgent, progress, reads }: Pick<SlackAccess, "urgent" | "progress" | "reads">,
  identity: SlackIdentity,
): Tenant {
  const now = () => core.clock.now();
  const chat = slackChat({ urgent, progress, botId: identity.botId, now, log: core.log });
  const directory = slackDirectory({ client: reads, workspace: identity.workspace });
  return { urgent, reads, identity, directory, show: chat.show, chat };
}

/** One workspace, by its bot token: whatever comes is from there. */
export function oneTenant(o: Opened & { readonly access: SlackAccess; readonly identity: SlackIdentity }): Tenants {
  const tenant = tenantOf(o, o.access, o.identity);
  return {
    home: o.identity.workspace,
    of: async () => tenant,
    chat: tenant.chat,
    directory: tenant.directory,
    // Its operator has set the token, and has to set another.
    left: async () => {},
    routes: null,
    secrets: () => [],
    settled: tenant.chat.settled,
  };
}

/** Those that have installed us, as the database knows them: any replica may have taken one in, or let one go. */
export async function installedTenants(o: {
  readonly core: Core;
  readonly installs: SlackInstalls;
  readonly apiUrl: string | null;
  /** Who may begin an installation. */
  readonly gate: readonly MiddlewareHandler[];
}): Promise<Tenants> {
  const { core, installs } = o;
  const { log, baseUrl } = core;
  const { workspaces: store } = core.stores;
  const api = o.apiUrl === null ? {} : { slackApiUrl: o.apiUrl };
  const oauth = slackOauth({ ...installs, ...api, redirectUrl: `${baseUrl}${INSTALLED_AT}`, log });
  const seal = openSeal(installs.keys);
  const now = () => core.clock.now().getTime();
  const tokens = workspaceTokens({ store, seal, oauth, orgId: core.orgId, now, log });
  const known = new Map<string, Tenant>();

  const resealed = await tokens.reseal();
  if (resealed > 0) log("tokens of workspaces were sealed anew; their old keys can go", { workspaces: resealed });

  async function of(id: string): Promise<Tenant | null> {
    const workspace = await tokens.workspace(id);
    if (workspace === null || !isAllowed(installs.allowed, workspace)) {
      known.delete(id);
      return null;
    }
    const { botUserId, botId, url } = workspace;
    const before = known.get(id);
    if (before?.identity.botUserId === botUserId && before.identity.botId === botId) return before;
    const access = slackAccess({ botToken: tokens.of(id), ...api, log });
    const tenant = tenantOf(o, access, { workspace: id, botUserId, botId, url });
    known.set(id, tenant);
    return tenant;
  }

  /** Whether Slack takes our token there. Throws when it does not say. */
  async function isTaken(id: string): Promise<boolean> {
    const tenant = await of(id);
    if (tenant === null) return false;
    try {
      await slackIdentity(tenant.reads);
      return true;
    } catch (error) {
      if (failureOf(error).kind === "refused") return false;
      throw error;
    }
  }

  async function chatAt({ workspace }: Place): Promise<Chat<View>> {
    const tenant = await of(workspace);
    if (tenant === null)
      throw new ChatUnavailable(`the app is not installed in ${workspace}`, { retryAfterMs: AFTER_GONE_MS });
    return tenant.chat;
  }

  return {
    home: installs.home,
    of,
    chat: {
      show: async (key, place, ...what) => (await chatAt(place)).show(key, place, ...what),
      whisper: async (place, to, view) => (await chatAt(place)).whisper(place, to, view),
    },
    directory: directoryByWorkspace(async (workspace) => (await of(workspace))?.directory ?? null),
    async left({ workspace, at }) {
      // Slack says when to the second.
      const before = new Date(at.getTime() + 1_000);
      const there = await store.get(workspace);
      if (there === null || there.installedAt >= before) return;
      // Late news of an installation that another one has replaced, or of a token that was.
      if (await isTaken(workspace)) return log("a workspace still takes our token, so it has not left", { workspace });
      const ended = await workspaceLeft(core, workspace);
      await store.remove(workspace, before);
      tokens.forget(workspace);
      log("a workspace was forgotten", { workspace, runs: ended });
    },
    routes: installRoutes({
      gate: o.gate,
      attempts: store,
      address: oauth.address,
      install: slackInstaller({ oauth, tokens, allowed: installs.allowed, log }),
      baseUrl,
      log,
    }),
    secrets: tokens.secrets,
    async settled() {
      await Promise.all([...known.values()].map(({ chat }) => chat.settled()));
    },
  };
}
