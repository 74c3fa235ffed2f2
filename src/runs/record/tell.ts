import type { Place } from "#ports/chat.ts";
import type { Tx } from "#ports/store.ts";
import type { Core } from "#runs/core.ts";
import { CLAIM_MS } from "#runs/in-hand.ts";
import type { Run } from "#runs/run.ts";
import type { OutboxRow } from "#runs/stores.ts";

/** Messages a run may have; each is posted once and edited in place. */
export type MessageKind =
  | "status"
  | "approval"
  | "reminder"
  | "escalated"
  | "delegated"
  | "receipt"
  | "outcome"
  | "blocked"
  | "forge";

/** Asks for a message to be shown as things are when it is rendered. The key makes a second one impossible. */
export async function tell(
  core: Pick<Core, "stores">,
  tx: Tx,
  run: Told,
  kind: MessageKind,
  subject: string | null = null,
): Promise<void> {
  for (const row of messages(run, kind, subject)) await core.stores.outbox.want(tx, row);
}

/** The same for what is one more of many, such as a step: it is shown when there is room for it. */
export async function tellStep(
  core: Pick<Core, "stores">,
  tx: Tx,
  run: Told,
  kind: "status" | "blocked",
  subject: string | null = null,
): Promise<void> {
  for (const row of messages(run, kind, subject)) await core.stores.outbox.want(tx, row, { patient: true });
}

/** The message's key in the outbox: at the run's home there is one of a kind about a subject. */
export const messageKey = (run: Pick<Run, "id" | "place">, kind: MessageKind, subject: string | null): string =>
  `${run.place.provider}:${run.id}:${kind}${subject === null ? "" : `:${subject}`}`;

/**
 * The same for the first message of a new run, which a person waits for: claimed by this process, which shows it once
 * `tx` has committed. `null`: this process shows none, and it was asked for as any other.
 */
export async function tellInHand(core: Pick<Core, "stores" | "hand">, tx: Tx, run: Told): Promise<OutboxRow | null> {
  const [home, ...others] = messages(run, "status", null);
  const claimed = core.hand ? await core.stores.outbox.claim(tx, home, CLAIM_MS) : null;
  for (const row of claimed === null ? [home, ...others] : others) await core.stores.outbox.want(tx, row);
  return claimed;
}

type Told = Pick<Run, "id" | "place" | "mirror">;
type Wish = Pick<OutboxRow, "key" | "runId" | "place" | "kind" | "subject">;

/**
 * One at the run's home and one in its mirror. The mirror's name no thread, as the first of them makes it: which that is is
 * looked up when they are shown.
 */
function messages(run: Told, kind: MessageKind, subject: string | null): readonly [Wish, ...Wish[]] {
  const at = (place: Place): Wish => ({
    key: messageKey({ id: run.id, place }, kind, subject),
    runId: run.id,
    place,
    kind,
    subject,
  });
  return [at(run.place), ...(run.mirror === null ? [] : [at({ ...run.mirror, thread: "" })])];
}
