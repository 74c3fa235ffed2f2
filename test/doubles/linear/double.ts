import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Kind, type OperationDefinitionNode, parse, type SelectionSetNode } from "graphql";
import { oauthDouble } from "./oauth.ts";
import type { LinearIssue, LinearSession, LinearUser } from "./payloads.ts";
import * as payloads from "./payloads.ts";
import { type KeptActivity, LinearRefusal, linearRecords } from "./records.ts";
import { violationsOf } from "./schema.ts";

const LIFE_SEC = 2_592_000;

/** What a fault does to a request, by what it asks for: an answer of its own, or the right one that gets lost. */
export type Fault = (
  field: string,
) =>
  | { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
  | "lose"
  | null;

/** As Linear says that its caller spends too much: linear.app/developers/rate-limiting. */
export const limited = (headers: Readonly<Record<string, string>> = {}) => ({
  status: 400,
  headers,
  body: { errors: [{ message: "Rate limit exceeded", extensions: { type: "ratelimited", code: "RATELIMITED" } }] },
});

export type LinearDouble = Awaited<ReturnType<typeof linearDouble>>;

/**
 * Linear as our client and our webhook see it: sessions, activities, tickets, states, attachments, an OAuth endpoint that gives
 * an app its token. Every request is held to the input types of Linear's SDK, and to its schema where that is at hand.
 */
export async function linearDouble(o: {
  readonly users: readonly {
    readonly name: string;
    readonly guest?: boolean;
    readonly app?: boolean;
    readonly active?: boolean;
    /** Of another workspace than the one that the app is in. */
    readonly elsewhere?: boolean;
  }[];
  readonly teams: readonly string[];
  /** Callback URLs that the app's settings name. Default: none, so that nobody can sign in through it. */
  readonly callbacks?: () => readonly string[];
  /** Scopes that the app has in its settings. Default: all that are asked for. */
  readonly scopes?: readonly string[];
  readonly now?: () => number;
}) {
  const now = o.now ?? Date.now;
  const {
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
  } = linearRecords({
    ...o,
    now,
  });
  const problems: string[] = [];
  const requests: { readonly field: string; readonly variables: Readonly<Record<string, unknown>> }[] = [];
  const faults: Fault[] = [];
  /** Whose each token is. */
  const tokens = new Map<string, LinearUser>();
  let inItsOwnName = "";
  let ending = 0;
  const secret = "linear-webhook-secret";
  const client = { id: "client-countersign", secret: "linear-client-secret" };
  let sink: ((request: Request) => Promise<Response>) | null = null;
  const waiting = new Set<() => void>();
  const sender = { organization: organization.id, appUser: app.id, now };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      problems.push(String(error));
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("utf8");
    const send = (status: number, data: unknown, headers: Readonly<Record<string, string>> = {}) => {
      response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
      response.end(JSON.stringify(data));
    };
    if (request.url === "/oauth/token" && !new URLSearchParams(body).has("code")) return oauth(request, body, send);
    if (request.url?.startsWith("/oauth/")) return people.answer(request, response, body);
    if (request.url !== "/graphql") return send(404, {});
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    if (ending > 0) {
      ending -= 1;
      tokens.delete(token);
    }
    const viewer = tokens.get(token);
    if (viewer === undefined) {
      return send(401, {
        errors: [{ message: "Authentication required", extensions: { type: "authentication error" } }],
      });
    }
    const { query, variables = {} } = JSON.parse(body) as { query: string; variables?: Record<string, unknown> };
    const document = parse(query);
    const operation = document.definitions.find(
      (one): one is OperationDefinitionNode => one.kind === Kind.OPERATION_DEFINITION,
    );
    const fields = (operation?.selectionSet.selections ?? []).flatMap((one) => (one.kind === Kind.FIELD ? [one] : []));
    const [first] = fields;
    if (operation === undefined || first === undefined) throw new Error(`nothing is asked: ${query}`);
    const name = first.name.value;
    requests.push({ field: name, variables });
    const violations = violationsOf(document, name, variables);
    problems.push(...violations);
    const fault = faults.map((one) => one(name)).find((one) => one !== null) ?? null;
    if (fault !== null && fault !== "lose") return send(fault.status, fault.body, fault.headers);
    try {
      if (violations.length > 0) throw new LinearRefusal(violations.join("; "));
      const data: Record<string, unknown> = {};
      for (const field of fields) {
        const asked = field.name.value;
        const own = asked === "viewer" ? viewer : asked === "organization" ? organizationOf(viewer) : null;
        data[asked] = selected(own ?? resolve(asked, variables), field.selectionSet);
      }
      for (const look of waiting) look();
      if (fault === "lose") return void request.socket.destroy();
      send(200, { data });
    } catch (error) {
      if (!(error instanceof LinearRefusal)) throw error;
      send(200, {
        data: null,
        errors: [{ message: error.message, path: [name], extensions: { type: "invalid input", userError: true } }],
      });
    }
  }

  function oauth(request: IncomingMessage, body: string, send: (status: number, data: unknown) => void): void {
    const form = new URLSearchParams(body);
    const asked = Object.fromEntries(form);
    if (!request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded"))
      problems.push("OAuth: not a form");
    if (
      asked.grant_type !== "client_credentials" ||
      asked.client_id !== client.id ||
      asked.client_secret !== client.secret
    ) {
      send(401, { error: "invalid_client" });
      return;
    }
    // An app has one of these alive at a time: a new one ends the one before it.
    tokens.delete(inItsOwnName);
    const token = `lin_oauth_${randomUUID().replaceAll("-", "")}`;
    inItsOwnName = token;
    tokens.set(token, app);
    send(200, {
      access_token: token,
      token_type: "Bearer",
      expires_in: LIFE_SEC,
      scope: (asked.scope ?? "")
        .split(",")
        .filter((one) => o.scopes?.includes(one) ?? true)
        .join(" "),
    });
  }

  async function deliver(payload: unknown): Promise<number> {
    if (sink === null) throw new Error("nobody takes webhooks");
    return (await sink(payloads.signedRequest(`${apiUrl}/hooks`, secret, payload))).status;
  }

  const userOf = (name: string): LinearUser => {
    const user = users.get(name);
    if (user === undefined) throw new Error(`there is no ${name}`);
    return user;
  };

  function open(issue: LinearIssue, by: string | null, comment: string | null): LinearSession {
    const creator = by === null ? null : userOf(by);
    const session: LinearSession = {
      id: randomUUID(),
      creator,
      issue,
      comment: comment === null ? null : { id: randomUUID(), body: comment, userId: creator?.id ?? null },
    };
    sessions.set(session.id, session);
    return session;
  }

  const people = oauthDouble({
    apiUrl,
    client,
    callbacks: () => o.callbacks?.() ?? [],
    userOf,
    tokens,
    problems,
  });

  return {
    apiUrl,
    oauth: people,
    /** What the product is started with to work as the app. */
    settings: {
      LINEAR_CLIENT_ID: client.id,
      LINEAR_CLIENT_SECRET: client.secret,
      LINEAR_WEBHOOK_SECRET: secret,
      LINEAR_API_URL: apiUrl,
    },
    organization,
    app,
    client,
    webhookSecret: secret,
    sender,
    users: userOf,
    problems: problems as readonly string[],
    requests: requests as readonly { readonly field: string; readonly variables: Readonly<Record<string, unknown>> }[],
    attachments: attachments as readonly { readonly issue: string; readonly url: string }[],
    /** A token that works, as somebody would make it by hand: with actor=app, or as the person of that name. */
    token(as: string = app.name): string {
      const token = `lin_oauth_${randomUUID().replaceAll("-", "")}`;
      tokens.set(token, userOf(as));
      return token;
    },
    /** Nothing that was given so far works any more. */
    revoke: () => tokens.clear(),
    /** The next `calls` come with a token that has just ended. */
    revokeNext(calls: number) {
      ending = calls;
    },
    fail: (fault: Fault) => void faults.push(fault),
    mend: () => void faults.splice(0),
    deliverTo(to: (request: Request) => Promise<Response>) {
      sink = to;
    },
    issue(team: string, title: string, description = "") {
      const of = teams.get(team);
      if (of === undefined) throw new Error(`there is no team ${team}`);
      const identifier = `${team}-${issues.size + 1}`;
      const issue = {
        id: randomUUID(),
        identifier,
        title,
        description,
        url: `https://linear.app/acme/issue/${identifier}`,
        team: of,
        state: `${team}-todo`,
      };
      issues.set(issue.id, issue);
      return issue;
    },
    stateOf: (issue: Pick<LinearIssue, "id">) => issues.get(issue.id)?.state ?? null,
    outlineOf: (session: string) => outlines.get(session) ?? null,
    /** What people see in a session: an ephemeral activity is gone with the next one. */
    activitiesOf: (session: string) => {
      const all = activities.filter((one) => one.session === session);
      return all.filter((one, n) => !one.ephemeral || n === all.length - 1);
    },
    /** With those that are gone. */
    everyActivity: (session: string) => activities.filter((one) => one.session === session),
    /** The first activity, past or future, that fits. */
    sees(session: string, fits: (activity: KeptActivity) => boolean): Promise<KeptActivity> {
      const { promise, resolve: found } = Promise.withResolvers<KeptActivity>();
      const look = () => {
        const match = activities.find((one) => one.session === session && fits(one));
        if (match === undefined) return;
        waiting.delete(look);
        found(match);
      };
      waiting.add(look);
      look();
      return promise;
    },
    /** Opens a session, without a word to anybody. */
    open,
    deliver,
    async delegate(issue: LinearIssue, by: string | null): Promise<LinearSession> {
      const session = open(issue, by, null);
      const status = await deliver(payloads.created(sender, session));
      if (status !== 200) problems.push(`a delivery was answered ${status}`);
      return session;
    },
    async prompt(session: LinearSession, by: string, body: string, o2: { stop?: boolean } = {}): Promise<void> {
      const status = await deliver(payloads.prompted(sender, session, { by: userOf(by), body, ...o2 }));
      if (status !== 200) problems.push(`a delivery was answered ${status}`);
    },
    async unassign(issue: LinearIssue, by: string | null): Promise<void> {
      const status = await deliver(payloads.unassigned(sender, issue, by === null ? null : userOf(by)));
      if (status !== 200) problems.push(`a delivery was answered ${status}`);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Of an object, what was asked for and nothing else. What is asked for and not there is a fault of the double. */
function selected(value: unknown, set: SelectionSetNode | undefined): unknown {
  if (set === undefined || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => selected(one, set));
  const from = value as Readonly<Record<string, unknown>>;
  const made: Record<string, unknown> = {};
  for (const one of set.selections) {
    if (one.kind !== Kind.FIELD) throw new Error("only plain fields are asked for");
    const name = one.name.value;
    if (!(name in from)) throw new Error(`the double has no ${name}`);
    made[name] = selected(from[name], one.selectionSet);
  }
  return made;
}
