import { z } from "zod";
import type { Core } from "#runs/core.ts";
import type { Heard } from "#runs/heard.ts";
import { redacted } from "#runs/redact.ts";
import type { View } from "#runs/view.ts";

/** The notes of words that wait for a choice begin so; the request's own key follows. */
export const CHOICES = "choice:";
/** A choice is for what was just said: after this the words have to be written again. */
const OPEN_MS = 24 * 60 * 60_000;

const place = z.strictObject({ provider: z.string(), workspace: z.string(), channel: z.string(), thread: z.string() });

/** Words of a direct message that wait for their team. Who said them is looked up again when they choose. */
const Waiting = z.strictObject({
  account: z.strictObject({ provider: z.string(), workspace: z.string(), id: z.string() }),
  place,
  first: z.boolean(),
  requestKey: z.string(),
  text: z.string(),
});
export type Waiting = z.infer<typeof Waiting>;

/** Keeps the words and asks which team they are for. Idempotent by `requestKey`. */
export async function offer(core: Core, heard: Heard, teams: readonly string[]): Promise<View> {
  const key = `${CHOICES}${heard.requestKey}`;
  const { provider, workspace, id } = heard.account;
  const waiting: Waiting = {
    account: { provider, workspace, id },
    place: heard.place,
    first: heard.first,
    requestKey: heard.requestKey,
    text: heard.text,
  };
  await core.store.tx((tx) => core.stores.notes.keep(tx, key, redacted(waiting, core.redact)));
  return { kind: "choose_team", key, teams, text: heard.text };
}

/** The words that wait under this key; `null` when there are none, or they have waited too long. */
export async function waitingFor(core: Core, key: string): Promise<Waiting | null> {
  const note = key.startsWith(CHOICES) ? await core.stores.notes.get(key) : null;
  if (note === null || core.clock.now().getTime() - note.at.getTime() > OPEN_MS) return null;
  const read = Waiting.safeParse(note.body);
  return read.success ? read.data : null;
}
