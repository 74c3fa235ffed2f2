import type { WebClient } from "@slack/web-api";
import type { Place } from "#ports/chat.ts";
import { RUN_STATES, type RunState } from "#runs/state.ts";
import type { View } from "#runs/view.ts";
import { bare } from "./cards/text.ts";
import { failureOf } from "./failure.ts";
import type { Log } from "./whisper.ts";

/** Slack's word for what an agent does in a thread: `AgentsSessionsSetStatusArguments` of @slack/web-api 8.2. */
type Session = "processing" | "suspended" | "active";

/** "processing" brings Slack's own Stop button. Nothing is closed: whoever asks again goes on in the same thread. */
const SESSIONS: Readonly<Record<RunState, Session>> = {
  requested: "processing",
  waiting: "suspended",
  queued: "processing",
  preparing: "processing",
  working: "processing",
  checking: "processing",
  publishing: "processing",
  suspended: "suspended",
  in_review: "active",
  denied: "active",
  answered: "active",
  cancelled: "active",
  handed_off: "active",
  merged: "active",
  closed: "active",
};

/** States in which a thread shows that an agent works. */
export const AT_WORK: readonly RunState[] = RUN_STATES.filter((state) => SESSIONS[state] === "processing");

/** Slack takes "processing" back after about an hour of silence; `keep-alive.ts` sees to it that there is none. */
const AGAIN_MS = 30 * 60_000;
const TITLE_MOST = 200;
const REMEMBERED = 2_000;

/** Slack will say the same to every later call: the app is no agent there, or the method is not. */
const NEVER: readonly string[] = [
  "not_authorized",
  "missing_scope",
  "unknown_method",
  "not_allowed_token_type",
  "feature_not_enabled",
];

export interface Sessions {
  /** The thread's session is to say what this view says of its run. Returns at once: nobody waits for it. */
  follow(place: Place, view: View): void;
  /** Resolves when Slack has answered for everything so far. */
  settled(): Promise<void>;
}

type Followed = Pick<Extract<View, { kind: "status" }>, "run" | "facts">;

/** What this process told Slack last of a thread, and how many moves its run had made by then. */
interface Told {
  readonly status: Session;
  readonly at: number;
  readonly run: string;
  readonly moves: number;
}

/** Whether the run has been in a state of another word since: then another process may have told Slack that. */
const wasElsewhere = (before: Told, { run, facts }: Followed): boolean =>
  before.run === run.id && facts.moves.slice(before.moves).some(({ to }) => SESSIONS[to] !== before.status);

/** Shows in each run's thread that an agent works there, with Slack's Stop. What fails is said in the log, and once. */
export function sessions(o: { readonly client: WebClient; readonly now: () => Date; readonly log: Log }): Sessions {
  const { client, now, log } = o;
  const told = new Map<string, Told>();
  const going = new Map<string, Promise<void>>();
  let off = false;

  async function tell(key: string, place: Place, { run, facts }: Followed): Promise<void> {
    const status = SESSIONS[facts.state];
    const title = bare(`Run ${run.number}: ${facts.request.text}`, TITLE_MOST);
    const before = told.get(key);
    const at = now().getTime();
    const known = before !== undefined && before.status === status && !wasElsewhere(before, { run, facts });
    if (off || (known && (status !== "processing" || at - before.at < AGAIN_MS))) return;
    try {
      await client.agents.sessions.setStatus({
        channel_id: place.channel,
        thread_ts: place.thread,
        status,
        title,
      });
      told.delete(key);
      told.set(key, { status, at, run: run.id, moves: facts.moves.length });
      const oldest = told.keys().next().value;
      if (told.size > REMEMBERED && oldest !== undefined) told.delete(oldest);
    } catch (error) {
      const failure = failureOf(error);
      off = failure.kind === "refused" && NEVER.includes(failure.error);
      log(
        off
          ? "Slack shows no agent sessions: declare the app an agent with slack-manifest.yaml and install it again"
          : "a thread's session could not be told to Slack",
        { channel: place.channel, status, error: String(error) },
      );
    }
  }

  return {
    follow(place, view) {
      if (off || view.kind !== "status" || place.provider !== "slack" || place.thread === "") return;
      const key = `${place.channel}/${place.thread}`;
      const work = (going.get(key) ?? Promise.resolve())
        .then(() => tell(key, place, view))
        .finally(() => {
          if (going.get(key) === work) going.delete(key);
        });
      going.set(key, work);
    },
    async settled() {
      while (going.size > 0) await Promise.all(going.values());
    },
  };
}
