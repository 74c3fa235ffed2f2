import type { Account } from "#ports/directory.ts";
import type { Core } from "#runs/core.ts";
import { sameAccount } from "#runs/seat.ts";
import type { View } from "#runs/view.ts";
import { hear } from "./hear.ts";
import { waitingFor } from "./offer.ts";

/**
 * A person says which of their teams a direct message is for. Only who wrote the words may, once, and only a team that
 * they are in now. Always returns what to tell them, or `null` when everyone sees what came of it.
 */
export async function choose(
  core: Core,
  o: { readonly key: string; readonly team: string; readonly account: Account },
): Promise<View | null> {
  const waiting = await waitingFor(core, o.key);
  if (waiting === null || !sameAccount(waiting.account, o.account)) {
    return { kind: "refused", refusal: { code: "stale_menu" } };
  }
  const chosen = `${o.key}:chosen`;
  const before = (await core.stores.notes.get(chosen))?.body;
  if (before !== undefined && before !== o.team) return already(before);
  const { place, first, requestKey, text } = waiting;
  const heard = { account: o.account, place, first, requestKey, text, direct: true, shared: false };
  const view = await hear(core, heard, o.team);
  if (view?.kind === "refused" && NOT_YET.has(view.refusal.code)) return view;
  if (view === null) {
    const run = await core.stores.runs.byPlace(place);
    if (run !== null && run.team !== o.team) return already(run.team);
  }
  const fresh = await core.store.tx((tx) => core.stores.notes.keep(tx, chosen, o.team));
  // Pressed twice, or for two teams at once: the request was taken once, for the team that was first.
  return view === null && !fresh ? already((await core.stores.notes.get(chosen))?.body) : view;
}

/** After these the choice is still open: nothing was done for the team. */
const NOT_YET: ReadonlySet<string> = new Set([
  "not_a_member",
  "directory_unavailable",
  "policy_unavailable",
  "guest",
  "recipe_fields",
]);

const already = (team: unknown): View => ({
  kind: "refused",
  refusal: { code: "already_chosen", team: typeof team === "string" ? team : "" },
});
