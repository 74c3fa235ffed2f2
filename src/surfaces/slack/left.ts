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

/** A workspace has put us out. */
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

const Envelope = z.object({
  team_id: z.string().nullish(),
  team: z.object({ id: z.string() }).nullish(),
  user: z.object({ team_id: z.string().nullish() }).nullish().catch(null),
  view: z.object({ app_installed_team_id: z.string().nullish() }).nullish(),
  authorizations: z.array(z.object({ team_id: z.string().nullish() })).nullish(),
});

/**
 * The workspace whose installation a body is meant for, as Bolt reads it: in a channel that is shared between organisations it
 * is not always the one of the person. "": none is named.
 */
export function installedIn(body: unknown): string {
  const read = Envelope.safeParse(body);
  if (!read.success) return "";
  const { authorizations, view, team, team_id, user } = read.data;
  return authorizations?.[0]?.team_id ?? view?.app_installed_team_id ?? team?.id ?? team_id ?? user?.team_id ?? "";
}
