import { randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { LINK_PLACES, type LinkPlace } from "#policy/linked.ts";
import { type Account, DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import type { Core } from "./core.ts";
import type { Linkable, LinkRefusal } from "./linkable.ts";
import { wakeHeld } from "./linked.ts";
import type { LinkedAccount } from "./stores.ts";
import type { View } from "./view.ts";

/** Long enough to go to the other window. */
const CODE_MS = 10 * 60_000;
/** Hardly a word that anybody writes by chance; what looks like one is kept out of every record (`redact.ts`). */
const CODE = /\bcslink_([A-Za-z0-9_-]{20,600})\.([A-Za-z0-9_-]{20,100})/;
/** Where a person shows on a site of its own that their account there is theirs, below our address. */
export const linkPath = (provider: LinkPlace): string => `/identity/${provider}/start`;

/** What the code says: whose it is, until when, a number that no other code has, and where it is good. */
const Said = z.tuple([z.string(), z.string(), z.string(), z.number(), z.string(), z.enum(LINK_PLACES)]);
type Said = z.infer<typeof Said>;

const placeOf = (core: Pick<Core, "linkable">, provider: LinkPlace): Linkable | null =>
  core.linkable?.find((one) => one.provider === provider) ?? null;

/**
 * For the speaker alone: how they show that an account elsewhere is theirs. A code that is good for one place, once, within
 * ten minutes; where people sign in, it is in the address that only they are shown.
 */
function linkCode(
  core: Pick<Core, "linkMac" | "linkable" | "baseUrl" | "clock">,
  owner: ExternalId,
  provider: LinkPlace,
): View {
  const by = placeOf(core, provider)?.by ?? null;
  if (core.linkMac === undefined || by === null)
    return { kind: "refused", refusal: { code: "nothing_to_link", provider } };
  const until = new Date(core.clock.now().getTime() + CODE_MS);
  const nonce = randomBytes(12).toString("base64url");
  const said: Said = [owner.provider, owner.workspace, owner.id, until.getTime(), nonce, provider];
  const text = Buffer.from(JSON.stringify(said)).toString("base64url");
  const code = `cslink_${text}.${core.linkMac(text)}`;
  return by === "code"
    ? { kind: "link_code", provider, code, until }
    : { kind: "link_page", provider, url: `${core.baseUrl}${linkPath(provider)}?link=${code}`, until };
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

/** Whether somebody wrote what could be a code: it is shown to nobody and handed to no agent. */
export const hasCode = (text: string): boolean => text.includes("cslink_");

/** The first that could be a code, without the words around it; `null`: there is none. */
export const codeIn = (text: string): string | null => CODE.exec(text)?.[0] ?? null;

/** `owner`: whose code it is, where that is known and they could be told. */
type Refused = { readonly refused: LinkRefusal; readonly owner: Account | null };

/**
 * Whose code that is, while it is good for this place. Nothing is used up. `once`: as `redeem` is told.
 */
export async function codeOwner(
  core: Core,
  o: { readonly text: string; readonly provider: string; readonly once: string | null },
): Promise<{ readonly owner: Account; readonly key: string; readonly again: boolean } | Refused> {
  const said = verified(core, o.text);
  if (said === null) return { refused: "code_bad", owner: null };
  const [provider, workspace, id, until, nonce, place] = said;
  let owner: Account | null;
  try {
    owner = await core.directory.account({ provider, workspace, id });
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    return { refused: "directory_unavailable", owner: null };
  }
  if (owner?.kind !== "member") return { refused: "guest", owner: null };
  if (place !== o.provider) return { refused: "code_bad", owner };
  const key = `link:${nonce}`;
  const before = await core.stores.notes.get(key);
  const again = before !== null && before.body === o.once;
  if (before !== null && !again) return { refused: "code_used", owner };
  if (!again && core.clock.now().getTime() > until) return { refused: "code_late", owner };
  return { owner, key, again };
}

/**
 * Links the account that showed a code with the chat account that it was made for. `once`: names the telling, so that the same
 * one after a crash is no second use. Runs that wait for it go on.
 */
export async function redeem(
  core: Core,
  o: { readonly text: string; readonly account: LinkedAccount; readonly once: string },
): Promise<{ readonly linked: Account } | Refused> {
  const { provider, workspace, id, name } = o.account;
  const whose = await codeOwner(core, { text: o.text, provider, once: o.once });
  if ("refused" in whose) return whose;
  const { owner, key, again } = whose;
  const came = await core.store.tx(async (tx) => {
    if (!again && !(await core.stores.notes.keep(tx, key, o.once))) return { refused: "code_used" as const };
    const person = await core.stores.people.resolve(tx, core.orgId, owner, owner.name);
    const how = await core.stores.people.link(tx, { provider, workspace, id, name }, person.id);
    return how === "linked" ? { person } : { refused: how };
  });
  if ("refused" in came) return { refused: came.refused, owner };
  await wakeHeld(core, came.person);
  return { linked: owner };
}

function verified(core: Pick<Core, "linkMac">, text: string): Said | null {
  const [, said = "", mac = ""] = CODE.exec(text) ?? [];
  if (core.linkMac === undefined || said === "") return null;
  const [given, expected] = [Buffer.from(mac), Buffer.from(core.linkMac(said))];
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const read = Said.safeParse(JSON.parse(Buffer.from(said, "base64url").toString("utf8")));
  return read.success ? read.data : null;
}
