import { randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { type Account, DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import type { Core } from "./core.ts";
import type { View } from "./view.ts";

/** Long enough to go to the other window. */
const CODE_MS = 10 * 60_000;
/** Hardly a word that anybody writes by chance; what looks like one is kept out of every record (`redact.ts`). */
const CODE = /\bcslink_([A-Za-z0-9_-]{20,600})\.([A-Za-z0-9_-]{20,100})/;
const ELSEWHERE = "linear";

/** What the code says: whose it is, until when, and a number that no other code has. */
const Said = z.tuple([z.string(), z.string(), z.string(), z.number(), z.string()]);

/** A code for the speaker alone: who writes it elsewhere, once, within ten minutes, shows that the account there is theirs. */
export function linkCode(core: Pick<Core, "linkMac" | "clock">, { provider, workspace, id }: ExternalId): View {
  if (core.linkMac === undefined) return { kind: "refused", refusal: { code: "nothing_to_link" } };
  const until = new Date(core.clock.now().getTime() + CODE_MS);
  const said: z.infer<typeof Said> = [provider, workspace, id, until.getTime(), randomBytes(12).toString("base64url")];
  const text = Buffer.from(JSON.stringify(said)).toString("base64url");
  return { kind: "link_code", code: `cslink_${text}.${core.linkMac(text)}`, until };
}

/** Accounts elsewhere act in the speaker's name no more. Runs that they asked for stay theirs. */
export async function unlink(core: Core, account: Account): Promise<View> {
  const gone = await core.store.tx(async (tx) => {
    const person = await core.stores.people.resolve(tx, core.orgId, account, account.name);
    return core.stores.people.unlink(tx, person.id, ELSEWHERE);
  });
  return { kind: "unlinked", accounts: gone.length };
}

/** Whether somebody wrote what could be a code: it is shown to nobody and handed to no agent. */
export const hasCode = (text: string): boolean => text.includes("cslink_");

export type LinkRefusal =
  /** It is none of ours, or was changed. */
  | "code_bad"
  | "code_late"
  | "code_used"
  /** The account is linked with somebody else. */
  | "theirs"
  /** Its maker has linked another account there. */
  | "another"
  /** Its maker is no full member any more. */
  | "guest"
  | "directory_unavailable";

/**
 * Links the account that wrote a code with the chat account that it was made for. `once`: names the telling, so that the same
 * one after a crash is no second use.
 */
export async function redeem(
  core: Core,
  o: { readonly text: string; readonly account: ExternalId; readonly once: string },
): Promise<{ readonly linked: Account } | { readonly refused: LinkRefusal }> {
  const said = verified(core, o.text);
  if (said === null) return { refused: "code_bad" };
  const [provider, workspace, id, until, nonce] = said;
  const key = `link:${nonce}`;
  const before = await core.stores.notes.get(key);
  const again = before !== null && before.body === o.once;
  if (before !== null && !again) return { refused: "code_used" };
  if (!again && core.clock.now().getTime() > until) return { refused: "code_late" };
  let owner: Account | null;
  try {
    owner = await core.directory.account({ provider, workspace, id });
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    return { refused: "directory_unavailable" };
  }
  if (owner?.kind !== "member") return { refused: "guest" };
  const { name } = owner;
  const came = await core.store.tx(async (tx) => {
    if (!again && !(await core.stores.notes.keep(tx, key, o.once))) return "used";
    const person = await core.stores.people.resolve(tx, core.orgId, { provider, workspace, id }, name);
    return core.stores.people.link(tx, o.account, person.id);
  });
  if (came === "used") return { refused: "code_used" };
  if (came !== "linked") return { refused: came };
  return { linked: owner };
}

function verified(core: Pick<Core, "linkMac">, text: string): z.infer<typeof Said> | null {
  const [, said = "", mac = ""] = CODE.exec(text) ?? [];
  if (core.linkMac === undefined || said === "") return null;
  const [given, expected] = [Buffer.from(mac), Buffer.from(core.linkMac(said))];
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const read = Said.safeParse(JSON.parse(Buffer.from(said, "base64url").toString("utf8")));
  return read.success ? read.data : null;
}
