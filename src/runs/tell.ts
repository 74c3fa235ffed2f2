import type { Tx } from "#ports/store.ts";
import type { Core } from "./core.ts";
import { CLAIM_MS } from "./in-hand.ts";
import type { Run } from "./run.ts";
import type { OutboxRow } from "./stores.ts";

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
  run: Pick<Run, "id" | "place">,
  kind: MessageKind,
  subject: string | null = null,
): Promise<void> {
  await core.stores.outbox.want(tx, message(run, kind, subject));
}

/** The same for what is one more of many, such as a step: it is shown when there is room for it. */
export async function tellStep(
  core: Pick<Core, "stores">,
  tx: Tx,
  run: Pick<Run, "id" | "place">,
  kind: "status" | "blocked",
  subject: string | null = null,
): Promise<void> {
  await core.stores.outbox.want(tx, message(run, kind, subject), { patient: true });
}

/** The message's key in the outbox: there is one of a kind about a subject. */
export const messageKey = (run: Pick<Run, "id" | "place">, kind: MessageKind, subject: string | null): string =>
  `${run.place.provider}:${run.id}:${kind}${subject === null ? "" : `:${subject}`}`;

/**
 * The same for the first message of a new run, which a person waits for: claimed by this process, which shows it once
 * `tx` has committed. `null`: this process shows none, and it was asked for as any other.
 */
export async function tellInHand(
  core: Pick<Core, "stores" | "hand">,
  tx: Tx,
  run: Pick<Run, "id" | "place">,
): Promise<OutboxRow | null> {
  const claimed = core.hand ? await core.stores.outbox.claim(tx, message(run, "status", null), CLAIM_MS) : null;
  if (claimed === null) await tell(core, tx, run, "status");
  return claimed;
}

const message = (run: Pick<Run, "id" | "place">, kind: MessageKind, subject: string | null) => ({
  key: messageKey(run, kind, subject),
  runId: run.id,
  place: run.place,
  kind,
  subject,
});
