import type { ExternalId } from "#ports/directory.ts";
import type { Tx } from "#ports/store.ts";
import type { Author } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import type { Person, Run } from "#runs/run.ts";

/** Everyone whose words a run came of, each with the accounts that are theirs. */
export async function authorsWithAccounts(
  core: Pick<Core, "stores">,
  tx: Tx,
  run: Pick<Run, "id">,
): Promise<readonly { readonly person: Person; readonly accounts: readonly ExternalId[] }[]> {
  const authors: { person: Person; accounts: readonly ExternalId[] }[] = [];
  // One after the other: a transaction has one connection, and asks it one thing at a time.
  for (const person of await core.stores.people.authors(tx, run.id))
    authors.push({ person, accounts: await core.stores.people.identities(tx, person.id) });
  return authors;
}

/** Whether both are accounts of one workspace. */
export const isOn = (one: ExternalId, other: ExternalId): boolean =>
  one.provider === other.provider && one.workspace === other.workspace;

/** Each of them with their account where somebody clicks; `null`: they have none there. */
export const authorsOn = async (
  core: Pick<Core, "stores">,
  tx: Tx,
  run: Pick<Run, "id">,
  on: ExternalId,
): Promise<readonly Author[]> =>
  (await authorsWithAccounts(core, tx, run)).map(({ person, accounts }) => ({
    person,
    account: accounts.find((one) => isOn(one, on)) ?? null,
  }));

/** The accounts of all of them. */
export const accountsOfAuthors = async (
  core: Pick<Core, "store" | "stores">,
  run: Pick<Run, "id">,
): Promise<readonly ExternalId[]> =>
  (await core.store.tx((tx) => authorsWithAccounts(core, tx, run))).flatMap(({ accounts }) => accounts);

/** The same of a pull request, its requester among them; none when no run of ours opened it. */
export async function authorsOfPull(
  core: Pick<Core, "store" | "stores">,
  repo: string,
  number: number,
): Promise<readonly ExternalId[]> {
  const run = await core.stores.runs.byPullRequest(repo, number);
  return run ? accountsOfAuthors(core, run) : [];
}
