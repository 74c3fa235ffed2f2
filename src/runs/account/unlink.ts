import { z } from "zod";
import { LINK_PLACES, type LinkPlace } from "#policy/linked.ts";
import type { Tx } from "#ports/store.ts";
import type { Core } from "#runs/core.ts";
import { newId } from "#runs/ids.ts";
import type { Person } from "#runs/run.ts";
import type { LinkedAccount, OutboxRow } from "#runs/stores.ts";
import type { View } from "#runs/view.ts";

const PREFIX = "unlinked:";
/** Of the outbox: a message to the one person whose account it was. */
export const UNLINKED = "unlinked";

/** Who took it: the operator, by their name on the machine, or somebody who signed in as that account. */
const Taken = z.union([z.strictObject({ operator: z.string() }), z.strictObject({ signedIn: z.string() })]);
type Taken = z.infer<typeof Taken>;

/** An account that was taken from somebody, as the record has it. */
export const Unlinked = z.strictObject({
  provider: z.enum(LINK_PLACES),
  workspace: z.string(),
  id: z.string(),
  name: z.string().nullable(),
  person: z.strictObject({ id: z.string(), name: z.string() }),
  by: Taken,
});
export type Unlinked = z.infer<typeof Unlinked>;

/**
 * Records, with when, that an account is no longer somebody's, and wants them told of it in their chat. Call it in the transaction
 * that takes it.
 */
export async function tellUnlinked(
  core: Pick<Core, "stores" | "clock">,
  tx: Tx,
  account: LinkedAccount,
  from: Person,
  by: Taken,
): Promise<Unlinked> {
  const { provider, workspace, id, name } = account;
  const key = `${PREFIX}${newId(core.clock.now())}`;
  const unlinked = Unlinked.parse({ provider, workspace, id, name, person: { id: from.id, name: from.name }, by });
  await core.stores.notes.keep(tx, key, unlinked);
  const chat = (await core.stores.people.identities(tx, from.id)).filter((one) => !isLinkPlace(one.provider));
  for (const [n, to] of chat.entries()) {
    const place = { provider: to.provider, workspace: to.workspace, channel: to.id, thread: "" };
    await core.stores.outbox.want(tx, { key: `${key}:${n}`, runId: null, place, kind: UNLINKED, subject: key });
  }
  return unlinked;
}

const isLinkPlace = (provider: string): provider is LinkPlace => (LINK_PLACES as readonly string[]).includes(provider);

/** What the person is told whose account it was. `null`: nothing is known of it. */
export async function lostOf(core: Pick<Core, "stores">, { subject }: OutboxRow): Promise<View | null> {
  const note = subject === null ? null : await core.stores.notes.get(subject);
  if (note === null) return null;
  const { provider, id, name, by } = Unlinked.parse(note.body);
  return {
    kind: "link_lost",
    provider,
    account: provider === "github" && name !== null ? name : id,
    name: name ?? id,
    by,
  };
}

/** What came of an operator's word. */
export type TakenBack =
  | { readonly kind: "unlinked"; readonly account: Unlinked }
  | { readonly kind: "nobody" }
  /** Several are called so: "workspace/id" says which. */
  | { readonly kind: "several"; readonly accounts: readonly LinkedAccount[] };

/**
 * The operator takes an account from whoever has linked it: as when they take it back themselves, and they are told. `called`:
 * its name there, its id, or "workspace/id".
 */
export async function takeBack(
  core: Pick<Core, "store" | "stores" | "clock" | "nudge">,
  o: { readonly provider: LinkPlace; readonly called: string; readonly operator: string },
): Promise<TakenBack> {
  const came = await core.store.tx(async (tx): Promise<TakenBack> => {
    const found = await core.stores.people.called(tx, o.provider, o.called);
    // What says more wins: a name may be another account's id.
    const exactly = [
      found.filter(({ workspace, id }) => `${workspace}/${id}` === o.called),
      found.filter(({ id }) => id === o.called),
      found,
    ];
    const [account, ...more] = exactly.find((some) => some.length > 0) ?? [];
    if (account === undefined) return { kind: "nobody" };
    if (more.length > 0) return { kind: "several", accounts: [account, ...more].map(({ person: _, ...one }) => one) };
    await core.stores.people.release(tx, account);
    const by = { operator: o.operator };
    return { kind: "unlinked", account: await tellUnlinked(core, tx, account, account.person, by) };
  });
  core.nudge();
  return came;
}

/** What was taken from somebody, the newest last; no more than `limit`. */
export async function takenBack(
  core: Pick<Core, "stores">,
  limit: number,
): Promise<readonly (Unlinked & { readonly at: Date })[]> {
  const keys = await core.stores.notes.keys(PREFIX, limit);
  const found = await Promise.all(keys.map((key) => core.stores.notes.get(key)));
  return found.flatMap((note) => (note === null ? [] : [{ ...Unlinked.parse(note.body), at: note.at }]));
}
