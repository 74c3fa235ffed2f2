import type { Chat } from "#ports/chat.ts";
import { type Account, DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import type { Core } from "#runs/core.ts";
import { readCode } from "#runs/link-code.ts";
import type { LinkProof, NotLinked } from "#runs/linkable.ts";
import type { Person } from "#runs/run.ts";
import { sameAccount } from "#runs/seat.ts";
import type { LinkedAccount } from "#runs/stores.ts";
import type { View } from "#runs/view.ts";
import { wakeHeld } from "./linked.ts";
import { tellLinked, wasTold } from "./tell-linked.ts";
import { tellUnlinked } from "./unlink.ts";

/** `owner`: whose code it is, where that is known and they could be told. */
type Refused = NotLinked & { readonly owner: Account | null };
/** `from`: what the person is called whose account it was until now, by a weaker proof; `null`: nobody's. */
type Linked = { readonly linked: Account; readonly from: string | null };

/**
 * Whose code that is, while it is good for this place. Nothing is used up. `once`: as `redeem` is told.
 */
export async function codeOwner(
  core: Core,
  o: { readonly text: string; readonly provider: string; readonly once: string | null },
): Promise<{ readonly owner: Account; readonly key: string; readonly again: boolean } | Refused> {
  const refuse = (refused: Refused["refused"], whose: Account | null): Refused => ({
    refused,
    owner: whose,
    holder: null,
  });
  const code = core.linkMac === undefined ? null : readCode(core.linkMac, o.text);
  if (code === null) return refuse("code_bad", null);
  let owner: Account | null;
  try {
    owner = await core.directory.account(code.owner);
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    return refuse("directory_unavailable", null);
  }
  if (owner?.kind !== "member") return refuse("guest", null);
  if (code.place !== o.provider) return refuse("code_bad", owner);
  const key = `link:${code.nonce}`;
  const before = await core.stores.notes.get(key);
  const again = before !== null && before.body === o.once;
  if (before !== null && !again) return refuse("code_used", owner);
  if (!again && core.clock.now() > code.until) return refuse("code_late", owner);
  return { owner, key, again };
}

/**
 * Links the account that showed a code with the chat account that it was made for. An account of another workspace than ours uses
 * nothing up. `once`: names the telling, so that the same one after a crash is no second use. Runs that wait for it go on. Both are
 * told in their chat, once, even when it is away: whose account it is from now on, and whose it was until now, by a weaker proof.
 */
export async function redeem(
  core: Core,
  o: {
    readonly text: string;
    readonly account: LinkedAccount;
    readonly proof: LinkProof;
    readonly once: string;
  },
): Promise<Linked | Refused> {
  const { account, proof } = o;
  const whose = await codeOwner(core, { text: o.text, provider: account.provider, once: o.once });
  if ("refused" in whose) return whose;
  const { owner, key, again } = whose;
  const place = core.linkable?.find(({ provider }) => provider === account.provider);
  if (place !== undefined && place.workspace !== account.workspace)
    return { refused: "elsewhere", owner, holder: null };
  if (place?.by === "sign_in" && proof === "code") {
    // Whoever reads what was written could open the link that it stands in.
    await core.store.tx((tx) => core.stores.notes.keep(tx, key, o.once));
    return { refused: "sign_in", owner, holder: null };
  }
  // The same telling linked it, and its owner has read so: what they took back since stays taken back.
  const linkedBefore = again && (await wasTold(core, key));
  const came = await core.store.tx(async (tx): Promise<Refused | { person: Person; from: Person | null }> => {
    if (!again && !(await core.stores.notes.keep(tx, key, o.once)))
      return { refused: "code_used", owner, holder: null };
    const person = await core.stores.people.resolve(tx, core.orgId, owner, owner.name);
    if (linkedBefore) {
      const still = (await core.stores.people.accounts(tx, person.id)).some((one) => sameAccount(one, account));
      return still ? { person, from: null } : { refused: "code_used", owner, holder: null };
    }
    const link = await core.stores.people.link(tx, account, person.id, proof);
    if (link.how === "theirs") return { refused: "theirs", owner, holder: link.holder.name };
    if (link.how === "another") return { refused: "another", owner, holder: null };
    if (link.from !== null) await tellUnlinked(core, tx, account, link.from, { signedIn: person.name });
    await tellLinked(core, tx, { use: key, account, owner });
    return { person, from: link.from };
  });
  if ("refused" in came) return came;
  core.nudge();
  await wakeHeld(core, came.person);
  return { linked: owner, from: came.from?.name ?? null };
}

/** For words to one person. */
type Whisper = Pick<Chat<View>, "whisper">;

const tell = (chat: Whisper, to: ExternalId, view: View): Promise<void> =>
  chat.whisper({ provider: to.provider, workspace: to.workspace, channel: to.id, thread: "" }, to, view);

/** A code that an account wrote on a pull request. */
export interface WrittenCode {
  /** Of the telling, the same when it is told again. */
  readonly deliveryId: string;
  readonly repo: string;
  readonly number: number;
  /** GitHub's number for the account, which stays when it is renamed. */
  readonly id: number;
  readonly login: string;
  readonly code: string;
}

/**
 * Somebody wrote a code on GitHub. Only on a pull request of ours: nobody is watched anywhere else. There is no answer there;
 * whoever owns the code is told in their chat what came of it. Throws when Slack does not say whose that is, or cannot be told a
 * refusal.
 */
export async function linkWritten(core: Core, chat: Whisper, word: WrittenCode): Promise<void> {
  const place = core.linkable?.find(({ provider }) => provider === "github");
  if (place === undefined || (await core.stores.runs.byPullRequest(word.repo, word.number)) === null) return;
  const account = { provider: "github", workspace: place.workspace, id: String(word.id), name: word.login };
  const came = await redeem(core, { text: word.code, account, proof: "code", once: word.deliveryId });
  if ("linked" in came) return;
  if (came.refused === "directory_unavailable") throw new Error("Slack did not say whose code that is");
  core.log("a code on GitHub linked nobody", { why: came.refused, repo: word.repo, number: word.number });
  const { refused: why, holder } = came;
  if (came.owner !== null)
    await tell(chat, came.owner, { kind: "link_refused", provider: "github", name: word.login, why, holder });
}
