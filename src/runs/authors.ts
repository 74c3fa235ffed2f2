import type { ExternalId } from "#ports/directory.ts";
import type { Core } from "./core.ts";

/** Accounts of everyone whose words a pull request came of, its requester among them; none when no run of ours opened it. */
export async function authorsOfPull(
  core: Pick<Core, "store" | "stores">,
  repo: string,
  number: number,
): Promise<readonly ExternalId[]> {
  const run = await core.stores.runs.byPullRequest(repo, number);
  if (!run) return [];
  return core.store.tx(async (tx) => {
    const accounts: ExternalId[] = [];
    for (const { id } of await core.stores.people.authors(tx, run.id))
      accounts.push(...(await core.stores.people.identities(tx, id)));
    return accounts;
  });
}
