import type { LinkPlace } from "#policy/linked.ts";
import { LINK_PLACES } from "#policy/linked.ts";
import type { Account, ExternalId } from "#ports/directory.ts";
import type { Core } from "#runs/core.ts";
import { newCode } from "#runs/link-code.ts";
import type { View } from "#runs/view.ts";

/** Long enough to go to the other window. */
const CODE_MS = 10 * 60_000;

/**
 * For the speaker alone: how they show that an account elsewhere is theirs. A code that is good for one place, once, within
 * ten minutes; where people sign in, it is in the address that only they are shown.
 */
function linkCode(core: Pick<Core, "linkMac" | "linkable" | "clock">, owner: ExternalId, provider: LinkPlace): View {
  const place = core.linkable?.find((one) => one.provider === provider);
  if (core.linkMac === undefined || place === undefined || place.by === null)
    return { kind: "refused", refusal: { code: "nothing_to_link", provider } };
  const until = new Date(core.clock.now().getTime() + CODE_MS);
  const code = newCode(core.linkMac, { owner, until, place: provider });
  return place.by === "sign_in"
    ? { kind: "link_page", provider, url: place.page(code), until }
    : { kind: "link_code", provider, code, until };
}

/** What the speaker has linked, and what they may. */
export async function linksOf(core: Core, owner: Account): Promise<Extract<View, { kind: "links" }>> {
  const accounts = await core.store.tx(async (tx) => {
    const person = await core.stores.people.resolve(tx, core.orgId, owner, owner.name);
    return core.stores.people.accounts(tx, person.id);
  });
  return {
    kind: "links",
    accounts: accounts.flatMap(({ provider, id, name }) =>
      isLinkPlace(provider) ? [{ provider, name: name ?? id }] : [],
    ),
    places: (core.linkable ?? []).filter(({ by }) => by !== null).map(({ provider }) => provider),
  };
}

const isLinkPlace = (provider: string): provider is LinkPlace => (LINK_PLACES as readonly string[]).includes(provider);

/** Accounts elsewhere act in the speaker's name no more. Runs that they asked for stay theirs. `provider`: `null`: all. */
async function unlink(core: Core, account: Account, provider: LinkPlace | null): Promise<View> {
  const gone = await core.store.tx(async (tx) => {
    const person = await core.stores.people.resolve(tx, core.orgId, account, account.name);
    const out: ExternalId[] = [];
    for (const place of provider === null ? LINK_PLACES : [provider])
      out.push(...(await core.stores.people.unlink(tx, person.id, place)));
    return out;
  });
  return { kind: "unlinked", from: LINK_PLACES.filter((place) => gone.some((one) => one.provider === place)) };
}

/** What somebody says or presses about their accounts elsewhere: a matter of no team. `place`: `null`: all of them. */
export async function ofAccounts(
  core: Core,
  { account, shared }: { readonly account: Account; readonly shared: boolean },
  what: "link" | "unlink",
  place: LinkPlace | null,
): Promise<View> {
  if (shared) return { kind: "refused", refusal: { code: "shared_channel" } };
  if (account.kind !== "member") return { kind: "refused", refusal: { code: "guest" } };
  if (what === "unlink") return unlink(core, account, place);
  return place === null ? linksOf(core, account) : linkCode(core, account, place);
}
