import { z } from "zod";
import { type PostedActivity, type TicketTracker, TicketUnavailable, type TicketUser } from "#ports/ticket.ts";

/** Sends one of our documents. Throws `TicketUnavailable`. */
export type Ask = (query: string, variables: Readonly<Record<string, unknown>>) => Promise<unknown>;

/** Our own small documents: the SDK's have a hundred fields each, and an answer is paid for by its size. */
const POST = "mutation Post($input: AgentActivityCreateInput!) { agentActivityCreate(input: $input) { success } }";
const POSTED = "query Posted($id: String!) { agentActivity(id: $id) { id agentSession { id } } }";
const OUTLINE =
  "mutation Outline($id: String!, $input: AgentSessionUpdateInput!) { agentSessionUpdate(id: $id, input: $input) { success } }";
const TICKET =
  'query Ticket($id: String!) { issue(id: $id) { id state { type } team { states(first: 50, filter: { type: { eq: "started" } }) { nodes { id position } } } } }';
const BEGIN =
  "mutation Begin($id: String!, $input: IssueUpdateInput!) { issueUpdate(id: $id, input: $input) { success } }";
const LINK_PULL =
  "mutation LinkPull($issueId: String!, $url: String!) { attachmentLinkGitHubPR(issueId: $issueId, url: $url) { success } }";
const USER = "query Person($id: String!) { user(id: $id) { id name active guest app } }";
const WHO = "query Who { viewer { id name active guest app } organization { id name } }";

const Done = z.object({ success: z.boolean() });
const TicketState = z.object({
  issue: z.object({
    state: z.object({ type: z.string() }),
    team: z.object({ states: z.object({ nodes: z.array(z.object({ id: z.string(), position: z.number() })) }) }),
  }),
});
const User = z.object({
  id: z.string(),
  name: z.string(),
  active: z.boolean(),
  guest: z.boolean(),
  app: z.boolean(),
});
const Person = z.object({ user: User });
const Who = z.object({
  viewer: User,
  organization: z.object({ id: z.string(), name: z.string() }),
});
const Posted = z.object({ agentActivity: z.object({ agentSession: z.object({ id: z.string() }) }) });

/** Kinds of states that nobody has begun. A ticket in another one is left where people put it. */
const NOT_BEGUN: readonly string[] = ["triage", "backlog", "unstarted"];

/** Who the token is, and of which workspace. */
export async function whoAmI(ask: Ask): Promise<z.infer<typeof Who>> {
  return read(Who, await ask(WHO, {}));
}

/** What somebody is in their workspace. */
export const kindOf = ({ app, active, guest }: z.infer<typeof User>): TicketUser["kind"] =>
  app ? "app" : !active ? "deactivated" : guest ? "guest" : "member";

/** The tracker port over Linear's API. */
export function linearTracker(ask: Ask): TicketTracker {
  async function done(name: string, query: string, variables: Readonly<Record<string, unknown>>): Promise<void> {
    const data = read(z.object({ [name]: Done }), await ask(query, variables));
    if (data[name]?.success !== true) throw new TicketUnavailable("refused", `Linear says no to ${name}`);
  }

  /** Whether this activity is there: what Linear says of an id that it has already is documented nowhere. */
  async function isThere(id: string, session: string): Promise<boolean> {
    try {
      return read(Posted, await ask(POSTED, { id })).agentActivity.agentSession.id === session;
    } catch (error) {
      if (error instanceof TicketUnavailable && error.code === "refused") return false;
      throw error;
    }
  }

  return {
    async post(session, posted) {
      try {
        await done("agentActivityCreate", POST, { input: inputOf(session, posted) });
      } catch (error) {
        if (!(error instanceof TicketUnavailable) || error.code !== "refused") throw error;
        if (!(await isThere(posted.id, session))) throw error;
      }
    },
    async outline(session, { plan, links }) {
      const input = { plan, externalUrls: links };
      await done("agentSessionUpdate", OUTLINE, { id: session, input });
    },
    async begin(ticket) {
      const { issue } = read(TicketState, await ask(TICKET, { id: ticket }));
      if (!NOT_BEGUN.includes(issue.state.type)) return;
      const [first] = [...issue.team.states.nodes].sort((a, b) => a.position - b.position);
      if (first === undefined) return;
      await done("issueUpdate", BEGIN, { id: ticket, input: { stateId: first.id } });
    },
    async linkPull(ticket, url) {
      await done("attachmentLinkGitHubPR", LINK_PULL, { issueId: ticket, url });
    },
    async user(id) {
      try {
        const { user } = read(Person, await ask(USER, { id }));
        return { id: user.id, name: user.name, kind: kindOf(user) };
      } catch (error) {
        if (error instanceof TicketUnavailable && error.code === "refused") return null;
        throw error;
      }
    },
  };
}

function inputOf(
  session: string,
  { id, activity, ephemeral, signIn }: PostedActivity,
): Readonly<Record<string, unknown>> {
  const content =
    activity.kind === "action"
      ? {
          type: "action",
          action: activity.action,
          parameter: activity.parameter,
          ...(activity.result === null ? {} : { result: activity.result }),
        }
      : { type: activity.kind, body: activity.body };
  return {
    id,
    agentSessionId: session,
    content,
    ...(ephemeral ? { ephemeral } : {}),
    ...(signIn === undefined
      ? {}
      : { signal: "auth", signalMetadata: { url: signIn.url, userId: signIn.userId, providerName: signIn.provider } }),
  };
}

function read<S extends z.ZodType>(schema: S, data: unknown): z.infer<S> {
  const parsed = schema.safeParse(data);
  if (!parsed.success) throw new TicketUnavailable("unreachable", "Linear's answer cannot be read");
  return parsed.data;
}
