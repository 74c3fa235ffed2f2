import type { PullRequestChange } from "#ports/repo-host.ts";
import type { Core } from "./core.ts";
import { move } from "./move.ts";
import { record } from "./record.ts";
import type { Run } from "./run.ts";
import { tell } from "./tell.ts";

/** How often a pull request is looked at when no word of it came. */
export const RECONCILE_MS = 10 * 60_000;

/**
 * What the forge says happened to a pull request. Idempotent by its delivery id. Resolves when it is in the record, or
 * when it is about no run of ours; throws when it should be delivered again.
 */
export async function pullRequestChanged(core: Core, change: PullRequestChange): Promise<void> {
  await core.stores.inbox.insertOnce("repo-host", change.deliveryId, change);
  await apply(core, change);
  await core.stores.inbox.done("repo-host", change.deliveryId);
}

async function apply(core: Core, change: PullRequestChange): Promise<void> {
  const known = await core.stores.runs.byPullRequest(change.repo, change.number);
  if (!known) return;
  await core.store.tx(async (tx) => {
    const run = await core.stores.runs.lock(tx, known.id);
    if (run?.state !== "in_review") return;
    const event = {
      kind: "pull_request.changed" as const,
      repo: change.repo,
      number: change.number,
      change: change.kind,
      by: change.by,
      oid: change.oid,
    };
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

/** "in_review": asks the forge what became of the pull request, in case its word was lost. */
export async function reconcile(core: Core, run: Run): Promise<void> {
  const number = run.pullRequest?.number;
  const pull = number === undefined ? null : await core.repoHost.pullRequest(run.repo, number);
  if (pull && pull.state !== "open") {
    await apply(core, {
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
