/** What an agent shows in a session of a ticket. Nothing of it can be changed later. */
export type Activity =
  | {
      /** A thought is a remark; an elicitation waits for a person; a response and an error end what was asked. */
      readonly kind: "thought" | "elicitation" | "response" | "error";
      /** Markdown. */
      readonly body: string;
    }
  | {
      readonly kind: "action";
      readonly action: string;
      readonly parameter: string;
      /** `null`: it is still going on. */
      readonly result: string | null;
    };

export interface PostedActivity {
  /** UUID v4, made by the caller: the same one again is the same activity. */
  readonly id: string;
  readonly activity: Activity;
  /** Gone with the next one. Only of thoughts and actions. */
  readonly ephemeral?: boolean;
  /** Of an elicitation: a button for one person, which leads to where they link their account. */
  readonly signIn?: { readonly url: string; readonly userId: string; readonly provider: string };
}

export interface Step {
  readonly content: string;
  readonly status: "pending" | "inProgress" | "completed" | "canceled";
}

export interface TicketLink {
  readonly label: string;
  readonly url: string;
}

export interface TicketUser {
  readonly id: string;
  readonly name: string;
  /** Only "member" may act. */
  readonly kind: "member" | "guest" | "app" | "deactivated";
}

/**
 * A tracker whose tickets are handed to us, and where people follow what we do. Every call may be repeated. Throws
 * `TicketUnavailable`.
 */
export interface TicketTracker {
  /** Idempotent by id. */
  post(session: string, posted: PostedActivity): Promise<void>;
  /** Replaces the session's steps and links with these. */
  outline(session: string, o: { readonly plan: readonly Step[]; readonly links: readonly TicketLink[] }): Promise<void>;
  /** Moves a ticket that nobody has begun to its team's first state of work. */
  begin(ticket: string): Promise<void>;
  /** Shows a pull request of GitHub on the ticket. */
  linkPull(ticket: string, url: string): Promise<void>;
  /** `null`: there is no such account. */
  user(id: string): Promise<TicketUser | null>;
}

export class TicketUnavailable extends Error {
  override readonly name = "TicketUnavailable";
  /**
   * "limited": not now, by its own rules. "refused": the same call will be refused again. "unauthorised": our access has
   * ended. "unreachable": no answer that can be read; whether it was done is unknown.
   */
  readonly code: "limited" | "refused" | "unauthorised" | "unreachable";
  readonly retryAfterMs: number | null;

  constructor(
    code: TicketUnavailable["code"],
    message: string,
    options?: { cause?: unknown; retryAfterMs?: number | null },
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs ?? null;
  }
}
