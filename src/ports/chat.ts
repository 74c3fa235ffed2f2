import type { ExternalId } from "./directory.ts";

/** Where a conversation is. `thread` is the platform's own id of the thread's first message; "": the channel itself. */
export interface Place {
  readonly provider: string;
  readonly workspace: string;
  readonly channel: string;
  readonly thread: string;
}

/** Which wish for a message this is, and which one was shown last, by whichever process: growing numbers. */
export interface Turn {
  readonly last: number;
  readonly now: number;
}

/**
 * Shows facts to people. `View` is the core's; the surface has the words and the layout.
 * Throws `ChatUnavailable` when nothing is known to have been shown; the outbox tries again.
 */
export interface Chat<View> {
  /**
   * Posts the one message of this key, or edits it when `shown` is its id. After a crash between posting and
   * recording, the adapter looks the key up in the thread before it posts again. What it remembers of a message counts
   * only while nobody else has shown it since, which `turn` says; without one it is alone.
   */
  show(key: string, place: Place, view: View, shown: string | null, turn?: Turn): Promise<{ messageId: string }>;
  /** A note that only one person sees. */
  whisper(place: Place, to: ExternalId, view: View): Promise<void>;
}

export class ChatUnavailable extends Error {
  override readonly name = "ChatUnavailable";
  readonly retryAfterMs: number | null;

  constructor(message: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(message, options);
    this.retryAfterMs = options?.retryAfterMs ?? null;
  }
}
