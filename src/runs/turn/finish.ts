import type { Agent } from "#ports/agent.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { authorsOf, commitMessage } from "#runs/account/credit.ts";
import type { Core } from "#runs/core.ts";
import type { RunEvent } from "#runs/event.ts";
import { facts } from "#runs/facts.ts";
import { subjectOf } from "#runs/pull-request.ts";
import { isRelayAway, repoUrl } from "#runs/reach.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { eventsOf } from "#runs/record/look.ts";
import { move } from "#runs/record/move.ts";
import { failedChecks } from "#runs/result/checks.ts";
import type { Run } from "#runs/run.ts";
import { release } from "#runs/sandbox/sandbox.ts";

const GIT_MS = 5 * 60_000;
/** A refused push goes back to the agent once; then a person must look. */
const PUSH_REJECTIONS = 1;

/**
 * The agent has nothing more to do: its whole tree is stopped, then what is left in the work tree is committed and
 * pushed to the relay by us. No difference: the run is answered.
 */
export async function finish(
  core: Core,
  run: Run,
  sandbox: Sandbox,
  agent: Agent | null,
  signal: AbortSignal,
): Promise<void> {
  const saved = await commitAndPush(core, { sandbox, agent }, run, signal);
  if ("what" in saved) return notSaved(core, run, saved);
  const { oid } = saved;
  const changed = oid !== run.baseOid;
  const events = await eventsOf(core, run.id);
  const all = facts(events);
  const red = all.checks.filter(
    (check) => check.required && (check.verdict === "broke" || check.verdict === "not_run"),
  );
  if (!changed) {
    const answer = all.said.at(-1)?.text ?? "Nothing needed to change.";
    await core.store.tx(async (tx) => {
      await core.stores.runs.lock(tx, run.id);
      // Somebody spoke since the agent ended: it goes on.
      if (await core.stores.turns.open(tx, run.id)) return core.engine.wake(tx, run.id, "agent");
      await move(core, tx, run, "answered", { events: [{ kind: "run.answered", text: answer }] });
    });
  } else if (run.fixRounds > 0 && oid === (checkedOid(events) ?? run.headOid) && red.length > 0) {
    // The agent was told what fails and left everything as it was: the same commit would fail the same checks again.
    await release(core, run, run.epoch);
    return handOff(core, run, failedChecks(run, red, run.fixRounds + 1));
  } else {
    await core.store.tx((tx) => move(core, tx, run, "checking"));
  }
  core.nudge();
}

/** The commit that our checks last ran on: work may have been saved since without having been checked. */
function checkedOid(events: readonly RunEvent[]): string | null {
  const last = events.findLast(({ body }) => body.kind === "check.ran" && body.on !== "base");
  return last?.body.kind === "check.ran" ? last.body.oid : null;
}

/** What stood in the way: git itself, inside, or the relay, which says why. */
interface Unsaved {
  readonly what: "commit" | "push";
  readonly said: string;
}

/**
 * One command and not six: each is a way into the sandbox and back. "saved" comes between the commit and the push, so
 * that what fails has its name. Arguments: message, address, branch. Everything inside is stopped before, so a lock that
 * is there belongs to a git that was killed. Every filter driver that git knows here has nothing to run and is not
 * required, so that files are saved as they are: a pointer of Git LFS stays the pointer that it was cloned as. Names come
 * by the environment, where they may have any character.
 */
const SAVE = `
git() {
  command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c commit.gpgSign=false -c core.attributesFile=/dev/null "$@"
}
n=0
to() {
  export "GIT_CONFIG_KEY_$n=$1" "GIT_CONFIG_VALUE_$n=$2"
  n=$((n + 1))
}
drivers=$(git config --name-only --get-regexp '^filter\\.' | sed 's/\\.[^.]*$//' | sort -u)
while IFS= read -r driver; do
  to "$driver.clean" ""
  to "$driver.smudge" ""
  to "$driver.process" ""
  to "$driver.required" false
done <<END
$drivers
END
[ -z "$drivers" ] || export GIT_CONFIG_COUNT=$n
rm -f .git/index.lock .git/HEAD.lock || exit 1
git add --all >&2 || exit 1
if ! git diff --cached --quiet >&2; then
  git commit --quiet --no-verify --cleanup=whitespace --message "$1" >&2 || exit 1
fi
head=$(git rev-parse --verify "HEAD^{commit}") || exit 1
echo saved
git push --quiet "$2" "$head:refs/heads/$3" >&2 || exit 1
echo "$head"
`;

/**
 * Stops everything inside and saves the work tree: the commit that is saved now, or why it is not. Author: our app;
 * co-authors: those whose words it came of. Hooks, filters and signing of the repository are off, and its remotes do not
 * count. Throws when the relay does not answer.
 */
export async function commitAndPush(
  core: Core,
  { sandbox, agent }: { readonly sandbox: Sandbox; readonly agent: Agent | null },
  run: Run,
  signal: AbortSignal,
): Promise<{ readonly oid: string } | Unsaved> {
  if (agent) await agent.stop();
  await sandbox.killAll();
  // A known secret that someone wrote into the request must not leave with the commit.
  const subject = core.redact(subjectOf(run, 68));
  const authors = await core.store.tx((tx) => authorsOf(core, tx, run));
  const message = commitMessage(subject, run, authors);
  const argv = ["sh", "-c", SAVE, "save", message, repoUrl(sandbox, run.repo), run.branch];
  const { exitCode, stdout, stderr, timedOut } = await sandbox.exec({ argv }, { timeoutMs: GIT_MS, signal });
  await sandbox.killAll();
  const [committed, oid] = stdout.split("\n");
  if (exitCode === 0 && oid !== undefined && /^[0-9a-f]{40}$/.test(oid)) return { oid };
  const said = timedOut ? `it took more than ${GIT_MS / 60_000} minutes` : stderr.slice(-2_000);
  if (committed !== "saved") return { what: "commit", said };
  if (isRelayAway(said)) throw new Error(`the relay does not answer: ${said}`);
  return { what: "push", said };
}

/** What stood in the way goes to the agent once, so that it can mend it or take it back; then to people. */
async function notSaved(core: Core, run: Run, { what, said }: Unsaved): Promise<void> {
  const opening = what === "push" ? PUSH : COMMIT;
  const before = (await core.stores.turns.all(run.id)).filter(
    (turn) => turn.cause === "rejection" && turn.text.startsWith(opening),
  );
  if (before.length < PUSH_REJECTIONS) {
    await core.store.tx(async (tx) => {
      await core.stores.turns.add(tx, {
        runId: run.id,
        cause: "rejection",
        person: null,
        text:
          what === "push"
            ? `${PUSH} by policy and nothing of it is kept:\n${said}\nTake the refused part out of your changes (git reset --soft ${run.baseOid} helps).`
            : `${COMMIT}:\n${said}\nMend the git repository you work in.`,
      });
      await core.engine.wake(tx, run.id, "agent");
    });
    return;
  }
  if (what === "commit") {
    return handOff(core, run, {
      fault: "environment",
      tried: run.text,
      failed: `The changes could not be committed: ${said}`,
      next: "Read on the run page what was done to the repository inside, then ask again.",
    });
  }
  await handOff(core, run, {
    fault: "policy",
    tried: run.text,
    failed: `Policy does not let this be pushed: ${relayWords(said)}.`,
    next: `Ask for a change ${within(run)}, or ask the policy's owners to change the rule named above.`,
  });
}

const PUSH = "Your changes were refused";
const COMMIT = "Your changes could not be committed";

/** What the relay said, without git's own words around it and the rule's text; all of it when the relay said nothing. */
export function relayWords(said: string): string {
  const lines = said.split("\n").flatMap((line) => {
    const words = /^remote:\s+(?:\[\w+\] )?(.+?)(?: \(commit [0-9a-f]+\))?\.?\s*$/.exec(line)?.[1];
    if (words === undefined || words.startsWith("countersign:")) return [];
    return [words.replace(/: "[^"]*" at ([\w./-]+:\d+:\d+)/, " (rule at $1)")];
  });
  return lines.length === 0 ? said.trim() : lines.join("; ");
}

const PATHS_NAMED = 6;

function within(run: Run): string {
  const globs = (run.scope?.paths ?? [])
    .filter((rule) => rule.effect === "allow")
    .flatMap((rule) => rule.globs.map((glob) => glob.replace(/\/\*\*$/, "/")));
  return globs.length === 0 ? "that stays within the team's paths" : `within ${globs.slice(0, PATHS_NAMED).join(", ")}`;
}
