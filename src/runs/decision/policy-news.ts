import { z } from "zod";
import { digest } from "#policy/digest.ts";
import type { Policy, PolicyProblem } from "#policy/policy.ts";
import type { Place } from "#ports/chat.ts";
import type { Core } from "#runs/core.ts";
import { redacted } from "#runs/redact.ts";
import type { NoteStore, OutboxRow } from "#runs/stores.ts";
import type { View } from "#runs/view.ts";

const PREFIX = "policy:";
const MENDED = ":mended";
/** An alarm that is older than so many others is no news any more. */
const KEYS_MOST = 200;

/** Enough to begin with; `countersign policy check` says all of them. */
const PROBLEMS_KEPT = 20;
/** The same broken files again and again, each time mended between: far more than anybody does. */
const TIMES_MOST = 1_000;

const problem = z.strictObject({ at: z.string(), message: z.string() });
const version = z.strictObject({ commit: z.string(), digest: z.string() });
const News = z.discriminatedUnion("what", [
  z.strictObject({
    what: z.literal("broken"),
    tree: z.string(),
    problems: z.array(problem),
    more: z.number(),
    kept: version,
  }),
  z.strictObject({ what: z.literal("mended"), now: version }),
]);
type News = z.infer<typeof News>;

/** Names the state of the files that does not load, or that nobody agreed to. */
export interface Broken {
  readonly tree: string;
  readonly problems: readonly PolicyProblem[];
  /** What stays in force. */
  readonly kept: Policy;
}

/**
 * Tells the policy's owners, in the channel that the policy in force names, that its files do not load: once for each
 * broken state, however many processes see it and however often they look. Returns the alarm's key, for `policyMended`;
 * `null`: policy names no channel, and the log is all there is.
 */
export async function policyBroken(
  core: Pick<Core, "store" | "stores" | "redact" | "nudge">,
  workspace: string,
  { tree, problems, kept }: Broken,
): Promise<string | null> {
  const channel = kept.owners?.channel ?? null;
  if (channel === null) return null;
  const key = await freeKey(core.stores.notes, `${PREFIX}${digest(tree).slice(7, 39)}`);
  await tell(core, ownersPlace(workspace, channel), key, {
    what: "broken",
    tree,
    problems: problems.slice(0, PROBLEMS_KEPT).map(({ at, message }) => ({ at, message })),
    more: Math.max(0, problems.length - PROBLEMS_KEPT),
    kept: { commit: kept.commit, digest: kept.digest },
  });
  return key;
}

/** Tells them that a policy is in force again which is what the files say. `alarm`: what `policyBroken` returned. */
export async function policyMended(
  core: Pick<Core, "store" | "stores" | "redact" | "nudge">,
  workspace: string,
  alarm: string,
  now: Policy,
): Promise<void> {
  const said = await core.stores.outbox.get(alarm);
  if (said === null) return;
  await tell(core, { ...said.place, workspace }, mendedKey(alarm), {
    what: "mended",
    now: { commit: now.commit, digest: now.digest },
  });
}

/**
 * The same for alarms of a process that ended before their end could be told. Call it once what the files say is known to be
 * in force.
 */
export async function policyRestored(
  core: Pick<Core, "store" | "stores" | "redact" | "nudge">,
  workspace: string,
  now: Policy,
): Promise<void> {
  const keys = new Set(await core.stores.notes.keys(PREFIX, KEYS_MOST));
  for (const key of keys)
    if (!key.endsWith(MENDED) && !keys.has(mendedKey(key))) await policyMended(core, workspace, key, now);
}

const mendedKey = (alarm: string): string => `${alarm}${MENDED}`;

const ownersPlace = (workspace: string, channel: string): Place => ({
  provider: "slack",
  workspace,
  channel,
  thread: "",
});

/** The alarm that is open about this state, or the next one when all before it were called off. */
async function freeKey(notes: NoteStore, base: string): Promise<string> {
  for (let times = 1; times < TIMES_MOST; times += 1) {
    const key = `${base}:${times}`;
    if ((await notes.get(key)) === null || (await notes.get(mendedKey(key))) === null) return key;
  }
  return `${base}:${TIMES_MOST}`;
}

async function tell(
  core: Pick<Core, "store" | "stores" | "redact" | "nudge">,
  place: Place,
  key: string,
  news: News,
): Promise<void> {
  await core.store.tx(async (tx) => {
    if (!(await core.stores.notes.keep(tx, key, redacted(news, core.redact)))) return;
    await core.stores.outbox.want(tx, { key, runId: null, place, kind: "policy", subject: null });
  });
  core.nudge();
}

/** What a message that belongs to no run shows. `null` when there is nothing to show. */
export async function newsOf(core: Pick<Core, "stores">, row: OutboxRow): Promise<View | null> {
  const note = await core.stores.notes.get(row.key);
  if (note === null) return null;
  const news = News.parse(note.body);
  return news.what === "broken"
    ? { kind: "policy_broken", ...news, at: note.at }
    : { kind: "policy_mended", now: news.now, at: note.at };
}
