import type { PullRequestChange } from "#ports/repo-host.ts";
import type { Core } from "./core.ts";
import type { EventBody } from "./event.ts";
import { move } from "./move.ts";
import { record } from "./record.ts";
import type { Run } from "./run.ts";
import { tell } from "./tell.ts";

/** How often a pull request is looked at when no word of it came. */
export const RECONCILE_MS = 10 * 60_000;

/**
 * What the forge says happened to a pull request. A repeat of its delivery id changes nothing: the id is taken in the
 * transaction that writes it down. Resolves when it is in the record, or when it is about no run of ours; throws when it
 * should be delivered again.
 */
export async function pullRequestChanged(core: Core, change: PullRequestChange): Promise<void> {
  const known = await core.stores.runs.byPullRequest(change.repo, change.number);
  if (!known) return;
  await core.store.tx(async (tx) => {
    const run = await core.stores.runs.lock(tx, known.id);
    if (run?.state !== "in_review") return;
    if (!(await core.stores.inbox.insertDone(tx, "repo-host", change.deliveryId))) return;
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

/** "in_review": asks the forge what became of the pull request, in case its word was lost. */
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
  await core.store.tx((tx) =>
    core.stores.runs
      .patch(tx, run, { wakeAt: new Date(core.clock.now().getTime() + RECONCILE_MS) })
      .then(() => undefined),
  );
}
