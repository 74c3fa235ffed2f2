import type { Place } from "#ports/chat.ts";
import type { Account, ExternalId } from "#ports/directory.ts";
import type { NotLinked } from "#runs/linkable.ts";
import type { Words } from "#runs/record/waiting.ts";
import type { Heard } from "#runs/request/hear.ts";
import type { Run } from "#runs/run.ts";
import type { LinkedAccount } from "#runs/stores.ts";
import type { View } from "#runs/view.ts";

/** What a person of Linear may do here. `linear.ts` hands over the core's verbs with their `Core` bound. */
export interface LinearVerbs {
  /** The chat account behind an account of Linear; `null`: nobody has shown whose it is. Throws `DirectoryUnavailable`. */
  personOf(user: ExternalId): Promise<Account | null>;
  /** What is returned is for the speaker; the rest comes through the outbox. */
  hear(heard: Heard): Promise<View | null>;
  stop(o: { readonly runId: string; readonly account: Account; readonly place: Place }): Promise<View>;
  runAt(place: Place): Promise<Run | null>;
  /** Runs that were asked for on a ticket and are not over. */
  runsOn(ticket: string): Promise<readonly Run[]>;
  /** Whoever owns the chat account is told of it in their chat. */
  redeem(o: {
    readonly text: string;
    readonly account: LinkedAccount;
    readonly once: string;
  }): Promise<{ readonly linked: Account } | NotLinked>;
  /** `false`: too much waits already. */
  keep(who: ExternalId, words: Words): Promise<boolean>;
  waiting(who: ExternalId): Promise<readonly { readonly words: Words; settle(): Promise<void> }[]>;
}
