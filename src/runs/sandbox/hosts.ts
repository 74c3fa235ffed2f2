import { z } from "zod";
import { askable } from "#policy/decide/decide.ts";
import type { EgressRequest, EgressRule } from "#policy/egress.ts";
import { type Policy, teamOf } from "#policy/policy.ts";
import { DirectoryUnavailable } from "#ports/directory.ts";
import type { AuditLine } from "#ports/gateway.ts";
import type { Tx } from "#ports/store.ts";
import { answers, lostTo } from "#runs/approval/answers.ts";
import { open, withMembers } from "#runs/approval/ask.ts";
import { escalate } from "#runs/approval/escalate.ts";
import { reminders } from "#runs/approval/remind.ts";
import { give } from "#runs/approval/yes.ts";
import type { Approval, OpenAsk } from "#runs/approval.ts";
import { bind } from "#runs/bind.ts";
import { boundNow, stillBound, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { type Answer, allow, decided } from "#runs/decision/allow.ts";
import { ruleOfBoth } from "#runs/decision/narrow.ts";
import { decidedAnew } from "#runs/record/decided-anew.ts";
import { factsOf } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import { ruleShape } from "#runs/replay.ts";
import type { Person, Run } from "#runs/run.ts";
import type { RunState } from "#runs/state.ts";

/** Hosts of one run that people are asked about: an agent can name thousands, and the thread is for people. */
const MOST = 5;
/** The agent is in its sandbox and can still use a yes. */
export const AT_WORK: readonly RunState[] = ["preparing", "working"];
/** Refusals by which a person's yes would help; any other is about the address, the client or the run. */
const ANSWERABLE = new Set(["no_rule", "port", "method"]);
/** A name that a person can read as it is. */
const READABLE = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/;

const texts = z.array(z.string());

/** What a yes to a host opens, as it stands under the question's digest. */
const Subject = z.looseObject({
  host: z.string(),
  port: z.number(),
  tried: z.string().nullable(),
  opens: z.strictObject({
    methods: texts,
    paths: texts,
    private: texts,
    maxBodyBytes: z.number().nullable(),
    denied: z.array(z.strictObject({ hosts: texts, except: texts, methods: texts, paths: texts, rule: ruleShape })),
    rule: ruleShape,
  }),
});

/** What the ceilings of both policies would let a person add so that the request passes; `null`: nothing. */
async function addable(
  core: Pick<Core, "policy" | "stores">,
  run: Pick<Run, "team" | "policyDigest">,
  request: EgressRequest,
): Promise<EgressRule | null> {
  const current = core.policy();
  const pinned = await core.stores.policies.get(run.policyDigest);
  if (!current.ok || pinned === null) return null;
  const rules = [pinned, current.policy].map((policy) => askable(policy, run.team, request));
  const [before, now] = rules;
  if (!before || !now) return null;
  const both = ruleOfBoth(before, now);
  const denied = [...(before.denied ?? []), ...(now.denied ?? [])];
  // One host and port of what the ceiling has, and always looked into: a tunnel would be more than anybody was shown.
  return both && { ...both, host: request.host, ports: [request.port], mode: "intercept", secret: null, denied };
}

/** The ceiling's hosts that people may be asked for, where the team asks at all; for the words of a refusal only. */
export function askableNow(core: Pick<Core, "policy">, run: Pick<Run, "team">): readonly EgressRule[] {
  const current = core.policy();
  const policy: Policy | null = current.ok ? current.policy : null;
  return policy !== null && teamOf(policy, run.team)?.unlisted ? policy.ceiling.askable : [];
}

type Denied = Extract<AuditLine, { kind: "egress" }>;

/** What is to be said about a refused host: a question, that no more are asked, or that nobody can be asked. */
export type HostAsked =
  | {
      readonly kind: "question";
      readonly subject: Readonly<Record<string, unknown>>;
      readonly asks: readonly OpenAsk[];
      readonly decision: Answer;
      readonly name: string;
    }
  | { readonly kind: "notice"; readonly text: string }
  /** People have its card in the thread already, whatever came of it. */
  | { readonly kind: "asked" };

/**
 * What people are to be asked about a refused host; `null`: nothing. Reads the directory, so it comes before the
 * transaction that records the refusal.
 */
export async function askedOf(core: Core, run: Run, line: Denied): Promise<HostAsked | null> {
  const { host, port, method } = line;
  if (!AT_WORK.includes(run.state) || !ANSWERABLE.has(line.reason) || !READABLE.test(host)) return null;
  const decision = await allow(core, run, [{ subject: "egress", host, port, method, path: null }]);
  const current = core.policy();
  if (decision.outcome !== "ask" || !current.ok) return null;
  const row = (await core.stores.sandboxes.ofRun(run.id)).find(({ key }) => key === line.sandbox);
  if (row?.slot !== "agent") return null;
  const before = (await core.stores.approvals.ofRun(run.id)).filter(({ gate }) => gate === "host");
  // A yes that died of what it was bound to, or of its people having become authors, may be asked for once more.
  const same = (one: Approval) =>
    one.subject.host === host &&
    one.subject.port === port &&
    one.subject.tried === method &&
    stillBound(core, run, one, decision);
  for (const one of before.filter(same)) {
    const lost = one.status === "approved" && (await lostTo(core, run, one)).length > 0;
    if (!lost) return { kind: "asked" };
  }
  const name = `${host}:${port}`;
  if (before.length >= MOST) {
    return once(core, run, `People were asked about ${MOST} hosts of this run. Others are only refused from here on.`);
  }
  const rule = await addable(core, run, { host, port, method, path: null });
  if (rule === null) return null;
  const opens = {
    methods: [...rule.methods],
    paths: [...rule.paths],
    private: [...rule.private],
    maxBodyBytes: rule.maxBodyBytes,
    denied: rule.denied ?? [],
    rule: rule.rule,
  };
  try {
    const asks = await withMembers(core, current.policy, run, decision.asks);
    const subject = withBound({ host, port, tried: method, opens }, boundNow(core, run, decision));
    return { kind: "question", subject, asks, decision, name };
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    core.log("a host could not be asked about", { run: run.number, host: name, error: error.message });
    const groups = decision.asks.map((ask) => ask.from).join(", ");
    return once(core, run, `Nobody can be asked about ${name}: who is in ${groups} cannot be read. It stays refused.`);
  }
}

async function once(core: Core, run: Run, text: string): Promise<HostAsked | null> {
  const { notices } = await factsOf(core, run.id);
  return notices.some((notice) => notice.text === text) ? null : { kind: "notice", text };
}

/** Puts it in the thread. The run must be locked; it goes on meanwhile and waits for nothing. */
export async function askHost(core: Core, tx: Tx, run: Run, asked: HostAsked): Promise<void> {
  if (asked.kind === "asked" || !AT_WORK.includes(run.state)) return;
  if (asked.kind === "notice") {
    await record(core, tx, run.id, null, [{ kind: "notice", text: asked.text }]);
    return tell(core, tx, run, "status");
  }
  const { subject, asks, decision, name } = asked;
  await record(core, tx, run.id, null, [decided("host", name, decision)]);
  await open(core, tx, run, "host", subject, bind("host", run, subject), asks, null);
}

/**
 * A yes: the agent had been refused at once, so that it never hangs, and may have gone on without. It is told in its next
 * turn. A no is the refusal that it has had already.
 */
export async function hostAnswered(
  core: Core,
  tx: Tx,
  run: Run,
  approval: Approval,
  status: "approved" | "denied",
  by: Person,
): Promise<void> {
  const asked = Subject.safeParse(approval.subject);
  if (status === "denied" || !asked.success) return;
  const { host, port, opens } = asked.data;
  const what = `${host}:${port} (${opens.methods.length === 0 ? "any method" : opens.methods.join(", ")})`;
  await core.stores.turns.add(tx, {
    runId: run.id,
    cause: "follow_up",
    person: null,
    text: `${by.name} allowed ${what} for this run. If the work needs it, use it now. If not, change nothing and say so in a few words.`,
  });
  const text = `${what} is open to this run. It was refused at first so that the agent never waits; the agent is told in its next turn.`;
  await record(core, tx, run.id, null, [{ kind: "notice", text }]);
}

/**
 * The hosts that people allowed for this run, as far as both policies would still have them asked about. Given to the
 * sandbox with that.
 */
export async function allowedHosts(
  core: Core,
  run: Run,
  sandbox: string,
): Promise<readonly { readonly rule: EgressRule; readonly until: Date | null }[]> {
  const out: { rule: EgressRule; until: Date | null }[] = [];
  for (const approval of await core.stores.approvals.ofRun(run.id)) {
    const asked =
      approval.gate === "host" && approval.status === "approved" ? Subject.safeParse(approval.subject) : null;
    if (!asked?.success) continue;
    const { host, port, tried, opens } = asked.data;
    const request = { host, port, method: tried, path: null };
    const decision = await allow(core, run, [{ subject: "egress", ...request }]);
    await decidedAnew(core, run, [{ about: "host", subject: `${host}:${port}`, decision }]);
    if (decision.outcome !== "ask" || !(await answers(core, run, approval, decision))) continue;
    const now = await addable(core, run, request);
    const { rule: ref, denied, ...rest } = opens;
    const said: EgressRule = { ...rest, host, ports: [port], mode: "intercept", secret: null, rule: ref };
    const rule = now && ruleOfBoth(said, now);
    const one = rule && (await give(core, run, approval, sandbox, decision.asks));
    if (rule && one) out.push({ rule: { ...rule, denied: [...denied, ...(now.denied ?? [])] }, until: one.until });
  }
  return out;
}

const MOST_RUNS = 10_000;

/**
 * Questions about hosts whose time has come: their people are reminded once, they go to their next group, or are closed, which is
 * neither yes nor no. The run goes on meanwhile and has no time of its own to look at them.
 */
export async function expireHosts(core: Core): Promise<void> {
  for (const run of await core.stores.runs.inStates(core.orgId, [...AT_WORK, "checking"], MOST_RUNS)) {
    await expireOf(core, run);
  }
}

async function expireOf(core: Core, run: Run): Promise<void> {
  const now = core.clock.now();
  const open = (await core.stores.approvals.ofRun(run.id)).filter(
    ({ gate, status }) => gate === "host" && status === "pending",
  );
  const late = open.filter(({ expiresAt }) => expiresAt <= now);
  const pending = open.filter((one) => !late.includes(one));
  const { due } = await reminders(core, run, pending);
  await escalate(core, run, pending);
  if (late.length + due.length === 0) return;
  await core.store.tx(async (tx) => {
    const locked = await core.stores.runs.lock(tx, run.id);
    const still = await core.stores.approvals.pendingOf(tx, run.id);
    for (const { id } of locked ? due : []) {
      if (still.some((one) => one.id === id)) await tell(core, tx, run, "reminder", id);
    }
    for (const approval of locked ? late : []) {
      if ((await core.stores.approvals.close(tx, approval.id, "expired")) === null) continue;
      await record(core, tx, run.id, null, [{ kind: "approval.closed", approval: approval.id, status: "expired" }]);
      await tell(core, tx, run, "approval", approval.id);
      await tell(core, tx, run, "status");
    }
  });
  core.nudge();
}
