import { z } from "zod";
import type { Ticket } from "#runs/run.ts";
import { cut } from "#surfaces/slack/cards/text.ts";

/** Of what people wrote; a longer ticket is cut, and the cut is shown. */
const TITLE_CHARS = 500;
const TEXT_CHARS = 20_000;
/** Far above any id or key of Linear's. */
const Id = z.string().min(1).max(100);

const User = z.object({ id: Id, name: z.string().max(1_000) });
const Issue = z.object({
  id: Id,
  identifier: z.string().max(60),
  title: z.string(),
  description: z.string().nullish(),
  url: z.string().max(2_000),
  team: z.object({ key: z.string().max(60) }),
});

const Session = z.object({
  id: Id,
  creator: User.nullish(),
  issue: Issue.nullish(),
  comment: z.object({ body: z.string(), userId: Id.nullish() }).nullish(),
});

const SessionEvent = z.object({
  type: z.literal("AgentSessionEvent"),
  action: z.string(),
  organizationId: Id,
  appUserId: Id,
  agentSession: Session,
  agentActivity: z
    .object({
      id: Id,
      content: z.object({ body: z.string().nullish() }),
      signal: z.string().nullish(),
      user: User.nullish(),
    })
    .nullish(),
});

const Notification = z.object({
  type: z.literal("AppUserNotification"),
  organizationId: Id,
  appUserId: Id,
  notification: z.object({ type: z.string(), actor: User.nullish(), issue: Issue.nullish() }),
});

const AppEvent = z.object({
  type: z.enum(["OAuthApp", "PermissionChange"]),
  action: z.string().max(100),
  organizationId: Id,
});

/** Somebody in Linear. `null` where an automation or another app acted, for which no person answers. */
const Person = User.nullable();
const Where = z.object({
  session: Id,
  team: z.string(),
  ticket: z.object({ id: Id, name: z.string(), url: z.string() }),
});

/** One thing that Linear told us and that we act on, as it is kept. */
export const Delivery = z.discriminatedUnion("kind", [
  /** A ticket was delegated to us, or we were mentioned on one. `said`: in the mention. */
  z.object({ kind: z.literal("created"), id: Id, by: Person, ...Where.shape, text: z.string(), said: z.string() }),
  /** Somebody wrote in a session. `text`: of its ticket. */
  z.object({ kind: z.literal("prompted"), id: Id, by: Person, ...Where.shape, text: z.string(), said: z.string() }),
  z.object({ kind: z.literal("stop"), id: Id, by: Person, ...Where.shape }),
  z.object({ kind: z.literal("unassigned"), id: Id, by: Person, ticket: Where.shape.ticket }),
  /** Of ours and not of Linear's: somebody came back from its sign-in. */
  z.object({ kind: z.literal("linked"), id: Id, by: z.object({ id: Id }) }),
  /** A session on something that is no ticket, such as a project. */
  z.object({ kind: z.literal("no_ticket"), id: Id, session: Id }),
  z.object({ kind: z.literal("app"), id: Id, what: z.string(), action: z.string() }),
]);
export type Delivery = z.infer<typeof Delivery>;

/** Whose deliveries are ours. */
export interface Ours {
  readonly organization: string;
  readonly appUser: string;
}

/**
 * Picks out what we act on; `null`: it is no news for us. `header`: the delivery's own id. What people say is keyed by what
 * Linear keeps for good, since a repeat may be another delivery. Throws on what is not as Linear documents it.
 */
export function sort(body: unknown, header: string, ours: Ours): Delivery | null {
  const type = z.object({ type: z.string() }).parse(body).type;
  if (type === "AgentSessionEvent") return ofSession(SessionEvent.parse(body), ours);
  if (type === "AppUserNotification") return ofNotification(Notification.parse(body), header, ours);
  if (type !== "OAuthApp" && type !== "PermissionChange") return null;
  const { action, organizationId } = AppEvent.parse(body);
  return organizationId === ours.organization ? { kind: "app", id: header, what: type, action } : null;
}

function ofSession(event: z.infer<typeof SessionEvent>, ours: Ours): Delivery | null {
  const { action, agentSession: session, agentActivity: activity } = event;
  if (event.organizationId !== ours.organization || event.appUserId !== ours.appUser) return null;
  const { issue, creator, comment } = session;
  const prompted = action === "prompted" && activity ? activity : null;
  if (action !== "created" && prompted === null) return null;
  const id = prompted === null ? `${session.id}:created` : prompted.id;
  if (!issue) return { kind: "no_ticket", id, session: session.id };
  const where = { session: session.id, team: issue.team.key, ticket: ticketOf(issue) };
  const text = textOf(issue);
  if (prompted === null) {
    // Linear opens a comment of its own for a delegation; only the delegating person's is said to us.
    const said = comment?.userId != null && comment.userId === creator?.id ? spoken(comment.body) : "";
    return { kind: "created", id, by: creator ?? null, ...where, text, said };
  }
  const by = prompted.user ?? null;
  if (prompted.signal === "stop") return { kind: "stop", id, by, ...where };
  return { kind: "prompted", id, by, ...where, text, said: spoken(prompted.content.body ?? "") };
}

function ofNotification(event: z.infer<typeof Notification>, header: string, ours: Ours): Delivery | null {
  const { notification } = event;
  if (event.organizationId !== ours.organization || event.appUserId !== ours.appUser) return null;
  if (notification.type !== "issueUnassignedFromYou" || !notification.issue) return null;
  return { kind: "unassigned", id: header, by: notification.actor ?? null, ticket: ticketOf(notification.issue) };
}

const ticketOf = ({ id, identifier, url }: z.infer<typeof Issue>): Ticket => ({ id, name: identifier, url });

const textOf = ({ identifier, title, description }: z.infer<typeof Issue>): string =>
  [`${identifier}: ${cut(title.trim(), TITLE_CHARS)}`, cut((description ?? "").trim(), TEXT_CHARS)]
    .filter((part) => part !== "")
    .join("\n\n");

/** Without the mention of us that it begins with. */
const spoken = (text: string): string =>
  cut(text.replace(/^\s*(?:\[@[^\]\n]{1,100}\]\([^)\s]{1,500}\)|@[\w.-]{1,100})[\s,:]*/, "").trim(), TEXT_CHARS);
