import { type GroupRef, groupOf } from "#policy/policy.ts";
import { type Chat, ChatUnavailable, type Place } from "#ports/chat.ts";
import { LINKED, linkedOf } from "#runs/account/tell-linked.ts";
import { lostOf, UNLINKED } from "#runs/account/unlink.ts";
import type { Core } from "#runs/core.ts";
import { newsOf } from "#runs/decision/policy-news.ts";
import { type ApprovalFacts, facts as factsFrom } from "#runs/facts.ts";
import { CLAIM_MS, type InHand } from "#runs/in-hand.ts";
import { eventsOf, titled } from "#runs/record/look.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { isFinal } from "#runs/state.ts";
import type { OutboxRow } from "#runs/stores.ts";
import { peopleOf, tasksOf, type View } from "#runs/view.ts";

const AT_ONCE = 16;
/** How long nobody looks when nobody rings: what the dead claimed, or another worker put off, is found then. */
const LOOK_MS = 1_000;
const RETRY_MS = 5_000;
/** How soon a message of a thread that is not there yet is looked at again. */
const THREAD_MS = 1_000;

/**
 * Shows what the outbox wants shown, as things are then, until `signal` aborts. As soon as one message is shown the
 * next may begin, so that nothing waits for a slow one. `bell` ends a wait when something is wanted, and when its
 * signal aborts: then a message is due again. A message that cannot be shown stays due; nothing is lost and nothing is
 * posted twice. Resolves when what was begun is done.
 */
export async function deliver(
  core: Core,
  chat: Chat<View>,
  bell: (ms: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const flying = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const now = () => core.clock.now().getTime();
  /** When what we put off is due again. */
  let returns: readonly number[] = [];
  let rest = new AbortController();
  const begin = (row: OutboxRow): void => {
    const shown = show(core, chat, row)
      .then(
        (dueAfterMs) => {
          if (dueAfterMs === null) return;
          returns = [...returns, now() + dueAfterMs];
          if (dueAfterMs < LOOK_MS) rest.abort();
        },
        (error: unknown) => {
          failures.push(error);
          rest.abort();
        },
      )
      .finally(() => flying.delete(shown));
    flying.add(shown);
  };
  try {
    while (!signal.aborted && failures.length === 0) {
      const room = AT_ONCE - flying.size;
      rest = new AbortController();
      const from = now();
      returns = returns.filter((at) => at > from);
      const due = room > 0 ? await core.stores.outbox.due(CLAIM_MS, room) : [];
      for (const row of due) begin(row);
      if (due.length === room) await Promise.race(flying);
      else if (!rest.signal.aborted)
        await bell(
          Math.max(0, Math.min(LOOK_MS, ...returns.map((at) => at - now()))),
          AbortSignal.any([signal, rest.signal]),
        );
    }
  } finally {
    await Promise.all(flying);
  }
  if (failures.length > 0) throw failures[0];
}

/** Shows one message that was claimed when it was wanted. Never rejects: the claim runs out, and `deliver` finds it. */
export async function showInHand(core: Core, chat: Chat<View>, { row, run, events }: InHand): Promise<void> {
  try {
    if ((await show(core, chat, row, { run, events })) === 0) core.nudge();
  } catch (error) {
    core.log("a message in hand could not be settled", { key: row.key, error: String(error) });
  }
}

/** In how many milliseconds the message is due again; `null`: it shows what is wanted. */
async function show(
  core: Core,
  chat: Chat<View>,
  row: OutboxRow,
  known: Omit<InHand, "row"> | null = null,
): Promise<number | null> {
  const { outbox } = core.stores;
  try {
    if (row.kind === UNLINKED || row.kind === LINKED) {
      const told = await (row.kind === LINKED ? linkedOf : lostOf)(core, row);
      const { provider, workspace, channel: id } = row.place;
      if (told !== null) await chat.whisper(row.place, { provider, workspace, id }, told);
      return (await outbox.shown(row.key, row.version, null)) ? 0 : null;
    }
    const about = known ?? (await aboutOf(core, row));
    const place = placeOf(row, about?.run ?? null);
    if (place === null) return (await outbox.later(row.key, THREAD_MS)) ? 0 : THREAD_MS;
    const view = await viewOf(core, row, about);
    const turn = { last: row.shownVersion, now: row.version };
    const messageId =
      view === null ? row.messageId : (await chat.show(row.key, place, view, row.messageId, turn)).messageId;
    if (about && messageId && opensMirror(row, about.run)) await keepThread(core, about.run, messageId);
    return (await outbox.shown(row.key, row.version, messageId)) ? 0 : null;
  } catch (error) {
    const wait = error instanceof ChatUnavailable ? (error.retryAfterMs ?? RETRY_MS) : RETRY_MS;
    if (!(error instanceof ChatUnavailable))
      core.log("a message could not be shown", { key: row.key, error: String(error) });
    return (await outbox.later(row.key, wait)) ? 0 : wait;
  }
}

/**
 * Of those that policy still knows; while it cannot be read nobody is called, and the card still names them. Code owners are
 * called as they were when they were asked.
 */
async function groupsOf(
  core: Core,
  { id, asks, escalated }: ApprovalFacts,
): Promise<Readonly<Record<string, GroupRef>>> {
  const current = core.policy();
  if (!current.ok) return {};
  const named = [...asks.map(({ from }) => from), ...escalated.map(({ to }) => to)].flatMap((from) => {
    const group = groupOf(current.policy, from);
    return group === null ? [] : [[from, group] as const];
  });
  if (!asks.some((ask) => peopleOf(ask) !== ask.from)) return Object.fromEntries(named);
  const owners = ((await core.stores.approvals.get(id))?.asks ?? []).flatMap((ask) =>
    peopleOf(ask) === ask.from ? [] : [[peopleOf(ask), { people: ask.members.map((one) => one.id) }] as const],
  );
  return Object.fromEntries([...named, ...owners]);
}

async function aboutOf(core: Core, { runId }: OutboxRow): Promise<Omit<InHand, "row"> | null> {
  if (runId === null) return null;
  const [run, events] = await Promise.all([core.stores.runs.get(runId), eventsOf(core, runId)]);
  return run && { run, events };
}

const inMirror = ({ place }: OutboxRow, { mirror }: Run): boolean =>
  mirror !== null && mirror.provider === place.provider && mirror.workspace === place.workspace;

const opensMirror = (row: OutboxRow, run: Run): boolean =>
  inMirror(row, run) && row.kind === "status" && run.mirror?.thread === "";

/** Where the message is shown. `null`: in a thread of the mirror that is not there yet; its first message makes it. */
function placeOf(row: OutboxRow, run: Run | null): Place | null {
  if (run === null || !inMirror(row, run)) return row.place;
  const { mirror } = run;
  return mirror === null || (mirror.thread === "" && row.kind !== "status") ? null : mirror;
}

/** From now on what is said in the thread is said to the run, and its home can lead there. */
async function keepThread(core: Core, run: Run, thread: string): Promise<void> {
  await core.store.tx(async (tx) => {
    const kept = await core.stores.runs.mirrored(tx, run.id, thread);
    if (kept) await tell(core, tx, { ...kept, mirror: null }, "status");
  });
  core.nudge();
}

/** The facts for one message, read when it is shown. `null` when there is nothing to show any more. */
async function viewOf(core: Core, row: OutboxRow, about: Omit<InHand, "row"> | null): Promise<View | null> {
  if (row.runId === null) return newsOf(core, row);
  if (about === null) return null;
  const { run, events } = about;
  const facts = factsFrom(events);
  const title = titled(core, run);
  switch (row.kind) {
    case "status":
      return { kind: "status", run: title, facts, tasks: tasksOf(facts) };
    case "approval": {
      const approval = facts.approvals.find((one) => one.id === row.subject);
      return approval
        ? {
            kind: "approval",
            run: title,
            facts,
            approval,
            claim: approval.gate === "start" ? null : (facts.said.at(-1)?.text ?? null),
            groups: await groupsOf(core, approval),
          }
        : null;
    }
    case "reminder": {
      const approval = facts.approvals.find((one) => one.id === row.subject);
      // Decided before it was shown: nobody is called for nothing.
      if (approval?.status !== "pending" || isFinal(facts.state)) return null;
      return { kind: "reminder", run: title, facts, approval, groups: await groupsOf(core, approval) };
    }
    case "escalated":
    case "delegated": {
      const [id, person] = (row.subject ?? "").split(" ");
      const approval = facts.approvals.find((one) => one.id === id);
      if (approval?.status !== "pending" || isFinal(facts.state)) return null;
      const handed = approval.delegated.find(({ to }) => to.id === person) ?? null;
      return { kind: row.kind, run: title, facts, approval, groups: await groupsOf(core, approval), handed };
    }
    case "receipt":
      return { kind: "receipt", run: title, facts };
    case "outcome":
      return { kind: "outcome", run: title, facts };
    case "forge": {
      if (row.subject === null) return { kind: "outcome", run: title, facts };
      const { reviews = [], forge = [] } = facts.pullRequest ?? {};
      return reviews.length + forge.length > 0 ? { kind: "forge", run: title, facts } : null;
    }
    case "blocked": {
      const host = facts.hosts.find((one) => `${one.host}:${one.port}` === row.subject && one.refused > 0);
      return host
        ? {
            kind: "blocked",
            run: title,
            host: host.host,
            port: host.port,
            reason: host.reason ?? "no_rule",
            rule: host.rule,
            times: host.refused,
          }
        : null;
    }
    default:
      throw new Error(`the outbox has no view for ${row.kind}`);
  }
}
