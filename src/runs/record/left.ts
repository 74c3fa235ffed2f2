import type { Installations, InstallationWord, InstalledWorkspace } from "#ports/workspaces.ts";
import type { Core } from "#runs/core.ts";
import { type Run, workspaceOf } from "#runs/run.ts";
import { isFinal, RUN_STATES } from "#runs/state.ts";
import { record } from "./record.ts";

const OPEN = RUN_STATES.filter((state) => !isFinal(state));
const RUNS_MOST = 10_000;

/** Why a workspace's runs end. In the place of the person who asked for a stop comes the word before the workspace's id. */
const ENDS = {
  removed: {
    by: "workspace:",
    why: (id: string) => `the workspace ${id} removed the app`,
    notice: (id: string) =>
      `The workspace ${id} removed the app. Nobody there can follow, answer or stop this run any more, so it ends.`,
  },
  unlisted: {
    by: "unlisted:",
    why: (id: string) => `the workspace ${id} was taken off the list of those that may use the app`,
    notice: (id: string) =>
      `The workspace ${id} was taken off the list of those that may use the app. Nobody there is heard any more, so this run ends.`,
  },
} as const;
type Ended = keyof typeof ENDS;

/** Why a run was stopped, by what its row says of who asked for that. */
export function stoppedBecause(by: string): string {
  const end = Object.values(ENDS).find((one) => by.startsWith(one.by));
  return end === undefined ? "stopped by a person" : end.why(by.slice(end.by.length));
}

/** The chat says that a workspace has put us out. */
export interface LeftNews {
  readonly workspace: string;
  /** To the second. */
  readonly at: Date;
  /** Bots whose tokens were revoked, which may be other apps'; `null`: the app was removed. */
  readonly bots: readonly string[] | null;
}

/**
 * A workspace has removed the app: its runs end, each with the reason in its record, and what we have of it is forgotten. News
 * of an installation that another one has replaced, or of a token that was, changes nothing. Idempotent. Throws while the chat
 * does not say whether it takes our token: the news is to be told again.
 */
export async function workspaceLeft(
  core: Core,
  installs: Installations,
  { workspace, at, bots }: LeftNews,
): Promise<void> {
  const there = await core.stores.workspaces.get(workspace);
  if (there === null || there.installedAt.getTime() >= at.getTime() + 1_000) return;
  if (bots !== null && !bots.includes(there.botUserId)) return;
  core.log("a workspace is said to have removed the app", { level: "error", workspace });
  const word = await installs.ask(workspace);
  if (word.kind === "taken") return core.log("a workspace still takes our token, so it has not left", { workspace });
  if (word.kind === "unknown") throw new Error(`it is not known whether ${workspace} has left: ${word.why}`);
  // Where nobody can ask, and where our token is refused for whatever reason, the news stands for itself: it came signed, and
  // what is forgotten could be used by nobody.
  await forget(core, installs, there);
}

/**
 * Looks at every workspace that installed us, in case nobody told us what became of it: one that is off the list, and one whose
 * installation the chat calls over, are treated as `workspaceLeft` treats them, but that what is known of the first is kept:
 * the list can be mended. What cannot be asked about goes on. Idempotent, in any number of processes.
 */
export async function reconcileWorkspaces(core: Core, installs: Installations): Promise<void> {
  for (const there of await core.stores.workspaces.all()) {
    const word = await installs.ask(there.id);
    const now = await core.stores.workspaces.get(there.id);
    // Installed again while we asked: the answer was about the one before.
    if (now?.installedAt.getTime() !== there.installedAt.getTime()) continue;
    if (word.kind === "gone") await forget(core, installs, there, word);
    else await hold(core, installs, there, word);
  }
}

/** Held to the list by the organisation that it is in now. */
async function hold(core: Core, installs: Installations, there: InstalledWorkspace, word: InstallationWord) {
  const enterprise = word.kind === "taken" ? word.enterprise : there.enterprise;
  if (enterprise !== there.enterprise) {
    await core.stores.workspaces.moved(there, enterprise);
    installs.forget(there.id);
    core.log("a workspace has moved to another organisation", {
      workspace: there.id,
      from: there.enterprise,
      enterprise,
    });
  }
  if (word.kind === "unknown")
    core.log("Slack did not say whether a workspace still takes our token", { workspace: there.id, why: word.why });
  if (word.kind === "refused")
    core.log("a workspace refuses our token, and has not said that it left: countersign doctor says what to do", {
      level: "error",
      workspace: there.id,
      why: word.why,
    });
  if (installs.isAllowed({ id: there.id, enterprise })) return;
  const runs = await endRuns(core, there.id, "unlisted");
  if (runs > 0) core.log("runs of a workspace that is off the list were ended", { workspace: there.id, runs });
}

async function forget(
  core: Core,
  installs: Installations,
  { id, installedAt }: InstalledWorkspace,
  word?: Extract<InstallationWord, { kind: "gone" }>,
): Promise<void> {
  const runs = await endRuns(core, id, "removed");
  // This installation, and none that comes while we work.
  const gone = await core.stores.workspaces.remove(id, new Date(installedAt.getTime() + 1));
  installs.forget(id);
  if (gone)
    core.log("a workspace was forgotten", { workspace: id, runs, ...(word === undefined ? {} : { why: word.why }) });
}

/** Pull requests that are open stay open. Idempotent. Returns how many were ended now. */
async function endRuns(core: Core, workspace: string, ended: Ended): Promise<number> {
  const open = await core.stores.runs.inStates(core.orgId, OPEN, RUNS_MOST);
  const theirs = open.filter((run) => workspaceOf(run) === workspace && run.cancelRequestedBy === null);
  let count = 0;
  for (const run of theirs) if (await end(core, run, workspace, ENDS[ended])) count += 1;
  if (count > 0) core.nudge();
  return count;
}

async function end(core: Core, { id }: Run, workspace: string, { by, notice }: (typeof ENDS)[Ended]): Promise<boolean> {
  return core.store.tx(async (tx) => {
    const run = await core.stores.runs.lock(tx, id);
    if (run?.cancelRequestedBy !== null) return false;
    const asked = await core.stores.runs.requestCancel(tx, id, `${by}${workspace}`);
    if (!asked) return false;
    await record(core, tx, id, null, [{ kind: "notice", text: notice(workspace) }]);
    await core.engine.wake(tx, id, "control");
    return true;
  });
}
