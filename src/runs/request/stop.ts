import type { Place } from "#ports/chat.ts";
import { type Account, DirectoryUnavailable } from "#ports/directory.ts";
import { membersNow } from "#runs/approval/ask.ts";
import type { Core } from "#runs/core.ts";
import { refusedOf, titled } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import { type Run, workspaceOf } from "#runs/run.ts";
import { isIn, type OpenAsk } from "#runs/seat.ts";
import { isFinal } from "#runs/state.ts";
import type { View } from "#runs/view.ts";

/**
 * Asks for a run to end. Its owner is fenced at once; the control queue kills what still works, says so, and moves
 * the run. Authors and the run's approvers may do it.
 */
export async function stop(core: Core, o: { runId: string; account: Account; place: Place }): Promise<View> {
  const run = await core.stores.runs.get(o.runId);
  if (!run) return { kind: "refused", refusal: { code: "no_run_here" } };
  const over = () => refusedOf(core, run, { code: "run_over", number: run.number, state: run.state });
  if (isFinal(run.state)) return over();
  const person = await core.store.tx((tx) => core.stores.people.resolve(tx, core.orgId, o.account, o.account.name));
  try {
    if (!(await mayStop(core, run, o.account, person.id))) {
      return refusedOf(core, run, { code: "not_yours_to_stop", requester: run.requester.name });
    }
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    core.log("a run's approvers could not be read", { run: run.number, error: error.message });
    return refusedOf(core, run, { code: "directory_unavailable" });
  }
  const stopping = await core.store.tx(async (tx) => {
    const asked = await core.stores.runs.requestCancel(tx, run.id, person.id);
    if (!asked) return null;
    await record(core, tx, run.id, null, [{ kind: "run.stopped", by: person }]);
    await tell(core, tx, run, "status");
    await core.engine.wake(tx, run.id, "control");
    return asked;
  });
  if (!stopping) return over();
  core.nudge();
  return { kind: "noted", what: "stopping", run: titled(core, run) };
}

/** The same, of a run that is named by its number. Numbers are guessed: one of another workspace is none here. */
export async function stopNumbered(
  core: Core,
  { number, ...o }: { number: number; account: Account; place: Place },
): Promise<View> {
  const run = await core.stores.runs.byNumber(core.orgId, number);
  return run && workspaceOf(run) === o.account.workspace
    ? stop(core, { ...o, runId: run.id })
    : { kind: "refused", refusal: { code: "no_such_run", number } };
}

async function mayStop(core: Core, run: Run, account: Account, personId: string): Promise<boolean> {
  const authors = await core.store.tx((tx) => core.stores.people.authors(tx, run.id));
  if (authors.some((author) => author.id === personId)) return true;
  const current = core.policy();
  if (!current.ok) return false;
  const asked = (await core.stores.approvals.ofRun(run.id)).flatMap(({ asks }) => asks);
  for (const ask of new Map(asked.map((ask) => [who(ask), ask])).values()) {
    const { members, escalated } = await membersNow(core, current.policy, workspaceOf(run), ask);
    if (isIn(account, [...members, ...escalated])) return true;
  }
  return false;
}

/** Questions to the same people are looked at once. */
const who = ({ from, owners, escalate, escalated }: OpenAsk): string =>
  JSON.stringify([from, owners, escalated === undefined ? null : escalate?.to]);
