import type { Core } from "#runs/core.ts";
import { settleMoney } from "#runs/money/settle-money.ts";
import { expireHosts } from "#runs/sandbox/hosts.ts";
import { regrant } from "#runs/sandbox/regrant.ts";
import { LABEL } from "#runs/sandbox/sandbox.ts";
import { isFinal } from "#runs/state.ts";

/** A run that a queue should carry but nobody has touched for this long has lost its job: it is woken again. */
const IDLE_MS = 60_000;
const AT_ONCE = 200;
/** A sandbox this young may belong to an intent that is being recorded right now. */
const GRACE_MS = 2 * 60_000;

/** The policy under which this process last looked at what live sandboxes may do. */
const granted = new WeakMap<Core, string>();

/**
 * Enqueues what is due: timers are rows, not jobs. Gives back what ended runs have not spent. And when the policy has changed, live sandboxes get what it leaves
 * them. Every 2 s.
 */
export async function sweep(core: Core): Promise<void> {
  for (const { id, queue } of await core.stores.runs.due(IDLE_MS, AT_ONCE)) {
    await core.store.tx((tx) => core.engine.wake(tx, id, queue));
  }
  await settleMoney(core);
  const current = core.policy();
  const inForce = current.ok ? current.policy.digest : "none";
  if (granted.get(core) === inForce) return;
  await regrant(core);
  granted.set(core, inForce);
}

/**
 * Destroys sandboxes that no run owns: their run has ended, or knows nothing of them. And grants anew what lives, in case
 * another worker, which had not read the newest policy yet, granted more. And closes questions about hosts that nobody
 * answered. Every minute.
 */
export async function sweepSandboxes(core: Core): Promise<void> {
  await sweepOrphans(core);
  await regrant(core);
  await expireHosts(core);
}

async function sweepOrphans(core: Core): Promise<void> {
  for (const found of await core.sandboxes.list(LABEL)) {
    if (core.clock.now().getTime() - found.createdAt.getTime() < GRACE_MS) continue;
    const runId = found.labels.run ?? "";
    const run = await core.stores.runs.get(runId);
    const rows = run ? await core.stores.sandboxes.ofRun(run.id) : [];
    const owned =
      run !== null && !isFinal(run.state) && rows.some((row) => row.key === found.key && row.state !== "gone");
    if (owned) continue;
    core.log("an orphan sandbox is destroyed", { sandbox: found.id, run: runId });
    await core.gateway.revoke(found.key);
    await core.sandboxes.destroy(found.id);
  }
}
