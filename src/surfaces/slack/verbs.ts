import type { LinkPlace } from "#policy/linked.ts";
import type { Place } from "#ports/chat.ts";
import type { Account } from "#ports/directory.ts";
import type { Choice } from "#runs/approval.ts";
import type { Heard } from "#runs/request/hear.ts";
import type { HomeView, View } from "#runs/view.ts";

/** What a click or a modal may do. `main.ts` hands over the core's verbs with their `Core` bound. */
export interface SlackVerbs {
  /** Someone speaks here: what `hear` asks of others may be asked now. Must not throw. */
  foresee(place: Place): void;
  /** What is returned is for this person alone; the rest comes through the outbox. */
  hear(heard: Heard): Promise<View | null>;
  vote(cast: {
    readonly approvalId: string;
    readonly digest: string;
    readonly account: Account;
    readonly choice: Choice;
    readonly reason: string | null;
    readonly place: Place;
  }): Promise<View>;
  askAgain(o: { readonly approvalId: string; readonly account: Account; readonly place: Place }): Promise<View>;
  /** Which team a direct message is for. `null`: what came of it is seen in its thread. */
  choose(o: { readonly key: string; readonly team: string; readonly account: Account }): Promise<View | null>;
  /** Why this person may ask for nothing here; `null`: they may. */
  barred(heard: Heard): Promise<View | null>;
  /** What this person has to decide and has asked for. */
  home(account: Account): Promise<HomeView>;
  /** What this person links, or takes back. */
  accounts(o: {
    readonly account: Account;
    readonly what: "link" | "unlink";
    readonly place: LinkPlace | null;
  }): Promise<View>;
  teamPolicy(o: { readonly account: Account; readonly team: string }): Promise<View>;
  stopNumbered(o: { readonly number: number; readonly account: Account; readonly place: Place }): Promise<View>;
  stop(o: { readonly runId: string; readonly account: Account; readonly place: Place }): Promise<View>;
}
