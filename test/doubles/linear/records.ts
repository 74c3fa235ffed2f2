import { randomUUID } from "node:crypto";
import type { LinearIssue, LinearSession, LinearUser } from "./payloads.ts";

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const AGENT_KINDS: readonly string[] = ["thought", "action", "elicitation", "response", "error"];

export interface KeptActivity {
  readonly id: string;
  readonly session: string;
  readonly content: {
    readonly type: string;
    readonly body?: string;
    readonly action?: string;
    readonly parameter?: string;
    readonly result?: string;
  };
  readonly ephemeral: boolean;
  readonly signal: string | null;
  readonly signalMetadata: Readonly<Record<string, unknown>> | null;
  readonly at: number;
}

interface KeptState {
  readonly id: string;
  readonly type: string;
  readonly position: number;
}

/** What Linear says no to; in its words as far as they are known. */
export class LinearRefusal extends Error {
  override readonly name = "LinearRefusal";
}

/** What Linear keeps, and what it answers to each field that is asked for. */
export function linearRecords(o: {
  readonly users: readonly {
    readonly name: string;
    readonly guest?: boolean;
    readonly app?: boolean;
    readonly active?: boolean;
    readonly elsewhere?: boolean;
  }[];
  readonly teams: readonly string[];
  readonly now: () => number;
}) {
  const { now } = o;
  const organization = { id: randomUUID(), name: "Acme" };
  const another = { id: randomUUID(), name: "Umbrella" };
  const app: LinearUser = { id: randomUUID(), name: "Countersign", active: true, guest: false, app: true };
  const users = new Map<string, LinearUser>([[app.name, app]]);
  for (const { name, guest = false, app: isApp = false, active = true } of o.users)
    users.set(name, { id: randomUUID(), name, active, guest, app: isApp });
  const elsewhere = new Set(o.users.filter((one) => one.elsewhere).map(({ name }) => name));
  const organizationOf = ({ name }: LinearUser) => (elsewhere.has(name) ? another : organization);
  const teams = new Map(o.teams.map((key) => [key, { id: randomUUID(), key, name: key }]));
  const states = new Map<string, readonly KeptState[]>(
    o.teams.map((key) => [
      key,
      [
        { id: `${key}-backlog`, type: "backlog", position: 0 },
        { id: `${key}-todo`, type: "unstarted", position: 1 },
        { id: `${key}-review`, type: "started", position: 1002 },
        { id: `${key}-progress`, type: "started", position: 2 },
        { id: `${key}-done`, type: "completed", position: 3 },
      ],
    ]),
  );
  const issues = new Map<string, LinearIssue & { state: string }>();
  const sessions = new Map<string, LinearSession>();
  const outlines = new Map<string, { plan: unknown; externalUrls: readonly { label: string; url: string }[] }>();
  const activities: KeptActivity[] = [];
  const attachments: { issue: string; url: string }[] = [];

  function must<T>(found: T | undefined, what: string): T {
    if (found === undefined) throw new LinearRefusal(`Entity not found: ${what}`);
    return found;
  }

  function resolve(field: string, variables: Readonly<Record<string, unknown>>): unknown {
    const id = String(variables.id ?? variables.issueId ?? "");
    const input = (variables.input ?? {}) as Readonly<Record<string, unknown>>;
    switch (field) {
      case "user":
        return must(
          [...users.values()].find((one) => one.id === id),
          "User",
        );
      case "issue": {
        const issue = must(issues.get(id) ?? [...issues.values()].find((one) => one.identifier === id), "Issue");
        const all = states.get(issue.team.key) ?? [];
        // The one filter that we send.
        const started = all.filter(({ type }) => type === "started");
        return {
          ...issue,
          state: all.find((one) => one.id === issue.state),
          team: { ...issue.team, states: { nodes: started } },
        };
      }
      case "agentSessionCreateOnIssue": {
        const issue = must(issues.get(String(input.issueId)), "Issue");
        const session: LinearSession = { id: randomUUID(), creator: null, issue, comment: null };
        sessions.set(session.id, session);
        return { success: true, agentSession: { id: session.id } };
      }
      case "agentSession": {
        must(sessions.get(id), "AgentSession");
        const { plan, externalUrls } = outlines.get(id) ?? { plan: null, externalUrls: [] };
        const nodes = activities.filter((one) => one.session === id).map((one) => ({ id: one.id }));
        return { plan, externalLinks: externalUrls, activities: { nodes } };
      }
      case "agentActivity": {
        const activity = must(
          activities.find((one) => one.id === id),
          "AgentActivity",
        );
        return { ...activity, agentSession: { id: activity.session } };
      }
      case "agentActivityCreate":
        return createActivity(input);
      case "agentSessionUpdate": {
        must(sessions.get(id), "AgentSession");
        const { plan, externalUrls } = input as {
          plan: unknown;
          externalUrls: readonly { label: string; url: string }[];
        };
        if (new Set(externalUrls.map(({ url }) => url)).size !== externalUrls.length)
          throw new LinearRefusal("urls must be unique");
        outlines.set(id, { plan, externalUrls });
        return { success: true };
      }
      case "issueUpdate": {
        const issue = must(issues.get(id), "Issue");
        // We move a ticket, and take it from nobody: people delegate.
        const others = Object.keys(input).filter((key) => key !== "stateId");
        if (others.length > 0) throw new LinearRefusal(`nobody asked for ${others.join(", ")} to be changed`);
        const state = must(
          (states.get(issue.team.key) ?? []).find((one) => one.id === input.stateId),
          "WorkflowState",
        );
        issue.state = state.id;
        return { success: true };
      }
      case "attachmentLinkGitHubPR": {
        must(issues.get(id), "Issue");
        const url = String(variables.url);
        if (!/^https?:\/\/[^/]+\/[\w.-]+\/[\w.-]+\/pull\/\d+$/.test(url))
          throw new LinearRefusal("not a pull request of GitHub");
        if (!attachments.some((one) => one.issue === id && one.url === url)) attachments.push({ issue: id, url });
        return { success: true };
      }
      default:
        throw new LinearRefusal(`nobody asks for ${field} here`);
    }
  }

  function createActivity(input: Readonly<Record<string, unknown>>): unknown {
    const {
      id = randomUUID(),
      agentSessionId,
      content,
      ephemeral = false,
      signal = null,
      signalMetadata = null,
    } = input as {
      id?: string;
      agentSessionId: string;
      content: KeptActivity["content"];
      ephemeral?: boolean;
      signal?: string | null;
      signalMetadata?: Readonly<Record<string, unknown>> | null;
    };
    must(sessions.get(agentSessionId), "AgentSession");
    if (!UUID_4.test(id)) throw new LinearRefusal("id must be a UUID v4");
    if (!AGENT_KINDS.includes(content.type)) throw new LinearRefusal(`an agent may not create a ${content.type}`);
    const words = content.type === "action" ? [content.action, content.parameter] : [content.body];
    if (words.some((one) => typeof one !== "string" || one.trim() === ""))
      throw new LinearRefusal("content is not complete");
    if (ephemeral && content.type !== "thought" && content.type !== "action")
      throw new LinearRefusal(`a ${content.type} cannot be ephemeral`);
    if (signal === "auth" && (content.type !== "elicitation" || typeof signalMetadata?.url !== "string"))
      throw new LinearRefusal("auth belongs to an elicitation and needs a url");
    if (activities.some((one) => one.id === id)) throw new LinearRefusal("conflict on insert of AgentActivity");
    activities.push({ id, session: agentSessionId, content, ephemeral, signal, signalMetadata, at: now() });
    return { success: true };
  }

  return {
    organization,
    organizationOf,
    app,
    users,
    teams,
    issues,
    sessions,
    outlines,
    activities,
    attachments,
    resolve,
  };
}
