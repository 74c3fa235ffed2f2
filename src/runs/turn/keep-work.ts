import type { Agent } from "#ports/agent.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import type { Core } from "#runs/core.ts";
import { record } from "#runs/record/record.ts";
import type { Run } from "#runs/run.ts";
import { scan } from "#runs/scan.ts";
import { commitAndPush } from "./finish.ts";

const PATCH_BYTES = 2_000_000;

/**
 * Saves what is in the work tree of a run that cannot go on, so that people can take it from the run's page: committed,
 * pushed to the relay, and looked through for what must not leave. What cannot be saved is said. Whatever
 * the agent still runs is stopped first.
 */
export async function keepWork(
  core: Core,
  inside: { readonly sandbox: Sandbox; readonly agent: Agent | null },
  run: Run,
  signal: AbortSignal,
): Promise<Run> {
  const saved = await commitAndPush(core, inside, run, signal);
  if ("what" in saved) {
    await core.store.tx((tx) =>
      record(core, tx, run.id, run.epoch, [
        { kind: "notice", text: `The work so far could not be kept: ${saved.said}` },
      ]),
    );
    return run;
  }
  const { oid } = saved;
  const { baseOid } = run;
  if (baseOid === null || oid === baseOid || oid === run.headOid) return run;
  const changes = await core.gateway.changes(run.id, baseOid, oid, PATCH_BYTES);
  return core.store.tx(async (tx) => {
    await record(core, tx, run.id, run.epoch, [
      { kind: "work.committed", base: baseOid, head: oid, files: changes.files.map((file) => ({ ...file })) },
      ...scan(changes),
    ]);
    return core.stores.runs.patch(tx, run, { headOid: oid });
  });
}
