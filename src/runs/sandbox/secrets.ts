import { answering } from "#runs/approval/answers.ts";
import { open } from "#runs/approval/ask.ts";
import { membersOrHold } from "#runs/approval/hold.ts";
import { looksAt } from "#runs/approval/remind.ts";
import { stands } from "#runs/approval/yes.ts";
import type { Approval, OpenAsk } from "#runs/approval.ts";
import { bind, secretSubject } from "#runs/bind.ts";
import { boundNow, sameAct, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { allow, decided } from "#runs/decision/allow.ts";
import type { EventBody } from "#runs/event.ts";
import { isNews } from "#runs/record/decided-anew.ts";
import { factsOf } from "#runs/record/look.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { secretNames } from "./granted.ts";
import { release } from "./sandbox.ts";

interface Question {
  readonly subject: Readonly<Record<string, unknown>>;
  readonly digest: string;
  readonly asks: readonly OpenAsk[];
}

/**
 * Before a sandbox is made, and before somebody's words reach an agent that has one: puts every secret that the run's hosts
 * need to policy, and to people where policy says so. `true`: the run waits for them. A secret that is denied is left out
 * with its hosts, which is said once. `pack`: saves what is in the sandbox before it goes.
 */
export async function waitsForSecrets(
  core: Core,
  before: Run,
  pack: () => Promise<Run> = async () => before,
): Promise<boolean> {
  let run = before;
  const names = run.scope === null ? [] : secretNames(run.scope);
  if (names.length === 0) return false;
  const all = await factsOf(core, run.id);
  const approvals = (await core.stores.approvals.ofRun(run.id)).filter(({ gate }) => gate === "secret");
  const effects = await core.stores.effects.ofRun(run.id);
  const live = (await core.stores.sandboxes.ofRun(run.id)).find(
    ({ slot, state }) => slot === "agent" && state !== "gone",
  );
  const events: EventBody[] = [];
  const questions: Question[] = [];
  const waiting: Approval[] = [];
  const without = (name: string, why: string) => {
    const hosts = (run.scope?.egress ?? []).flatMap(({ host, secret }) => (secret?.name === name ? [host] : []));
    const text = `This run goes without the secret ${name}: ${why}. Closed with it: ${[...new Set(hosts)].join(", ")}.`;
    if (!all.notices.some((notice) => notice.text === text)) events.push({ kind: "notice", text });
  };
  for (const name of names) {
    const decision = await allow(core, run, [{ subject: "secret.name", secret: name }]);
    const event = decided("secret", name, decision);
    if (isNews(all.decisions, event)) events.push(event);
    if (decision.outcome === "allow") continue;
    if (decision.outcome === "deny") {
      const [rule] = decision.rules;
      without(
        name,
        rule === undefined ? `policy gives it to nobody (${decision.reason})` : `${rule.text} (${rule.at})`,
      );
      continue;
    }
    const subject = withBound(secretSubject(run, name), boundNow(core, run, decision));
    const digest = bind("secret", run, subject);
    const same = approvals.filter((approval) => sameAct(approval.subject, subject));
    const stand = same.filter((one) => stands(core, one, effects, live?.key ?? null, decision.asks));
    if ((await answering(core, run, stand, decision)) !== null) continue;
    const latest = same.findLast((approval) => approval.digest === digest);
    if (latest?.status === "denied") {
      const no = all.approvals.find(({ id }) => id === latest.id)?.votes.findLast(({ choice }) => choice === "deny");
      without(name, `${no?.by.name ?? "an approver"} said no${no?.reason ? ` (${no.reason})` : ""}`);
    } else if (latest?.status === "pending" || latest?.status === "expired") waiting.push(latest);
    else {
      const current = core.policy();
      if (!current.ok) throw new Error(`policy cannot be read: ${current.problem}`);
      const asks = await membersOrHold(core, current.policy, run, decision.asks);
      if (asks === null) return true;
      questions.push({ subject, digest, asks });
    }
  }
  if (questions.length + waiting.length === 0) {
    if (events.length > 0) {
      await core.store.tx(async (tx) => {
        await record(core, tx, run.id, run.epoch, events);
        await tell(core, tx, run, "status");
      });
    }
    return false;
  }
  // Whatever was made before policy asked: the question comes first.
  run = await pack();
  await release(core, run, run.epoch);
  await core.store.tx(async (tx) => {
    await core.stores.runs.lock(tx, run.id);
    await record(core, tx, run.id, run.epoch, events);
    const pending = (await core.stores.approvals.pendingOf(tx, run.id)).filter(({ gate }) => gate === "secret");
    for (const { subject, digest, asks } of questions) {
      pending.push(await open(core, tx, run, "secret", subject, digest, asks, run.epoch));
    }
    const expired = waiting.filter(({ status }) => status === "expired");
    const put = [...pending, ...expired];
    // Answered since we looked: the run is looked at once more.
    if (put.length === 0) return core.engine.wake(tx, run.id, "agent");
    const lookAt = Math.min(...(pending.length > 0 ? pending : put).map((one) => looksAt(one).getTime()));
    await move(core, tx, run, "suspended", {
      why: `asks ${[...new Set(put.flatMap(({ asks }) => asks.map(({ from }) => from)))].join(", ")}`,
      patch: { resumeTo: "preparing", wakeAt: new Date(lookAt) },
    });
  });
  core.nudge();
  return true;
}
