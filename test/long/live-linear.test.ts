import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { linearAccess } from "#adapters/ticket/linear/access.ts";
import { clientToken } from "#adapters/ticket/linear/token.ts";
import { ask } from "#adapters/ticket/linear/vendor.ts";
import { Secret } from "#ports/secret.ts";
import type { Activity } from "#ports/ticket.ts";

/**
 * The tracker against the real Linear, on a ticket for trials: it opens a session there as the app, says one thing of each
 * kind, moves the ticket and puts it back. What comes by webhook is not tried: that takes a public address.
 */
const { LIVE_LINEAR_CLIENT_ID, LIVE_LINEAR_CLIENT_SECRET, LIVE_LINEAR_ISSUE } = process.env;
const { LIVE_LINEAR_PULL, LIVE_LINEAR_API_URL } = process.env;
const asked = LIVE_LINEAR_CLIENT_ID && LIVE_LINEAR_CLIENT_SECRET && LIVE_LINEAR_ISSUE;
if (!asked) {
  console.warn(
    'skipped: the real Linear was not tried. Set LIVE_LINEAR_CLIENT_ID, LIVE_LINEAR_CLIENT_SECRET and LIVE_LINEAR_ISSUE (a ticket for trials, such as "ENG-123").',
  );
} else if (!LIVE_LINEAR_PULL) {
  console.warn("LIVE_LINEAR_PULL names no pull request of GitHub, so none is linked to the ticket.");
}

const ISSUE = "query Issue($id: String!) { issue(id: $id) { id state { id type } } }";
const OPEN =
  "mutation Open($input: AgentSessionCreateOnIssue!) { agentSessionCreateOnIssue(input: $input) { success agentSession { id } } }";
const SESSION =
  "query Session($id: String!) { agentSession(id: $id) { plan externalLinks { label url } activities(first: 50) { nodes { id } } } }";
const BACK =
  "mutation Back($id: String!, $input: IssueUpdateInput!) { issueUpdate(id: $id, input: $input) { success } }";

const Issue = z.object({ issue: z.object({ id: z.string(), state: z.object({ id: z.string(), type: z.string() }) }) });
const Opened = z.object({ agentSessionCreateOnIssue: z.object({ agentSession: z.object({ id: z.string() }) }) });
const Session = z.object({
  agentSession: z.object({
    plan: z.unknown(),
    externalLinks: z.array(z.object({ label: z.string(), url: z.string() })),
    activities: z.object({ nodes: z.array(z.object({ id: z.string() })) }),
  }),
});

describe.skipIf(!asked)("the real Linear", { timeout: 120_000 }, () => {
  const apiUrl = LIVE_LINEAR_API_URL ?? "https://api.linear.app";
  const access = {
    clientId: LIVE_LINEAR_CLIENT_ID ?? "",
    clientSecret: new Secret("linear_client_secret", LIVE_LINEAR_CLIENT_SECRET ?? ""),
  };
  const said: string[] = [];
  const log = (message: string) => void said.push(message);
  const linear = linearAccess({ access, webhookSecret: new Secret("unused", "unused"), apiUrl, log });
  // An app has one such token alive, and what is tried here may have asked for its own since: ours is a new one each time.
  const raw = async (query: string, variables: Readonly<Record<string, unknown>>) =>
    ask({
      url: `${apiUrl}/graphql`,
      token: await clientToken({ apiUrl, ...access, log }).current(),
      query,
      variables,
    });
  const ticketNow = async () => Issue.parse(await raw(ISSUE, { id: LIVE_LINEAR_ISSUE })).issue;
  const sessionNow = async () => Session.parse(await raw(SESSION, { id: session })).agentSession;
  const { tracker } = linear;
  let ticket: Awaited<ReturnType<typeof ticketNow>>;
  let session = "";

  beforeAll(async () => {
    ticket = await ticketNow();
    const opened = Opened.parse(await raw(OPEN, { input: { issueId: ticket.id } }));
    session = opened.agentSessionCreateOnIssue.agentSession.id;
  });
  afterAll(async () => {
    if (session === "") return;
    await tracker.post(session, { id: randomUUID(), activity: { kind: "response", body: "That was a trial." } });
    await raw(BACK, { id: ticket.id, input: { stateId: ticket.state.id } });
  });

  test("takes the app's credentials, and gives it every scope that it asks for", async () => {
    const { isApp, user } = await linear.identity();
    expect(isApp).toBe(true);
    expect(said).toEqual([]);
    expect(await tracker.user(user.id)).toMatchObject({ kind: "app" });
    expect(await tracker.user("00000000-0000-4000-8000-000000000000")).toBeNull();
  });

  test("takes an activity of each kind, and one that is posted again only once", async () => {
    const activities: readonly Activity[] = [
      { kind: "thought", body: "A trial of the live suite." },
      { kind: "action", action: "Ran", parameter: "`npm test`", result: "exit 0" },
      { kind: "elicitation", body: "An answer is not waited for." },
      { kind: "error", body: "Nothing is wrong: this is a trial." },
    ];
    const ids: string[] = [];
    for (const activity of activities) {
      const id = randomUUID();
      ids.push(id);
      await tracker.post(session, { id, activity });
      await tracker.post(session, { id, activity });
    }
    const there = (await sessionNow()).activities.nodes.map(({ id }) => id).filter((id) => ids.includes(id));
    expect(there.sort()).toEqual(ids.sort());
  });

  test("replaces steps and links whole", async () => {
    const link = (label: string) => ({ label, url: `https://example.com/${label}` });
    const [pending, completed] = (["pending", "completed"] as const).map((status) => ({ content: "Work", status }));
    if (pending === undefined || completed === undefined) throw new Error("two steps");
    await tracker.outline(session, { plan: [pending], links: [link("run"), link("slack")] });
    await tracker.outline(session, { plan: [completed], links: [link("run")] });
    expect(await sessionNow()).toMatchObject({ plan: [completed], externalLinks: [link("run")] });
  });

  test("begins a ticket that nobody has begun, and leaves any other where it is", async () => {
    const begun = !["triage", "backlog", "unstarted"].includes(ticket.state.type);
    await tracker.begin(ticket.id);
    await tracker.begin(ticket.id);
    const { state } = await ticketNow();
    expect(begun ? state.id : state.type).toBe(begun ? ticket.state.id : "started");
  });

  test.skipIf(!LIVE_LINEAR_PULL)("links a pull request, and the same one again", async () => {
    await tracker.linkPull(ticket.id, LIVE_LINEAR_PULL ?? "");
    await tracker.linkPull(ticket.id, LIVE_LINEAR_PULL ?? "");
  });
});
