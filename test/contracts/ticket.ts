import { describe, expect, test } from "vitest";
import type { PostedActivity, TicketTracker, TicketUnavailable } from "#ports/ticket.ts";

/** A tracker under test, with eyes on what people see. */
export interface TicketWorld {
  readonly tracker: TicketTracker;
  /** A session of ours on a ticket that nobody has begun. */
  readonly session: string;
  readonly ticket: string;
  /** Somebody who may act, and an app. */
  readonly member: string;
  readonly app: string;
  /** Ids of the session's activities, in order. */
  activities(): readonly string[];
  outline(): { readonly plan: readonly unknown[]; readonly links: readonly unknown[] } | null;
  begun(): boolean;
  pulls(): readonly string[];
  /** The next call is done, and its answer lost. */
  loseNextAnswer(): void;
  /** The next call is not done, since there were too many; it says to come back in two seconds. */
  limitNext(): void;
  close(): Promise<void>;
}

const ID = "6f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b";
const SECOND = "7a1e2d3c-4b5a-4978-9a6b-5c4d3e2f1a0b";
const thought = (id: string): PostedActivity => ({ id, activity: { kind: "thought", body: "On it." } });

/** What the surface may rely on. */
export function ticketContract(name: string, open: () => Promise<TicketWorld>): void {
  const it = (sentence: string, body: (world: TicketWorld) => Promise<void>) =>
    test(sentence, async () => {
      const world = await open();
      try {
        await body(world);
      } finally {
        await world.close();
      }
    });

  describe(`ticket tracker: ${name}`, () => {
    it("shows activities in the order they were posted, each once whatever how often it is posted", async (world) => {
      const { tracker, session, activities } = world;
      await tracker.post(session, thought(ID));
      await tracker.post(session, {
        id: SECOND,
        activity: { kind: "action", action: "Ran", parameter: "npm test", result: "exit 0" },
      });
      await tracker.post(session, thought(ID));
      expect(activities()).toEqual([ID, SECOND]);
    });

    it("takes every kind of activity", async ({ tracker, session, member, activities }) => {
      const ids = ["thought", "elicitation", "response", "error"].map(
        (_, n) => `${n}a1e2d3c-4b5a-4978-9a6b-5c4d3e2f1a0b`,
      );
      for (const [n, kind] of (["thought", "elicitation", "response", "error"] as const).entries())
        await tracker.post(session, { id: ids[n] ?? "", activity: { kind, body: `a ${kind}` } });
      const signIn = { url: "https://acme.slack.com/team/U0AGENT", userId: member, provider: "Slack" };
      await tracker.post(session, { id: ID, activity: { kind: "elicitation", body: "Who are you?" }, signIn });
      await tracker.post(session, {
        id: SECOND,
        ephemeral: true,
        activity: { kind: "action", action: "Runs", parameter: "npm test", result: null },
      });
      expect(activities()).toEqual([...ids, ID, SECOND]);
    });

    it("has one activity after an answer was lost and the same was posted again", async (world) => {
      const { tracker, session, activities, loseNextAnswer } = world;
      loseNextAnswer();
      await expect(tracker.post(session, thought(ID))).rejects.toMatchObject({ code: "unreachable" });
      expect(activities()).toEqual([ID]);
      await tracker.post(session, thought(ID));
      expect(activities()).toEqual([ID]);
    });

    it("says how long to wait when there were too many calls", async ({ tracker, session, activities, limitNext }) => {
      limitNext();
      const refused = (await tracker.post(session, thought(ID)).catch((error: unknown) => error)) as TicketUnavailable;
      expect(refused).toMatchObject({ name: "TicketUnavailable", code: "limited", retryAfterMs: 2_000 });
      expect(activities()).toEqual([]);
    });

    it("replaces steps and links whole", async ({ tracker, session, outline }) => {
      const link = (label: string) => ({ label, url: `https://example.com/${label}` });
      await tracker.outline(session, {
        plan: [{ content: "Work", status: "inProgress" }],
        links: [link("run"), link("slack")],
      });
      await tracker.outline(session, { plan: [{ content: "Work", status: "completed" }], links: [link("run")] });
      expect(outline()).toEqual({ plan: [{ content: "Work", status: "completed" }], links: [link("run")] });
    });

    it("begins a ticket and shows its pull request, each once", async ({ tracker, ticket, begun, pulls }) => {
      expect(begun()).toBe(false);
      await tracker.begin(ticket);
      await tracker.begin(ticket);
      expect(begun()).toBe(true);
      const url = "https://github.com/acme/shop/pull/7";
      await tracker.linkPull(ticket, url);
      await tracker.linkPull(ticket, url);
      expect(pulls()).toEqual([url]);
    });

    it("knows people from apps, and nobody from somebody", async ({ tracker, member, app }) => {
      expect(await tracker.user(member)).toMatchObject({ id: member, kind: "member" });
      expect(await tracker.user(app)).toMatchObject({ kind: "app" });
      expect(await tracker.user("00000000-0000-4000-8000-000000000000")).toBeNull();
    });
  });
}
