import { commandObjects } from "#policy/decide/command-actions.ts";
import type { PolicyObject } from "#policy/decision.ts";
import type { Tool } from "#policy/tools.ts";
import type { Agent, AgentEvent } from "#ports/agent.ts";
import type { Tx } from "#ports/store.ts";
import { answering } from "#runs/approval/answers.ts";
import { open } from "#runs/approval/ask.ts";
import { escalate } from "#runs/approval/escalate.ts";
import { membersOrHold } from "#runs/approval/hold.ts";
import { earliest, looksAt, reminders } from "#runs/approval/remind.ts";
import { grantKey, spendable } from "#runs/approval/yes.ts";
import { bind, commandSubject } from "#runs/bind.ts";
import { boundNow, sameAct, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { allow, decided, unrecorded } from "#runs/decision/allow.ts";
import type { EventBody } from "#runs/event.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { waitsUntil } from "#runs/sandbox/sandbox.ts";

type Asked = Extract<AgentEvent, { kind: "permission.asked" }>;

/**
 * What comes of an agent's question. "answered": it was told; `settle` writes the record with the cursor.
 * "parked": people were asked, or will be as soon as it is known who they are; the run waits without a job.
 */
export type Permitted =
  | { readonly kind: "answered"; readonly settle: (tx: Tx) => Promise<readonly EventBody[]> }
  | { readonly kind: "parked" }
  /** Nobody answered in time: the question is over and the sandbox can go. */
  | { readonly kind: "expired" }
  /** People still have time to answer and the sandbox has none to wait for them. */
  | { readonly kind: "outstayed" };

/** One process of an agent. `name` is its own for ever; `gone`: it had ended before we came, and only its words are left. */
export interface Speaker {
  readonly agent: Agent;
  readonly name: string;
  readonly gone: boolean;
  /** When its sandbox ends by itself. */
  readonly endsAt: Date;
}

/** The agents' protocol has words of its own for the tools of policy. Its other kinds have no name there: "*" alone holds them. */
const TOOL_OF = new Map<string, Tool>([
  ["execute", "shell"],
  ["fetch", "browser"],
]);

/** What names a command is a shell, whatever kind it says it is. */
const objectsOf = ({ toolKind, command }: Asked): readonly PolicyObject[] =>
  command === null ? [{ subject: "tool", tool: TOOL_OF.get(toolKind) ?? toolKind }] : commandObjects(command);

/**
 * Puts an agent's permission request to policy, and to people when policy says so. The answer goes to the agent first
 * and into the record with the cursor after: a crash between them answers the same again, which does nothing. The
 * speaker's name keeps another process that asks the same from being taken for it.
 */
export async function permit(core: Core, run: Run, speaker: Speaker, asked: Asked): Promise<Permitted> {
  const { agent } = speaker;
  const asking = `${speaker.name}:${asked.ask}`;
  // Nobody waits for the answer: no person is asked and no yes is spent, unless it was given away already.
  if (speaker.gone && !(await wasGiven(core, run, asking))) return { kind: "answered", settle: async () => [] };
  const decision = await allow(core, run, objectsOf(asked));
  const what = asked.command ?? asked.title;
  const told = decided("command", what, decision);
  if (decision.outcome === "allow") {
    await agent.answer(asked.ask, "allow");
    // An allowed command is in the record as the command itself; only what a rule named is worth a line of its own.
    return { kind: "answered", settle: async () => (decision.rules.length > 0 ? [told] : []) };
  }
  if (decision.outcome === "deny") {
    await agent.answer(asked.ask, "reject");
    const rule = decision.rules[0];
    return {
      kind: "answered",
      settle: async (tx) => {
        await refused(
          core,
          tx,
          run,
          what,
          rule ? `policy (${rule.at}${rule.why === null ? "" : `: ${rule.why}`})` : `policy: ${decision.reason}`,
        );
        return [told];
      },
    };
  }
  const recorded = (tx: Tx) => unrecorded(core, tx, asking, told);
  const subject = withBound(commandSubject(what, asked.input), boundNow(core, run, decision));
  const digest = bind("command", run, subject);
  const before = (await core.stores.approvals.ofRun(run.id)).filter(
    (one) => one.gate === "command" && sameAct(one.subject, subject),
  );
  const effects = await core.stores.effects.ofRun(run.id);
  const unspent = before.filter((one) => spendable(core, one, effects, asking, decision.asks));
  const usable = await answering(core, run, unspent, decision);
  if (usable) {
    // Given away before it is given: whoever comes after a crash knows to whom, and gives it to nobody else.
    const given = grantKey(usable, asking);
    await core.stores.effects.intend(given, run);
    await agent.answer(asked.ask, "allow");
    return {
      kind: "answered",
      settle: async (tx) => {
        await core.stores.effects.done(tx, given, run, null);
        return [...(await recorded(tx)), { kind: "grant.used", approval: usable.id, digest }];
      },
    };
  }
  // What was answered, or is asked, by other rules is no answer to these.
  const latest = before.findLast((one) => one.digest === digest);
  if (latest?.status === "denied") {
    await agent.answer(asked.ask, "reject");
    return {
      kind: "answered",
      settle: async (tx) => {
        const vote = (await core.stores.approvals.votes(tx, latest.id)).find((one) => one.choice === "deny");
        await refused(
          core,
          tx,
          run,
          what,
          `${vote?.person.name ?? "an approver"}${vote?.reason ? `: ${vote.reason}` : ""}`,
        );
        return recorded(tx);
      },
    };
  }
  if (latest?.status === "pending") {
    const now = core.clock.now();
    if (latest.expiresAt <= now) return { kind: "expired" };
    const leftMs = (run.deadlineAt ?? now).getTime() - latest.expiresAt.getTime();
    const leaveAt = waitsUntil(speaker.endsAt, leftMs);
    if (leaveAt <= now) return { kind: "outstayed" };
    const { due, next } = await reminders(core, run, [latest]);
    const wakeAt = earliest(next ?? latest.expiresAt, await escalate(core, run, [latest]), leaveAt);
    await core.store.tx(async (tx) => {
      await core.stores.runs.patch(tx, run, { wakeAt });
      for (const approval of due) await tell(core, tx, run, "reminder", approval.id);
    });
    core.nudge();
    return { kind: "parked" };
  }
  const current = core.policy();
  if (!current.ok) throw new Error(`policy cannot be read: ${current.problem}`);
  const asks = await membersOrHold(core, current.policy, run, decision.asks);
  if (asks === null) {
    const now = core.clock.now();
    const leaveAt = waitsUntil(speaker.endsAt, (run.deadlineAt ?? now).getTime() - now.getTime());
    return { kind: leaveAt <= now ? "outstayed" : "parked" };
  }
  await core.store.tx(async (tx) => {
    await record(core, tx, run.id, run.epoch, await recorded(tx));
    const opened = await open(core, tx, run, "command", subject, digest, asks, run.epoch);
    // A person's time is not the agent's: the wait is added here, and what of it was not needed is taken back by the vote.
    const now = core.clock.now().getTime();
    const leftMs = (run.deadlineAt?.getTime() ?? now) - now;
    await core.stores.runs.patch(tx, run, {
      wakeAt: earliest(looksAt(opened), waitsUntil(speaker.endsAt, leftMs)),
      deadlineAt: run.deadlineAt === null ? null : new Date(opened.expiresAt.getTime() + leftMs),
    });
  });
  core.nudge();
  return { kind: "parked" };
}

const wasGiven = async (core: Core, run: Run, asking: string): Promise<boolean> =>
  (await core.stores.effects.ofRun(run.id)).some(({ key }) => key.startsWith("grant:") && key.endsWith(`:${asking}`));

/** The agent's protocol has no place for a reason, so the next turn says who refused and why. */
async function refused(core: Core, tx: Tx, run: Run, what: string, by: string): Promise<void> {
  await core.stores.turns.add(tx, {
    runId: run.id,
    cause: "rejection",
    person: null,
    text: `This was refused and did not run: ${what}\nRefused by ${by}`,
  });
}
