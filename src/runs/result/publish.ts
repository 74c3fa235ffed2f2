import { createHash } from "node:crypto";
import { digest } from "#policy/digest.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import { authorsOf } from "#runs/account/credit.ts";
import type { Core } from "#runs/core.ts";
import { caughtUpOrHold } from "#runs/money/caught-up.ts";
import { pullRequestText } from "#runs/pull-request.ts";
import { receipt, sign } from "#runs/receipt.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { factsOf } from "#runs/record/look.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import { redacted } from "#runs/redact.ts";
import type { Run } from "#runs/run.ts";
import { release } from "#runs/sandbox/sandbox.ts";
import { checksReported, leftDraft, reviewAsked } from "./for-reviewers.ts";
import { mayPublish, pushKey } from "./may-publish.ts";
import { RECONCILE_MS } from "./review.ts";

/**
 * "publishing": policy on every path and on opening a pull request, people where it says so, then push, signed receipt
 * and draft pull request, each once. All of it is about the one commit that was checked.
 */
export async function publish(core: Core, run: Run, signal: AbortSignal): Promise<void> {
  const { headOid, baseOid, baseBranch } = run;
  if (headOid === null || baseOid === null || baseBranch === null)
    throw new Error(`run ${run.id} has nothing to publish`);
  await release(core, run, run.epoch);
  if (!(await mayPublish(core, run, baseOid, headOid))) return;
  // Its sandboxes are gone: what the gateway decided for it until now is all there is, and the receipt has all of it.
  if (!(await caughtUpOrHold(core, run, signal))) return;

  if (!(await pushed(core, run, headOid))) return;
  await signed(core, run);
  const facts = await factsOf(core, run.id);
  const prKey = `pr:${run.id}`;
  const intent = await core.stores.effects.intend(prKey, run);
  let number = run.pullRequest?.number ?? null;
  if (intent.state === "intent") {
    const text = pullRequestText(
      run,
      facts,
      `${core.baseUrl}/runs/${run.id}`,
      core.agents.get(run.agent)?.profile.title ?? run.agent,
    );
    const opened =
      (await core.repoHost.findPullRequest(run.repo, run.branch)) ??
      (await core.repoHost.openPullRequest({
        repo: run.repo,
        branch: run.branch,
        base: baseBranch,
        draft: true,
        ...text,
      }));
    number = opened.number;
    await core.store.tx(async (tx) => {
      await core.stores.effects.done(tx, prKey, run, { number: opened.number, url: opened.url });
      await record(core, tx, run.id, run.epoch, [
        {
          kind: "pull_request.opened",
          repo: run.repo,
          number: opened.number,
          url: opened.url,
          draft: opened.draft,
          oid: headOid,
        },
      ]);
      await core.stores.runs.patch(tx, run, { pullRequest: { number: opened.number, url: opened.url } });
    });
  }
  await checksReported(core, run, headOid, facts);
  if (number !== null) {
    await reviewAsked(core, run, headOid, number);
    await leftDraft(core, run, number, facts);
  }
  await core.store.tx(async (tx) => {
    const wakeAt = new Date(core.clock.now().getTime() + RECONCILE_MS);
    const moved = await move(core, tx, run, "in_review", { patch: { wakeAt, deadlineAt: null } });
    await tell(core, tx, moved, "receipt");
  });
  core.nudge();
}

/**
 * The branch is on the forge, once. A name holds 32 bits of the run's id, and people make branches too: what is there
 * already, now or in a pull request of before, is somebody else's, stays as it is, and hands the run off.
 */
async function pushed(core: Core, run: Run, headOid: string): Promise<boolean> {
  const { repo, branch } = run;
  const { gitDir } = await core.gateway.closePush(run.id);
  const key = pushKey(run, headOid);
  if ((await core.stores.effects.intend(key, run)).state === "done") return true;
  // Ours is opened after the push is recorded.
  const others = run.pullRequest === null ? await core.repoHost.findPullRequest(repo, branch) : null;
  if (others !== null) return taken(core, run, `pull request ${others.number} is from a branch of that name`);
  try {
    await core.repoHost.push({ repo, branch, oid: headOid, expected: null, gitDir });
  } catch (error) {
    if (!(error instanceof RepoHostError) || error.code !== "stale") throw error;
    return taken(core, run, error.message);
  }
  await core.store.tx(async (tx) => {
    await core.stores.effects.done(tx, key, run, { oid: headOid });
    await record(core, tx, run.id, run.epoch, [{ kind: "branch.pushed", repo, branch, oid: headOid }]);
  });
  return true;
}

async function taken(core: Core, run: Run, how: string): Promise<false> {
  await handOff(core, run, {
    fault: "environment",
    tried: run.text,
    failed: `The branch ${run.branch} of ${run.repo} is somebody else's: ${how}. Nothing was pushed.`,
    next: "Ask again: another run has another branch. The run page has this one's change as a patch.",
  });
  return false;
}

/**
 * Which accounts elsewhere the authors have shown to be theirs, as it is when the receipt is signed. After a crash the record has
 * it already, unless somebody has linked or taken back since.
 */
async function authorsKnown(core: Core, run: Run): Promise<void> {
  const { accounts: said } = await factsOf(core, run.id);
  await core.store.tx(async (tx) => {
    const authors = (await authorsOf(core, tx, run)).flatMap(({ person, accounts }) =>
      accounts.length === 0 ? [] : [{ person, accounts: [...accounts] }],
    );
    if (digest(redacted(authors, core.redact)) === digest(said)) return;
    await record(core, tx, run.id, run.epoch, [{ kind: "authors.known", authors }]);
  });
}

/** The receipt as it was signed, or signed now: written once, whoever comes second reads it. */
async function signed(core: Core, run: Run): Promise<string> {
  const there = await core.stores.receipts.get(run.id);
  if (there !== null) return there;
  await authorsKnown(core, run);
  const facts = await factsOf(core, run.id);
  const envelope = sign(receipt(run, facts), core.signer);
  const text = JSON.stringify(envelope, null, 2);
  await core.store.tx(async (tx) => {
    await core.stores.receipts.put(tx, run.id, text);
    await record(core, tx, run.id, run.epoch, [
      {
        kind: "receipt.signed",
        digest: `sha256:${createHash("sha256").update(text).digest("hex")}`,
        keyId: core.signer.keyId,
        events: facts.count,
      },
    ]);
  });
  return text;
}
