import type { WebClient } from "@slack/web-api";
import type { Chat, Place } from "#ports/chat.ts";
import type { Account } from "#ports/directory.ts";
import type { View } from "#runs/view.ts";
import type { Card } from "./cards/blocks.ts";
import type { ChannelFacts } from "./channel-facts.ts";
import type { SlackVerbs } from "./verbs.ts";
import type { Log } from "./whisper.ts";

/** What every listener works with: who and where in the core's words, and the ways to answer. */
export interface Desk {
  readonly urgent: WebClient;
  readonly verbs: SlackVerbs;
  readonly identity: {
    readonly workspace: string;
    readonly botUserId: string;
    readonly botId: string;
    /** What permalinks begin with; `null`: not known. */
    readonly url?: string | null;
  };
  readonly log: Log;
  now(): Date;
  placed(channel: string, thread: string): Place;
  /** `null`: it cannot be known who this is, so nothing may be done. */
  accountOf(user: string): Promise<Account | null>;
  /** `null`: it cannot be known what this channel is. */
  factsOf(channel: string): Promise<ChannelFacts | null>;
  /** Says to one person what a view or a card says. */
  note(
    at: { readonly place: Place; readonly user: string; readonly inThread: boolean },
    what: View | Card,
  ): Promise<void>;
  readonly show: Chat<View>["show"];
  /** The answer when somebody could not be looked up. */
  readonly unknown: View;
}
