import { z } from "zod";

/** https://docs.slack.dev/reference/events/app_uninstalled and tokens_revoked */
const Left = z.object({
  type: z.literal("event_callback"),
  team_id: z.string(),
  event_id: z.string(),
  event_time: z.number().int().positive(),
  event: z.discriminatedUnion("type", [
    z.object({ type: z.literal("app_uninstalled") }),
    z.object({ type: z.literal("tokens_revoked"), tokens: z.object({ bot: z.array(z.string()).nullish() }) }),
  ]),
});

/** A workspace has put us out, or one of its bots. */
export interface LeftWorkspace {
  readonly workspace: string;
  readonly event: string;
  /** To the second. */
  readonly at: Date;
  /** Whose tokens were revoked; `null`: the app was removed with all of them. */
  readonly bots: readonly string[] | null;
}

/** `null`: it is something else, or tokens that we have none of. */
export function leftOf(body: unknown): LeftWorkspace | null {
  const read = Left.safeParse(body);
  if (!read.success) return null;
  const { team_id: workspace, event_id: event, event_time, event: what } = read.data;
  const bots = what.type === "app_uninstalled" ? null : (what.tokens.bot ?? []);
  if (bots?.length === 0) return null;
  return { workspace, event, at: new Date(event_time * 1_000), bots };
}

const Named = z.string().nullish();
const Envelope = z.object({
  team_id: Named,
  enterprise_id: Named,
  team: z.object({ id: z.string(), enterprise_id: Named }).nullish(),
  enterprise: z.object({ id: Named }).nullish().catch(null),
  user: z.object({ team_id: Named }).nullish().catch(null),
  view: z.object({ app_installed_team_id: Named }).nullish(),
  /** A command is a form, and says it in words. */
  is_enterprise_install: z.union([z.boolean(), z.enum(["true", "false"])]).nullish(),
  authorizations: z
    .array(z.object({ team_id: Named, enterprise_id: Named, is_enterprise_install: z.boolean().nullish() }))
    .nullish(),
});

/** Which installation of the app a body of Slack's is meant for. */
export interface InstallationOf {
  /** In a channel that is shared between organisations it is not always the one of the person. "": none is named. */
  readonly workspace: string;
  /** The organisation that is named with it; `null`: none is. */
  readonly enterprise: string | null;
  /** An installation for a whole organisation at once, whatever workspace is named. */
  readonly orgWide: boolean;
}

/** As Bolt reads it. */
export function installedIn(body: unknown): InstallationOf {
  const read = Envelope.safeParse(body);
  if (!read.success) return { workspace: "", enterprise: null, orgWide: false };
  const { authorizations, view, team, team_id, user, enterprise, enterprise_id, is_enterprise_install } = read.data;
  const [first] = authorizations ?? [];
  const theirs = team?.enterprise_id ?? enterprise?.id;
  const [workspace, named] = [
    [first?.team_id, first?.enterprise_id],
    // The organisation is that of the person's workspace.
    [view?.app_installed_team_id, view?.app_installed_team_id === team?.id ? theirs : null],
    [team?.id, theirs],
    [team_id, enterprise_id ?? enterprise?.id],
    [user?.team_id, enterprise?.id],
  ].find(([id]) => typeof id === "string") ?? [null, null];
  const orgWide = first?.is_enterprise_install ?? (is_enterprise_install === true || is_enterprise_install === "true");
  return { workspace: workspace ?? "", enterprise: named || null, orgWide };
}
