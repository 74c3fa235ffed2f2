import { createHash } from "node:crypto";
import { z } from "zod";
import { type Chat, ChatUnavailable, type Place } from "#ports/chat.ts";
import { type Step, type TicketLink, type TicketTracker, TicketUnavailable } from "#ports/ticket.ts";
import type { RunFacts } from "#runs/facts.ts";
import type { Task } from "#runs/task.ts";
import { type RunTitle, tasksOf, type View } from "#runs/view.ts";
import { activitiesOf, type Due, underWay } from "./activities.ts";
import { activityId } from "./ids.ts";

/** Steps that are gone with the next one are shown this often at most. */
const STEP_MS = 20_000;
/** How long a question waits for the thread that it leads to. */
const THREAD_MS = 20_000;
const AGAIN_MS = 5_000;
/** Somebody has to act before it can work. */
const AFTER_REFUSED_MS = 10 * 60_000;
/** Runs remembered; of a forgotten one the outbox still has the cursor. */
const REMEMBERED = 2_000;

/**
 * What a session has been told. It stands in the outbox as the message's id: activities are not edited, so there is no
 * message whose id could stand there.
 */
const Told = z.object({
  /** Marks of the activities that are there. */
  posted: z.array(z.string()),
  outline: z.string(),
  begun: z.boolean(),
  pull: z.string().nullable(),
});
type Told = z.infer<typeof Told>;

const NOTHING: Told = { posted: [], outline: "", begun: false, pull: null };

export interface LinearChatOptions {
  readonly tracker: TicketTracker;
  readonly now: () => Date;
  /** Where people read a thread of their chat; `null`: nobody can say. */
  readonly permalink: (thread: Place) => string | null;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

/**
 * The chat port over Linear's agent sessions. Of a run's messages only two are shown, which have all of its facts: from them
 * comes the list of activities that should be there, and what is missing is posted in order, each with an id of its own.
 */
export function linearChat({ tracker, now, permalink, log }: LinearChatOptions): Chat<View> {
  const told = new Map<string, Told>();
  /** What stood in the outbox when we had last shown a message. */
  const left = new Map<string, string>();
  const stepped = new Map<string, number>();
  const queues = new Map<string, Promise<unknown>>();

  /** A session's activities are posted one after the other: their order is what people read. */
  function inTurn<T>(session: string, act: () => Promise<T>): Promise<T> {
    const mine = (queues.get(session) ?? Promise.resolve()).then(act, act);
    const settled = mine
      .catch(() => undefined)
      .finally(() => {
        if (queues.get(session) === settled) queues.delete(session);
      });
    queues.set(session, settled);
    return mine;
  }

  function remember(runId: string, state: Told): void {
    told.delete(runId);
    told.set(runId, state);
    const oldest = told.keys().next().value;
    if (told.size > REMEMBERED && oldest !== undefined) {
      told.delete(oldest);
      stepped.delete(oldest);
    }
  }

  function leave(key: string, messageId: string): void {
    left.delete(key);
    left.set(key, messageId);
    const oldest = left.keys().next().value;
    if (left.size > REMEMBERED && oldest !== undefined) left.delete(oldest);
  }

  /** What the session has been told so far. Where another process has told it more since, that is in the outbox. */
  function known(key: string, run: RunTitle, shown: string | null): Told {
    const ours = told.get(run.id);
    if (ours === undefined || !shown || shown === left.get(key)) return ours ?? read(shown);
    const theirs = read(shown);
    return {
      posted: [...new Set([...ours.posted, ...theirs.posted])],
      outline: theirs.outline,
      begun: ours.begun || theirs.begun,
      pull: theirs.pull ?? ours.pull,
    };
  }

  async function catchUp(
    key: string,
    { place, run, facts, shown }: { place: Place; run: RunTitle; facts: RunFacts; shown: string | null },
  ): Promise<Told> {
    const session = place.thread;
    let state = known(key, run, shown);
    const keep = (patch: Partial<Told>) => {
      state = { ...state, ...patch };
      remember(run.id, state);
    };
    const threadUrl = run.mirror === undefined ? null : permalink(run.mirror);
    for (const one of activitiesOf(facts, { run, threadUrl })) {
      const mark = markOf(one.key);
      if (state.posted.includes(mark)) continue;
      if (waitsForThread(one, run))
        throw new ChatUnavailable("the Slack thread is not there yet", { retryAfterMs: 1_000 });
      await tracker.post(session, { id: activityId(run.id, one.key), activity: one.activity });
      keep({ posted: [...state.posted, mark] });
    }
    const outline = { plan: tasksOf(facts).map(stepOf), links: linksOf(run, facts, threadUrl) };
    const hash = markOf(JSON.stringify(outline));
    if (hash !== state.outline) {
      await tracker.outline(session, outline);
      keep({ outline: hash });
    }
    const { ticket } = facts.request;
    if (ticket !== undefined && !state.begun && BEGUN.has(facts.state)) {
      await aside("the ticket could not be moved to a state of work", run, () => tracker.begin(ticket.id));
      keep({ begun: true });
    }
    const pull = facts.pullRequest?.url ?? null;
    if (ticket !== undefined && pull !== null && pull !== state.pull && isGithubPull(pull)) {
      await aside("the pull request could not be linked to its ticket", run, () => tracker.linkPull(ticket.id, pull));
      keep({ pull });
    }
    const step = underWay(facts);
    const at = now().getTime();
    if (step !== null && at - (stepped.get(run.id) ?? 0) >= STEP_MS) {
      stepped.set(run.id, at);
      await tracker.post(session, { id: activityId(run.id, step.key), activity: step.activity, ephemeral: true });
    }
    return state;
  }

  /** What people can do without: refused for good it is said in the log, and the rest goes on. */
  async function aside(what: string, run: RunTitle, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof TicketUnavailable) || error.code !== "refused") throw error;
      log(what, { level: "error", run: run.number, error: error.message });
    }
  }

  const waitsForThread = ({ activity, at }: Due, run: RunTitle): boolean =>
    activity.kind === "elicitation" && run.mirror === undefined && now().getTime() - at.getTime() < THREAD_MS;

  return {
    async show(key, place, view, shown) {
      if (view.kind !== "status" && view.kind !== "receipt") return { messageId: shown ?? "" };
      const { run, facts } = view;
      try {
        const state = await inTurn(place.thread, () => catchUp(key, { place, run, facts, shown }));
        const messageId = JSON.stringify(state);
        leave(key, messageId);
        return { messageId };
      } catch (error) {
        if (error instanceof TicketUnavailable && AFTER_REFUSED.has(error.code))
          log("Linear refuses what we show", { level: "error", run: run.number, error: error.message });
        throw unavailable(error);
      }
    },
    async whisper() {
      throw new Error("Linear shows everything to everybody who may read the ticket");
    },
  };
}

const AFTER_REFUSED: ReadonlySet<TicketUnavailable["code"]> = new Set(["refused", "unauthorised"]);

function unavailable(error: unknown): unknown {
  if (!(error instanceof TicketUnavailable)) return error;
  const wait = AFTER_REFUSED.has(error.code) ? AFTER_REFUSED_MS : AGAIN_MS;
  return new ChatUnavailable(error.message, { cause: error, retryAfterMs: error.retryAfterMs ?? wait });
}

/** From here on somebody works on the ticket. */
const BEGUN: ReadonlySet<string> = new Set(["preparing", "working", "checking", "publishing", "in_review"]);

function read(shown: string | null): Told {
  if (!shown) return NOTHING;
  try {
    return Told.parse(JSON.parse(shown));
  } catch {
    // Whatever it was: everything is posted anew, and Linear takes each activity once.
    return NOTHING;
  }
}

/** Short, as there are many of them: two of a run's that are the same would lose one activity. */
const markOf = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 10);

const STATUSES: Readonly<Record<Task["status"], Step["status"]>> = {
  pending: "pending",
  in_progress: "inProgress",
  complete: "completed",
  error: "canceled",
};

const STEP_CHARS = 200;
const stepOf = ({ title, status }: Task): Step => ({ content: title.slice(0, STEP_CHARS), status: STATUSES[status] });

const linksOf = (run: RunTitle, { pullRequest: pull }: RunFacts, threadUrl: string | null): readonly TicketLink[] => [
  { label: `Run ${run.number}`, url: run.url },
  ...(threadUrl === null ? [] : [{ label: "Slack thread", url: threadUrl }]),
  ...(pull === null ? [] : [{ label: `Pull request #${pull.number}`, url: pull.url }]),
];

/** Of github.com or an Enterprise server: other hosts' pull requests are among the links only. */
const isGithubPull = (url: string): boolean => /^https?:\/\/[^/]+\/[\w.-]+\/[\w.-]+\/pull\/\d+$/.test(url);
