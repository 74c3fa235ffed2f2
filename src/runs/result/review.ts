import { type PullRequestChange, type PullRequestWord, RepoHostError } from "#ports/repo-host.ts";
import type { Core } from "#runs/core.ts";
import type { EventBody } from "#runs/event.ts";
import { facts } from "#runs/facts.ts";
import type { PullRequestFacts } from "#runs/pull-facts.ts";
import { eventsOf } from "#runs/record/look.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";

/** Of the message that has what reviewers and the forge's own checks say; the one without a subject is its end. */
const WORDS = "words";

/** How often a pull request is looked at when no word of it came. */
export const RECONCILE_MS = 10 * 60_000;

/**
 * What the forge says happened to a pull request. A repeat of its delivery id changes nothing: the id is taken in the
 * transaction that writes it down. Resolves when it is in the record, or when it is about no run of ours; throws when it
 * should be delivered again.
 */
export const pullRequestChanged = (core: Core, change: PullRequestChange): Promise<void> => take(core, change, false);

/** `asked`: nobody told us, we asked. */
async function take(core: Core, change: PullRequestChange, asked: boolean): Promise<void> {
  const known = await core.stores.runs.byPullRequest(change.repo, change.number);
  if (!known) return;
  await core.store.tx(async (tx) => {
    const run = await core.stores.runs.lock(tx, known.id);
    if (run?.state !== "in_review") return;
    if (!(await core.stores.inbox.insertDone(tx, "repo-host", change.deliveryId))) return;
    // A review has an address of its own: of one that the timer asked for before its webhook came there is no news.
    const review =
      change.kind === "reviewed" && change.url !== undefined ? `review ${change.url} ${change.verdict}` : null;
    const heard = review !== null && !(await core.stores.inbox.insertDone(tx, "repo-host", review));
    if (heard && !asked) return;
    const event = eventOf(change);
    if (change.kind === "merged" || change.kind === "closed") {
      const moved = await move(core, tx, run, change.kind, {
        why: `by ${change.by}`,
        epoch: null,
        events: [event],
        patch: { wakeAt: null },
      });
      await tell(core, tx, moved, "receipt");
      await tell(core, tx, moved, "forge");
    } else {
      await record(core, tx, run.id, null, [event]);
      await tell(core, tx, run, "receipt");
      if (change.kind !== "reopened") await tell(core, tx, run, "forge", WORDS);
    }
  });
  core.nudge();
}

function eventOf(change: PullRequestChange): EventBody {
  const { repo, number, kind, by, oid, verdict, conclusion, url = null } = change;
  if (kind === "reviewed" && verdict !== undefined)
    return { kind: "pull_request.reviewed", repo, number, by, verdict, oid, url };
  if (kind === "checked") {
    if (conclusion === undefined) throw new Error(`checks of ${repo}#${number} without a conclusion`);
    return { kind: "forge.checked", repo, number, by, conclusion, oid, url };
  }
  return { kind: "pull_request.changed", repo, number, change: kind, by, oid };
}

/** Whether it is the last word that the record has of whoever says it. */
function isKnown(pull: PullRequestFacts | null, word: PullRequestWord): boolean {
  const { by, oid, url = null } = word;
  if (word.kind === "checked")
    return pull?.forge.some((one) => one.by === by && one.oid === oid && one.conclusion === word.conclusion) === true;
  const same = pull?.reviews.find((one) => one.by === by);
  return same?.verdict === word.verdict && same?.oid === oid && same?.url === url;
}

/** "in_review": asks the forge what became of the pull request and what is said of it, in case its word was lost. */
export async function reconcile(core: Core, run: Run): Promise<void> {
  const number = run.pullRequest?.number;
  const pull = number === undefined ? null : await core.repoHost.pullRequest(run.repo, number);
  if (pull && pull.state !== "open") {
    await pullRequestChanged(core, {
      deliveryId: `reconcile:${run.id}`,
      repo: run.repo,
      number: pull.number,
      kind: pull.state,
      by: "someone on the forge",
      oid: pull.headOid,
    });
    return;
  }
  if (pull) await hearWords(core, run, pull.number);
  await core.store.tx((tx) =>
    core.stores.runs
      .patch(tx, run, { wakeAt: new Date(core.clock.now().getTime() + RECONCILE_MS) })
      .then(() => undefined),
  );
}

/** Reviews and checks that no webhook brought. */
async function hearWords(core: Core, run: Run, number: number): Promise<void> {
  let words: readonly PullRequestWord[];
  try {
    words = await core.repoHost.words(run.repo, number);
  } catch (error) {
    if (!(error instanceof RepoHostError)) throw error;
    // They help whoever looks; what became of the pull request does not wait for them.
    return core.log("what is said of a pull request cannot be heard", { run: run.number, error: error.message });
  }
  const events = await eventsOf(core, run.id);
  const { pullRequest } = facts(events);
  // Two workers that look at once have read the same record: the second finds the first one's ids taken.
  const read = events.at(-1)?.seq ?? 0;
  for (const word of words.filter((one) => !isKnown(pullRequest, one))) {
    await take(core, { ...word, deliveryId: `reconcile:${run.id}:${read}:${word.kind}:${word.by}` }, true);
  }
}
