import { z } from "zod";
import type { ExternalId } from "#ports/directory.ts";
import type { Core } from "#runs/core.ts";
import { redacted } from "#runs/redact.ts";

/** Whoever links their account the day after still means it; after that the words have to be written again. */
const OPEN_MS = 3 * 24 * 60 * 60_000;
/** Of one account; far more than anybody asks for before they read the answer. */
const MOST = 50;

/** What somebody asked for whose account is linked with nobody here yet. */
const Words = z.strictObject({
  place: z.strictObject({ provider: z.string(), workspace: z.string(), channel: z.string(), thread: z.string() }),
  requestKey: z.string(),
  text: z.string(),
  asTask: z.boolean(),
  ticket: z.strictObject({ id: z.string(), name: z.string(), url: z.string() }).nullable(),
});
export type Words = z.infer<typeof Words>;

const keyOf = ({ provider, workspace, id }: ExternalId, n: number): string =>
  `waiting:${provider}:${workspace}:${id}:${n}`;

/** Keeps the words until the account is linked. Idempotent by `requestKey`. `false`: too many wait already. */
export async function keepWords(core: Core, who: ExternalId, words: Words): Promise<boolean> {
  for (let n = 1; n <= MOST; n += 1) {
    const key = keyOf(who, n);
    const there = await core.stores.notes.get(key);
    if (there === null) {
      if (await core.store.tx((tx) => core.stores.notes.keep(tx, key, redacted(words, core.redact)))) return true;
      n -= 1;
    } else if (Words.safeParse(there.body).data?.requestKey === words.requestKey) return true;
  }
  return false;
}

/**
 * The words that wait for this account, oldest first, each until `settle` is called. Asked for twice they are the same: what
 * they lead to is idempotent by `requestKey`.
 */
export async function waitingWords(
  core: Core,
  who: ExternalId,
): Promise<readonly { readonly words: Words; settle(): Promise<void> }[]> {
  const found: { words: Words; settle(): Promise<void> }[] = [];
  for (let n = 1; n <= MOST; n += 1) {
    const key = keyOf(who, n);
    const note = await core.stores.notes.get(key);
    if (note === null) break;
    const read = Words.safeParse(note.body);
    const late = core.clock.now().getTime() - note.at.getTime() > OPEN_MS;
    if (!read.success || late || (await core.stores.notes.get(`${key}:done`)) !== null) continue;
    const settle = () => core.store.tx(async (tx) => void (await core.stores.notes.keep(tx, `${key}:done`, true)));
    found.push({ words: read.data, settle });
  }
  return found;
}
