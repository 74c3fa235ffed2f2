import { memoryTracker } from "#adapters/ticket/memory.ts";
import { TicketUnavailable } from "#ports/ticket.ts";
import { ticketContract } from "#test/contracts/ticket.ts";

ticketContract("memory", async () => {
  const tracker = memoryTracker();
  tracker.put({ id: "ana", name: "Ana", kind: "member" });
  tracker.put({ id: "robot", name: "Robot", kind: "app" });
  return {
    tracker,
    session: "session-1",
    ticket: "ticket-1",
    member: "ana",
    app: "robot",
    activities: () => tracker.posted.map(({ id }) => id),
    outline: () => tracker.outlines.get("session-1") ?? null,
    begun: () => tracker.begun.includes("ticket-1"),
    pulls: () => tracker.pulls.map(({ url }) => url),
    loseNextAnswer: () => tracker.loseNextAnswer(),
    limitNext: () => tracker.fail(new TicketUnavailable("limited", "too many calls", { retryAfterMs: 2_000 })),
    close: async () => {},
  };
});
