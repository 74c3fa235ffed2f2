import { afterEach, describe, expect, test } from "vitest";
import { type LinearAccess, linearAccess } from "#adapters/ticket/linear/access.ts";
import { Secret } from "#ports/secret.ts";
import { ticketContract } from "#test/contracts/ticket.ts";
import { type Fault, type LinearDouble, limited, linearDouble } from "#test/doubles/linear/double.ts";
import { linearSchemaFile } from "#test/doubles/linear/schema.ts";

const world = (): Promise<LinearDouble> =>
  linearDouble({
    users: [{ name: "Ana" }, { name: "Robot", app: true }, { name: "Gil", guest: true }],
    teams: ["SHOP"],
  });

function accessTo(double: LinearDouble, o: { logged?: string[]; secret?: string } = {}): LinearAccess {
  return linearAccess({
    access: {
      clientId: double.client.id,
      clientSecret: new Secret("linear_client_secret", o.secret ?? double.client.secret),
    },
    webhookSecret: new Secret("linear_webhook_secret", double.webhookSecret),
    apiUrl: double.apiUrl,
    log: (message) => void o.logged?.push(message),
  });
}

/** Once, and for calls that change something alone. */
function once(act: ReturnType<Fault>): Fault {
  let left = act;
  return (field) => {
    if (field !== "agentActivityCreate") return null;
    const now = left;
    left = null;
    return now;
  };
}

ticketContract("Linear", async () => {
  const double = await world();
  const issue = double.issue("SHOP", "Shipping text", "Say where we ship from.");
  const session = double.open(issue, "Ana", null);
  return {
    tracker: accessTo(double).tracker,
    session: session.id,
    ticket: issue.id,
    member: double.users("Ana").id,
    app: double.users("Robot").id,
    activities: () => double.everyActivity(session.id).map(({ id }) => id),
    outline: () => {
      const found = double.outlineOf(session.id);
      return found === null ? null : { plan: found.plan as readonly unknown[], links: found.externalUrls };
    },
    begun: () => double.stateOf(issue) === "SHOP-progress",
    pulls: () => double.attachments.map(({ url }) => url),
    loseNextAnswer: () => double.fail(once("lose")),
    limitNext: () => double.fail(once(limited({ "retry-after": "2" }))),
    async close() {
      await double.close();
      expect(double.problems).toEqual([]);
    },
  };
});

describe("Linear", () => {
  let double: LinearDouble;
  afterEach(() => double.close());

  test.skipIf(linearSchemaFile === null)(
    "every request is valid by Linear's own schema (skipped: its file is not beside the repository, and LINEAR_SCHEMA names none)",
    async () => {
      double = await world();
      const issue = double.issue("SHOP", "Shipping text");
      const session = double.open(issue, "Ana", null);
      const { tracker, identity } = accessTo(double);
      await identity();
      await tracker.post(session.id, {
        id: "6f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b",
        activity: { kind: "thought", body: "On it." },
      });
      await tracker.outline(session.id, { plan: [], links: [] });
      await tracker.begin(issue.id);
      await tracker.linkPull(issue.id, "https://github.com/acme/shop/pull/1");
      await tracker.user(double.users("Ana").id);
      expect(new Set(double.requests.map(({ field }) => field)).size).toBe(7);
      expect(double.problems).toEqual([]);
    },
  );

  test("says who we are, of which workspace", async () => {
    double = await world();
    expect(await accessTo(double).identity()).toEqual({
      organization: double.organization,
      user: { id: double.app.id, name: "Countersign" },
      isApp: true,
    });
  });

  test("a token that ended is renewed once, and a secret that is refused is said so", async () => {
    double = await world();
    const access = accessTo(double);
    await access.identity();
    double.revoke();
    expect((await access.identity()).isApp).toBe(true);
    await expect(accessTo(double, { secret: "wrong" }).identity()).rejects.toMatchObject({ code: "unauthorised" });
    const byHand = linearAccess({
      access: { token: new Secret("linear_access_token", "lin_oauth_nobodys") },
      webhookSecret: new Secret("linear_webhook_secret", double.webhookSecret),
      apiUrl: double.apiUrl,
      log: () => undefined,
    });
    await expect(byHand.identity()).rejects.toMatchObject({ code: "unauthorised" });
  });

  test("two replicas, each of which ends the other's token by asking for its own, both get on", async () => {
    double = await world();
    const both = [accessTo(double), accessTo(double)];
    for (let round = 0; round < 3; round += 1) {
      for (const access of both) expect((await access.identity()).isApp).toBe(true);
    }
    // Whose new token is ended too before it is used has another.
    const [one, other] = both as [LinearAccess, LinearAccess];
    await other.identity();
    double.revokeNext(2);
    expect((await one.identity()).isApp).toBe(true);
    double.revokeNext(3);
    await expect(one.identity()).rejects.toMatchObject({ code: "unauthorised" });
  });

  test("a budget that is spent says when it is there again; a fault of Linear's is no refusal", async () => {
    double = await world();
    const session = double.open(double.issue("SHOP", "Shipping text"), "Ana", null);
    const { tracker } = accessTo(double);
    const post = () =>
      tracker
        .post(session.id, { id: "6f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b", activity: { kind: "thought", body: "On it." } })
        .then(
          () => null,
          (error: unknown) => error as { code: string; retryAfterMs: number | null },
        );
    double.fail(
      once(
        limited({
          "x-ratelimit-complexity-remaining": "0",
          "x-ratelimit-complexity-reset": String(Date.now() + 90_000),
        }),
      ),
    );
    const spent = await post();
    expect(spent?.code).toBe("limited");
    expect(spent?.retryAfterMs).toBeGreaterThan(60_000);
    expect(spent?.retryAfterMs).toBeLessThanOrEqual(90_000);
    double.fail(once({ status: 500, body: "no" }));
    expect(await post()).toMatchObject({ code: "unreachable" });
    double.fail(once({ status: 502, body: { errors: [{ message: "bad gateway" }] } }));
    expect(await post()).toMatchObject({ code: "unreachable" });
    expect(await post()).toBeNull();
  });

  test("a ticket that somebody began, or finished, stays where they put it", async () => {
    double = await world();
    const issue = double.issue("SHOP", "Shipping text");
    const { tracker } = accessTo(double);
    for (const state of ["SHOP-review", "SHOP-done"]) {
      issue.state = state;
      await tracker.begin(issue.id);
      expect(double.stateOf(issue)).toBe(state);
    }
  });

  test("what Linear refuses is refused for good: a session that is not there, words in a person's name", async () => {
    double = await world();
    const { tracker } = accessTo(double);
    const gone = tracker.post("no-such-session", {
      id: "6f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b",
      activity: { kind: "thought", body: "On it." },
    });
    await expect(gone).rejects.toMatchObject({ code: "refused" });
    await expect(tracker.begin("no-such-ticket")).rejects.toMatchObject({ code: "refused" });
  });
});
