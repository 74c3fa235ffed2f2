import type { Sandbox } from "#ports/sandbox.ts";
import type { Core } from "#runs/core.ts";
import { isRelayAway, reachEnv, repoUrl } from "#runs/reach.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { move } from "#runs/record/move.ts";
import type { Run } from "#runs/run.ts";
import { refusalsOf, refusedWords } from "./refused.ts";
import { sandboxFor } from "./sandbox.ts";
import { waitsForSecrets } from "./secrets.ts";
import { setUp } from "./set-up.ts";

const CLONE_MS = 5 * 60_000;
/**
 * One command and not five: each is a way into the sandbox and back. Under a lock: the clone of a worker that is gone may
 * still be at it, and git clears the tree when a clone fails. `countersign.whole` is set in the clone's own
 * configuration once all of it is there. Where the image has Git LFS its pointers stay pointers, as everywhere else: what
 * they stand for lies with no relay of ours. Arguments: address, branch, and the commit to be at, or nothing.
 */
const CLONE = `
exec 9>/tmp/countersign-clone.lock && flock 9 || exit 1
if [ -e .git ] && git config --local countersign.whole >/dev/null; then exit 0; fi
find . -mindepth 1 -delete || exit 1
export GIT_LFS_SKIP_SMUDGE=1
if [ -z "$3" ]; then
  git clone --quiet --no-tags --branch "$2" "$1" . || exit 1
else
  git clone --quiet --no-tags --no-checkout --branch "$2" "$1" . || exit 1
  git checkout --quiet --force --detach "$3" || exit 1
fi
git config --local countersign.whole true
`;

/** "preparing" → working: a sandbox, the repository from our relay, the setup that policy names. */
export async function prepare(core: Core, run: Run, signal: AbortSignal): Promise<void> {
  const driver = core.agents.get(run.agent);
  if (!driver || !run.scope || run.baseOid === null) throw new Error(`run ${run.id} cannot be prepared`);
  if (await waitsForSecrets(core, run)) return;
  // Side by side, and both to their end: what one of them still did after the other had failed, nobody would look after.
  const [box, opened] = await Promise.allSettled([
    sandboxFor(core, run, "agent", driver.profile.image),
    core.gateway.openRepository(run.id, run.repo, run.branch, run.baseOid),
  ]);
  if (opened.status === "rejected") throw opened.reason;
  if (box.status === "rejected") throw box.reason;
  const { sandbox, token, fresh, env: own } = box.value;
  // In place of one that was lost just now, to which a yes was given that holds for one sandbox.
  if (fresh && (await waitsForSecrets(core, run))) return;
  const env = { ...reachEnv(sandbox, token), ...own };
  const failed = await checkout(sandbox, run.repo, run.branch, signal);
  if (failed !== null) {
    return handOff(core, run, {
      fault: "us",
      tried: `to clone ${run.repo} into the sandbox`,
      failed,
      next: "Ask again. If it stays, the gateway's log says more.",
    });
  }
  const { events, broken } = await setUp(core, run, sandbox, env, signal);
  if (broken !== null) {
    const refused = await refusalsOf(core, run.id, sandbox.key)(signal);
    return handOff(
      core,
      run,
      {
        fault: "environment",
        tried: `the setup command \`${broken}\``,
        failed: `It failed on the unchanged repository${refused.length === 0 ? "." : `, and ${refusedWords(refused)} before it did.`}`,
        next: "Mend the setup command in the team's policy, or what it needs from the network.",
      },
      events,
    );
  }
  await core.store.tx((tx) => move(core, tx, run, "working", { events }));
  core.nudge();
}

/**
 * Clones the run's branch into the work tree, or leaves a clone that is there whole: one that was cut short has a
 * repository too, and half of the files. With `oid` the new clone is at that commit. `null`, or what git said.
 * Throws when the relay does not answer: it is back in a moment, and the clone is begun again.
 */
export async function checkout(
  sandbox: Sandbox,
  repo: string,
  ref: string,
  signal: AbortSignal,
  oid = "",
): Promise<string | null> {
  const argv = ["sh", "-c", CLONE, "clone", repoUrl(sandbox, repo), ref, oid];
  const cloned = await sandbox.exec({ argv }, { timeoutMs: CLONE_MS, signal });
  if (cloned.exitCode === 0) return null;
  if (cloned.timedOut) return `it took more than ${CLONE_MS / 60_000} minutes`;
  const said = cloned.stderr.slice(-2_000);
  if (isRelayAway(said)) throw new Error(`the relay does not answer: ${said}`);
  return said;
}
