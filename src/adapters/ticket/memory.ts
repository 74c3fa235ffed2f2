import {
  type PostedActivity,
  type Step,
  type TicketLink,
  type TicketTracker,
  TicketUnavailable,
  type TicketUser,
} from "#ports/ticket.ts";

export interface MemoryTracker extends TicketTracker {
  /** In the order they were posted. */
  readonly posted: readonly (PostedActivity & { readonly session: string })[];
  readonly outlines: ReadonlyMap<string, { readonly plan: readonly Step[]; readonly links: readonly TicketLink[] }>;
  readonly begun: readonly string[];
  readonly pulls: readonly { readonly ticket: string; readonly url: string }[];
  put(user: TicketUser): void;
  /** The next call fails with this before anything is done; `on`: the next one of that name. */
  fail(error: TicketUnavailable, on?: keyof TicketTracker): void;
  /** The next call is done, and its answer lost. */
  loseNextAnswer(): void;
}

/** Keeps everything in Maps. For tests. */
export function memoryTracker(): MemoryTracker {
  const posted: (PostedActivity & { readonly session: string })[] = [];
  const outlines = new Map<string, { readonly plan: readonly Step[]; readonly links: readonly TicketLink[] }>();
  const begun: string[] = [];
  const pulls: { readonly ticket: string; readonly url: string }[] = [];
  const users = new Map<string, TicketUser>();
  const failures: { readonly error: TicketUnavailable; readonly on: keyof TicketTracker | undefined }[] = [];
  let lose = false;

  async function call<T>(name: keyof TicketTracker, act: () => T): Promise<T> {
    const next = failures.findIndex(({ on }) => on === undefined || on === name);
    const [failure] = next < 0 ? [] : failures.splice(next, 1);
    if (failure !== undefined) throw failure.error;
    const result = act();
    if (!lose) return result;
    lose = false;
    throw new TicketUnavailable("unreachable", "the answer was lost");
  }

  return {
    posted,
    outlines,
    begun,
    pulls,
    post: (session, one) =>
      call("post", () => {
        if (!posted.some(({ id }) => id === one.id)) posted.push({ ...one, session });
      }),
    outline: (session, o) => call("outline", () => void outlines.set(session, o)),
    begin: (ticket) =>
      call("begin", () => {
        if (!begun.includes(ticket)) begun.push(ticket);
      }),
    linkPull: (ticket, url) =>
      call("linkPull", () => {
        if (!pulls.some((one) => one.ticket === ticket && one.url === url)) pulls.push({ ticket, url });
      }),
    user: (id) => call("user", () => users.get(id) ?? null),
    put: (user) => void users.set(user.id, user),
    fail(error, on) {
      failures.push({ error, on });
    },
    loseNextAnswer() {
      lose = true;
    },
  };
}
