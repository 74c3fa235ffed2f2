import { userInfo } from "node:os";
import { parseArgs } from "node:util";
import { LINK_PLACES, type LinkPlace } from "#policy/linked.ts";

interface Account {
  readonly provider: string;
  readonly workspace: string;
  readonly id: string;
  readonly name: string | null;
}
type Taken = Account & {
  readonly person: { readonly name: string };
  readonly by: { readonly operator: string } | { readonly signedIn: string };
};

/** What the command line needs of the installation. */
export interface UnlinkCommand {
  /** `called`: the account's name, its id, or "workspace/id". */
  readonly unlink: (order: {
    readonly provider: LinkPlace;
    readonly called: string;
    readonly operator: string;
  }) => Promise<
    | { readonly kind: "unlinked"; readonly account: Taken }
    | { readonly kind: "nobody" }
    | { readonly kind: "several"; readonly accounts: readonly Account[] }
  >;
  /** What was taken from somebody, the newest last. */
  readonly taken: () => Promise<readonly (Taken & { readonly at: Date })[]>;
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
}

export const UNLINK_HELP = `  countersign unlink ${LINK_PLACES.join("|")} ACCOUNT
      Takes an account from the person who has linked it, as when they say unlink themselves; they are told in Slack, and
      whose account it is may link it. ACCOUNT: its name there, its id, or WORKSPACE/ID where several are called so.
  countersign unlink --list
      What was taken from somebody, by whom and when: by this command, or by somebody who signed in as the account.`;

const NAMES: Readonly<Record<LinkPlace, string>> = { github: "GitHub", linear: "Linear" };
const placeOf = (provider: string | undefined): LinkPlace | null => LINK_PLACES.find((one) => one === provider) ?? null;
const nameOf = ({ provider, id, name }: Account): string => `${name ?? id} on ${NAMES[placeOf(provider) ?? "github"]}`;

/** Runs `countersign unlink …`. 0: done; 1: there is no such link, or several; 2: not understood. */
export async function unlinkCommand(argv: readonly string[], at: UnlinkCommand): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: { list: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (values.list && positionals.length === 0) return list(at);
  const [word, called = "", ...more] = positionals;
  const provider = placeOf(word);
  if (values.list || provider === null || called === "" || more.length > 0) {
    at.error(`countersign unlink: name ${LINK_PLACES.join(" or ")}, and one account there\n\n${UNLINK_HELP}`);
    return 2;
  }
  const operator = userInfo().username;
  const came = await at.unlink({ provider, called, operator });
  switch (came.kind) {
    case "nobody":
      at.error(`countersign: nobody has linked ${called} on ${NAMES[provider]}`);
      return 1;
    case "several":
      at.error(
        [
          `countersign: several accounts on ${NAMES[provider]} are called ${called}. Name one of`,
          ...came.accounts.map((one) => `  countersign unlink ${provider} ${one.workspace}/${one.id}`),
        ].join("\n"),
      );
      return 1;
    default:
      at.out(`${nameOf(came.account)} is no longer linked with ${came.account.person.name}, who is told in Slack.`);
      at.out(`recorded as the word of ${operator}: countersign unlink --list`);
      return 0;
  }
}

async function list(at: UnlinkCommand): Promise<number> {
  const taken = await at.taken();
  if (taken.length === 0) at.out("No account was taken from anybody.");
  for (const one of taken) {
    const by = "operator" in one.by ? `operator ${one.by.operator}` : `${one.by.signedIn}, who signed in as it`;
    at.out(`${one.at.toISOString()}  ${nameOf(one)} (${one.workspace}/${one.id}), from ${one.person.name}, by ${by}`);
  }
  return 0;
}
