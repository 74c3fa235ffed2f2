import { lastLine as lastOf, withoutCredentials } from "#adapters/git.ts";
import type { Policy } from "#policy/policy.ts";
import { keepPolicy, type PolicyChange, type PolicyReading, type PolicyWatch, unusable } from "./keeper.ts";
import { type MirrorOptions, type PolicyMirror, type PolicySource, policyMirror } from "./mirror.ts";

const POLL_MS = 60_000;

/**
 * Whether the owners of the policy in force agreed to a commit of the protected branch: `null`, or why not, as a sentence.
 * Asked for every commit on the branch that changed the folder, oldest first. Throws when the forge cannot be asked.
 */
export type Agreement = (commit: string, inForce: Policy) => Promise<string | null>;

/**
 * A policy that lives on a protected branch. Its commit names it; a change is in force when the owners agreed to it, as the
 * forge tells, and the policy loads: each commit is judged by the owners that the one before it names. The first policy of
 * an installation is the operator's word: nobody is in force yet to agree. A branch that was rewritten is refused, unless
 * its policy is the one in force. `reload` is what a webhook calls.
 */
export async function watchPolicyRepository(
  source: PolicySource,
  o: MirrorOptions & {
    readonly agreement: Agreement;
    /** Loads only what was in force before; the caller looks for what is newer, once whoever is asked is there. */
    readonly patient?: boolean;
    readonly onChange?: (change: PolicyChange) => void;
  },
): Promise<PolicyWatch> {
  const name = withoutCredentials(source.url);
  const mirror = await policyMirror(source, o);

  const read = async (current: Policy | null): Promise<PolicyReading> => {
    const accepted = (await mirror.accepted()) ?? current?.commit ?? null;
    // After a restart what was in force is in force again, before anything newer is looked at, wherever the forge is; and
    // what the operator or another process over the same mirror accepted meanwhile is what the next commit is judged by.
    if (accepted !== null && accepted !== current?.commit) {
      const reading = await mirror.load(accepted);
      return { ...reading, more: current !== null && reading.loaded.ok };
    }
    let head: string | null;
    try {
      head = await mirror.fetch();
    } catch (error) {
      return unread(`${name} cannot be fetched: ${lastLine(error)}`);
    }
    if (head === null) return unread(`${name} has no branch ${source.branch}`);
    if (accepted !== null && current !== null) return advance(mirror, { accepted, head, current }, source, o.agreement);
    const reading = await mirror.load(head);
    if (reading.loaded.ok) await mirror.accept(head, null, "the first policy here: the operator's word");
    return reading;
  };

  const kept = keepPolicy(
    (current) =>
      read(current).catch((error: unknown) => unread(`the mirror of ${name} cannot be read: ${lastLine(error)}`)),
    o.onChange,
  );
  await kept.reload();
  // What was in force at the last end came first; now what is on the branch.
  if (o.patient !== true) await kept.reload();
  const poll = setInterval(kept.reload, POLL_MS);
  poll.unref();
  return {
    ...kept,
    close: () => {
      kept.end();
      clearInterval(poll);
    },
  };
}

/** As far along the branch as was agreed to, one policy after the other; what stops it is told at the look after that. */
async function advance(
  mirror: PolicyMirror,
  { accepted, head, current }: { accepted: string; head: string; current: Policy },
  { branch }: PolicySource,
  agreement: Agreement,
): Promise<PolicyReading> {
  if (accepted === head) return mirror.load(head);
  const agreed = await mirror.tree(accepted);
  const short = (commit: string) => commit.slice(0, 12);
  const refused = (why: string) => unusable(`${head} ${why}`, why);
  if (agreed !== null && (await mirror.tree(head)) === agreed) {
    await mirror.accept(head, accepted, "the policy is what it was");
    return mirror.load(head);
  }
  if (!(await mirror.isAncestor(accepted, head)))
    return refused(`the branch ${branch} was rewritten: ${short(accepted)} is not in ${short(head)}`);
  let left = await mirror.changes(accepted, head);
  // What was undone again needs nobody's yes: what follows is judged from there.
  for (const [index, commit] of [...left.entries()].reverse()) {
    if ((await mirror.tree(commit)) !== agreed) continue;
    left = left.slice(index + 1);
    break;
  }
  // A merge that takes the branch in as its second parent may drop what was agreed to without a commit that shows it.
  if (left[0] === undefined || (await mirror.tree(`${left[0]}^1`)) !== agreed)
    return refused(`the owners did not agree to ${short(head)}: no commit on ${branch} shows all that it changes`);

  let inForce = current;
  let reached: string | null = null;
  const stop = async (reading: PolicyReading): Promise<PolicyReading> => {
    if (reached === null) return reading;
    await mirror.accept(reached, accepted, "agreed");
    return { ...(await mirror.load(reached)), more: true };
  };
  for (const commit of left) {
    let why: string | null;
    try {
      why = await agreement(commit, inForce);
    } catch (error) {
      return stop(unread(`nobody could be asked whether the owners agreed: ${lastLine(error)}`));
    }
    if (why !== null) return stop(refused(`the owners did not agree to ${short(commit)}: ${why}`));
    const reading = await mirror.load(commit);
    // Nobody can tell whom it wanted to ask, so nothing after it is looked at.
    if (!reading.loaded.ok) return stop(reading);
    inForce = reading.loaded.policy;
    reached = commit;
  }
  await mirror.accept(head, accepted, "agreed");
  return mirror.load(head);
}

const unread = (message: string): PolicyReading => unusable(message, message, true);

/** What git said last; its first lines are the command. */
const lastLine = (error: unknown): string => lastOf(error instanceof Error ? error.message : String(error));
