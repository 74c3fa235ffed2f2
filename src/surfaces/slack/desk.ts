import type { WebClient } from "@slack/web-api";
import type { Chat, Place } from "#ports/chat.ts";
import type { Account, Directory } from "#ports/directory.ts";
import type { View } from "#runs/view.ts";
import type { Card } from "./cards/blocks.ts";
import type { ChannelFacts } from "./channel-facts.ts";
import type { InstallationOf } from "./left.ts";
import type { SlackVerbs } from "./verbs.ts";
import type { Log } from "./whisper.ts";

/** One workspace that has installed us, with what speaks to it and to no other. */
export interface SlackWorkspace {
  /** For answers to people and modals. */
  readonly urgent: WebClient;
  /** For facts about its channels. */
  readonly reads: WebClient;
  /** Who we are there: `auth.test`. */
  readonly identity: Desk["identity"];
  readonly directory: Pick<Directory, "account">;
  /** Of the chat port: what a command began is posted once, whatever happens between. */
  readonly show: Chat<View>["show"];
}

/**
 * What becomes of a request: "shut": it is of no installation that is heard, and nobody learns of it. "blocked": it is, and our
 * tokens for it cannot be opened, so that nothing can be done or said there.
 */
export type Door = "open" | "shut" | "blocked";

/** The workspaces that we are in. */
export interface SlackWorkspaces {
  /** `null`: nothing may be done there, or can be. */
  of(workspace: string): Promise<SlackWorkspace | null>;
  door(of: InstallationOf): Promise<Door>;
}

/** The desk of the workspace that Bolt has authorised. Throws when it has left meanwhile. */
export type DeskOf = (context: { readonly teamId?: string | undefined }) => Promise<Desk>;

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
