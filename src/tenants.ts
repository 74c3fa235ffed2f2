import type { Hono, MiddlewareHandler } from "hono";
import { directoryByWorkspace } from "#adapters/directory/by-workspace.ts";
import { slackDirectory } from "#adapters/directory/slack.ts";
import { type SlackAccess, type SlackIdentity, slackAccess } from "#adapters/directory/slack-access.ts";
import { slackDoor } from "#adapters/directory/slack-door.ts";
import { slackInstallations } from "#adapters/directory/slack-installations.ts";
import { slackInstaller } from "#adapters/directory/slack-installer.ts";
import { slackOauth } from "#adapters/directory/slack-oauth.ts";
import { workspaceTokens } from "#adapters/directory/slack-tokens.ts";
import { openSeal } from "#adapters/secrets/seal.ts";
import { type Chat, ChatUnavailable, type Place } from "#ports/chat.ts";
import type { Directory } from "#ports/directory.ts";
import type { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import { type LeftNews, reconcileWorkspaces, workspaceLeft } from "#runs/record/left.ts";
import type { View } from "#runs/view.ts";
import type { SlackWorkspace, SlackWorkspaces } from "#surfaces/slack/desk.ts";
import { INSTALLED_AT, installRoutes } from "#surfaces/slack/install.ts";
import { slackChat } from "#surfaces/slack/out.ts";
import type { SlackInstalls } from "./slack-place.ts";

/** A workspace that we are in, with what speaks to it alone. */
export interface Tenant extends SlackWorkspace {
  readonly identity: SlackIdentity;
  readonly directory: Directory;
  readonly chat: ReturnType<typeof slackChat>;
}

/** Every workspace that we are in: one by its token, or those that have installed us. */
export interface Tenants {
  /** Where the policy's owners are. */
  readonly home: string;
  /** `null`: it has not installed us, is off the list, or no key opens its tokens. */
  of(workspace: string): Promise<Tenant | null>;
  readonly door: SlackWorkspaces["door"];
  readonly chat: Chat<View>;
  readonly directory: Directory;
  /** It has removed us: its runs end, and what we have of it is forgotten. */
  left(news: LeftNews): Promise<void>;
  /** Finds those that left, or were taken off the list, without our being told. `null`: there is one, and no list. */
  readonly reconcile: (() => Promise<void>) | null;
  /** Where workspaces install us; `null`: there is one, and nothing to install. */
  readonly routes: Hono | null;
  /** Tokens that came to be known since the start. */
  secrets(): readonly Secret[];
  /** Resolves when everything that was said so far has been answered. */
  settled(): Promise<void>;
}

/** Somebody has to install us again first. */
const AFTER_GONE_MS = 60 * 60_000;
/** The key is back with the next start. */
const AFTER_SEALED_MS = 60_000;

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
    door: async () => "open",
    chat: tenant.chat,
    directory: tenant.directory,
    // Its operator has set the token, and has to set another.
    left: async () => {},
    reconcile: null,
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

  /** Of every workspace whose tokens open, so that what ends there can still be said. */
  async function speaker(id: string): Promise<Tenant | null> {
    const there = await tokens.workspace(id);
    if (there === null || !there.opens) {
      known.delete(id);
      return null;
    }
    const { botUserId, botId, url } = there.workspace;
    const before = known.get(id);
    if (before?.identity.botUserId === botUserId && before.identity.botId === botId) return before;
    const access = slackAccess({ botToken: tokens.of(id), ...api, log });
    const tenant = tenantOf(o, access, { workspace: id, botUserId, botId, url });
    known.set(id, tenant);
    return tenant;
  }

  const at = slackInstallations({
    tokens,
    allowed: installs.allowed,
    clientOf: (id) => slackAccess({ botToken: tokens.of(id), ...api, log }).reads,
    now,
  });
  const door = slackDoor({ workspace: tokens.workspace, isAllowed: at.isAllowed, log });
  const of = async (id: string) =>
    (await door({ workspace: id, enterprise: null, orgWide: false })) === "open" ? speaker(id) : null;

  async function chatAt({ workspace }: Place): Promise<Chat<View>> {
    const tenant = await speaker(workspace);
    if (tenant !== null) return tenant.chat;
    throw (await tokens.workspace(workspace)) === null
      ? new ChatUnavailable(`the app is not installed in ${workspace}`, { retryAfterMs: AFTER_GONE_MS })
      : new ChatUnavailable(`no key opens the tokens of ${workspace}`, { retryAfterMs: AFTER_SEALED_MS });
  }

  return {
    home: installs.home,
    of,
    door,
    chat: {
      show: async (key, place, ...what) => (await chatAt(place)).show(key, place, ...what),
      whisper: async (place, to, view) => (await chatAt(place)).whisper(place, to, view),
    },
    directory: directoryByWorkspace(async (workspace) => (await of(workspace))?.directory ?? null),
    left: (news) => workspaceLeft(core, at, news),
    reconcile: () => reconcileWorkspaces(core, at),
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
