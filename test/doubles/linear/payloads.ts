import { createHmac, randomUUID } from "node:crypto";

/** What Linear posts, with every field that its schema says is always there. */

export interface LinearUser {
  readonly id: string;
  readonly name: string;
  readonly active: boolean;
  readonly guest: boolean;
  readonly app: boolean;
}

export interface LinearIssue {
  readonly id: string;
  readonly identifier: string;
  readonly title: string;
  readonly description: string;
  readonly url: string;
  readonly team: { readonly id: string; readonly key: string; readonly name: string };
}

export interface LinearSession {
  readonly id: string;
  readonly creator: LinearUser | null;
  readonly issue: LinearIssue;
  readonly comment: { readonly id: string; readonly body: string; readonly userId: string | null } | null;
}

export interface Sender {
  readonly organization: string;
  readonly appUser: string;
  readonly now: () => number;
}

const person = ({ id, name }: LinearUser) => ({
  id,
  name,
  email: `${name.toLowerCase()}@example.com`,
  url: `https://linear.app/acme/profiles/${name.toLowerCase()}`,
});

const issueOf = ({ id, identifier, title, description, url, team }: LinearIssue) => ({
  ...{ id, identifier, title, description, url },
  teamId: team.id,
  team: { ...team },
});

function frame({ organization, appUser, now }: Sender, type: string, action: string) {
  return {
    type,
    action,
    createdAt: new Date(now()).toISOString(),
    organizationId: organization,
    oauthClientId: "client-countersign",
    appUserId: appUser,
    webhookId: "webhook-countersign",
    webhookTimestamp: now(),
  };
}

const sessionOf = (sender: Sender, session: LinearSession) => ({
  id: session.id,
  type: "commentThread",
  status: "pending",
  appUserId: sender.appUser,
  organizationId: sender.organization,
  createdAt: new Date(sender.now()).toISOString(),
  updatedAt: new Date(sender.now()).toISOString(),
  ...(session.creator === null ? {} : { creator: person(session.creator), creatorId: session.creator.id }),
  issue: issueOf(session.issue),
  issueId: session.issue.id,
  ...(session.comment === null
    ? {}
    : { comment: { ...session.comment, issueId: session.issue.id }, commentId: session.comment.id }),
  url: `${session.issue.url}#agent-session-${session.id.slice(0, 8)}`,
});

/** A ticket was delegated, or we were mentioned on one. */
export const created = (sender: Sender, session: LinearSession) => ({
  ...frame(sender, "AgentSessionEvent", "created"),
  agentSession: sessionOf(sender, session),
  promptContext: `<issue identifier="${session.issue.identifier}"><title>${session.issue.title}</title></issue>`,
  guidance: [],
});

/** Somebody wrote in a session, or pressed its stop button. */
export const prompted = (
  sender: Sender,
  session: LinearSession,
  o: { readonly by: LinearUser; readonly body: string; readonly id?: string; readonly stop?: boolean },
) => ({
  ...frame(sender, "AgentSessionEvent", "prompted"),
  agentSession: sessionOf(sender, session),
  agentActivity: {
    id: o.id ?? randomUUID(),
    agentSessionId: session.id,
    content: { type: "prompt", body: o.body },
    ...(o.stop ? { signal: "stop" } : {}),
    createdAt: new Date(sender.now()).toISOString(),
    updatedAt: new Date(sender.now()).toISOString(),
    userId: o.by.id,
    user: person(o.by),
  },
});

export const unassigned = (sender: Sender, issue: LinearIssue, by: LinearUser | null) => ({
  ...frame(sender, "AppUserNotification", "issueUnassignedFromYou"),
  notification: {
    id: randomUUID(),
    type: "issueUnassignedFromYou",
    createdAt: new Date(sender.now()).toISOString(),
    updatedAt: new Date(sender.now()).toISOString(),
    userId: sender.appUser,
    issue: issueOf(issue),
    issueId: issue.id,
    ...(by === null ? {} : { actor: person(by), actorId: by.id }),
  },
});

export const appRevoked = (sender: Sender) => {
  const { appUserId: _, ...rest } = frame(sender, "OAuthApp", "revoked");
  return rest;
};

export const accessChanged = (sender: Sender) => ({
  ...frame(sender, "PermissionChange", "teamAccessChanged"),
  canAccessAllPublicTeams: false,
  addedTeamIds: [],
  removedTeamIds: ["team-shop"],
});

/** As Linear sends it. */
export function signedRequest(
  url: string,
  secret: string,
  payload: unknown,
  o: { readonly delivery?: string; readonly signature?: string } = {},
): Request {
  const body = typeof payload === "string" ? payload : JSON.stringify(payload);
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  return new Request(url, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "linear-delivery": o.delivery ?? randomUUID(),
      "linear-event": "AgentSessionEvent",
      "linear-signature": o.signature ?? signature,
    },
  });
}
