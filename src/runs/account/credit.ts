import type { Tx } from "#ports/store.ts";
import type { Core } from "#runs/core.ts";
import type { Person, Run } from "#runs/run.ts";
import type { LinkedAccount } from "#runs/stores.ts";

/** An author with the accounts elsewhere that they have shown to be theirs. */
export interface Credited {
  readonly person: Person;
  readonly accounts: readonly LinkedAccount[];
}

/** Everyone whose words the run came of, in the order in which they joined. The chat account is left out. */
export async function authorsOf(
  core: Pick<Core, "stores" | "linkable">,
  tx: Tx,
  run: Pick<Run, "id">,
): Promise<readonly Credited[]> {
  const out: Credited[] = [];
  // One after the other: a transaction has one connection, and asks it one thing at a time.
  for (const person of await core.stores.people.authors(tx, run.id)) {
    const accounts = await core.stores.people.accounts(tx, person.id);
    const elsewhere = accounts.filter(({ provider, workspace }) =>
      core.linkable?.some((place) => place.provider === provider && place.workspace === workspace),
    );
    out.push({ person: { id: person.id, name: person.name }, accounts: elsewhere });
  }
  return out;
}

/** Characters that end a line, or hide or reorder what one reads. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]+/gu;
const oneLine = (text: string): string => text.replace(HIDDEN, " ").replace(/\s+/g, " ").trim();
const NAME_MOST = 100;

/** A person's name as it stands in a commit: one line, without what would begin or end an address. */
const plainName = (name: string): string =>
  oneLine(name.replace(/[<>]+/g, " ")).slice(0, NAME_MOST).trim() || "Somebody";

/** What GitHub takes as the account's own address: docs.github.com, "Setting your commit email address". */
const LOGIN = /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98})$/;

/**
 * The line that credits an author. On GitHub with the address by which GitHub knows the account that they linked; else with
 * one that is nobody's mail.
 */
function trailerOf({ person, accounts }: Credited): string {
  const github = accounts.find(({ provider }) => provider === "github");
  const known = github !== undefined && /^\d+$/.test(github.id) && LOGIN.test(github.name ?? "");
  const address = known
    ? `${github.id}+${github.name}@users.noreply.${github.workspace}`
    : `${person.id}@people.countersign.invalid`;
  return `Co-authored-by: ${plainName(person.name)} <${address}>`;
}

/** What git, or whoever reads a message line by line, would take for a trailer. */
const TRAILER = /^\s*([A-Za-z0-9-]+-by)\s*:/i;

/**
 * The message of a commit that we make. `subject` is words of whoever asked: they are one line, and never a trailer of their
 * own.
 */
export function commitMessage(
  subject: string,
  run: Pick<Run, "number" | "requester">,
  authors: readonly Credited[],
): string {
  const line = oneLine(subject).replace(TRAILER, "$1 -");
  const by = plainName(run.requester.name);
  return [line, "", `Run ${run.number}, asked by ${by}.`, "", ...authors.map(trailerOf)].join("\n");
}
