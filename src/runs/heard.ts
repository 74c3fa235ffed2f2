import type { Place } from "#ports/chat.ts";
import type { Account } from "#ports/directory.ts";
import type { Ticket } from "./run.ts";

/** What a person said to us on a surface, already verified and cleaned of the mention. */
export interface Heard {
  readonly account: Account;
  /** Of the conversation; `thread` is the id of its first message, also when this is the first. */
  readonly place: Place;
  /** Whether this message began the conversation. */
  readonly first: boolean;
  /** Unique for this message on its surface: "slack:T0LOCAL:C0SHOP:1700000000.000100". */
  readonly requestKey: string;
  readonly text: string;
  /** Said to us alone, where no channel can say which team it is for. */
  readonly direct: boolean;
  /** The ticket it is about, where it was said on one. */
  readonly ticket?: Ticket;
  /** A ticket's words and not a message to us: what is a command in a message is none in it. */
  readonly asTask?: boolean;
  /** Shared with another organisation: always refused. */
  readonly shared: boolean;
}
