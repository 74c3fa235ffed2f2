import { z } from "zod";
import type { Account } from "#ports/directory.ts";
import type { Tx } from "#ports/store.ts";
import type { Core } from "#runs/core.ts";
import type { LinkedAccount, OutboxRow } from "#runs/stores.ts";
import type { View } from "#runs/view.ts";

/** Of the outbox: a message to the one person whose account it is from now on. */
export const LINKED = "linked";

const Linked = z.strictObject({ provider: z.string(), name: z.string(), person: z.string() });

/**
 * Wants whoever owns the chat account told what acts in their name from now on, or a link that was read over a shoulder would go
 * unseen. Call it in the transaction that links; `use` names the one use of a code, and each is told of once, whoever calls again.
 */
export async function tellLinked(
  core: Pick<Core, "stores">,
  tx: Tx,
  o: { readonly use: string; readonly account: LinkedAccount; readonly owner: Account },
): Promise<void> {
  const { account, owner } = o;
  const key = keyOf(o.use);
  const linked = { provider: account.provider, name: account.name ?? account.id, person: owner.name };
  if (!(await core.stores.notes.keep(tx, key, Linked.parse(linked)))) return;
  const place = { provider: owner.provider, workspace: owner.workspace, channel: owner.id, thread: "" };
  await core.stores.outbox.want(tx, { key, runId: null, place, kind: LINKED, subject: null });
}

const keyOf = (use: string): string => `told:${use}`;

/** Whether this use of a code has linked an account, whatever became of that since. */
export const wasTold = async (core: Pick<Core, "stores">, use: string): Promise<boolean> =>
  (await core.stores.notes.get(keyOf(use))) !== null;

/** What the owner is told. `null`: nothing is known of it. */
export async function linkedOf(core: Pick<Core, "stores">, { key }: OutboxRow): Promise<View | null> {
  const note = await core.stores.notes.get(key);
  return note === null ? null : { kind: "linked", ...Linked.parse(note.body) };
}
