import { z } from "zod";
import { digest } from "#policy/digest.ts";
import type { Core } from "#runs/core.ts";
import type { Heard } from "#runs/heard.ts";
import { redacted } from "#runs/redact.ts";
import type { Refusal, RefusalCode } from "#runs/refusal.ts";
import { requestShape } from "#runs/replay.ts";

/** The notes of requests that were turned away begin so; the day, whose they were and what it was follow. */
export const TURNED_AWAY = "turned-away:";
/** Of one person and day: whoever is refused again and again fills nothing. */
const A_DAY_MOST = 20;

/** A request that policy turned away before there was a run. The words are not kept: nobody was let in to say them. */
export const TurnedAway = z.strictObject({
  by: z.strictObject({ provider: z.string(), workspace: z.string(), id: z.string(), name: z.string() }),
  channel: z.string(),
  code: z.string(),
  /** The team that the place belongs to; `null`: none, or it was not asked. */
  team: z.string().nullable(),
  /** Of the policy in force; `null`: it could not be read. */
  digest: z.string().nullable(),
  /** What was put to policy, where it was policy's rules that answered; `null`: the place, or who is in a group. */
  request: requestShape.nullable(),
});
export type TurnedAway = z.infer<typeof TurnedAway>;

/** Refusals that policy decides: the others are questions, mistakes and answers to a click. */
const DECIDED: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "no_mapping",
  "no_mirror",
  "no_membership",
  "not_a_member",
  "guest",
  "shared_channel",
  "directory_unavailable",
  "policy_unavailable",
  "unknown_repository",
  "other_teams_recipe",
]);

/**
 * Keeps the refusal when policy decided it (docs/adr/0026): of one person and day the same refusal once, and twenty of them at
 * most (docs/adr/0031). `team`: whose member was heard.
 */
export async function turnAway(core: Core, heard: Heard, team: string | null, refusal: Refusal): Promise<void> {
  if (!DECIDED.has(refusal.code)) return;
  const { provider, workspace, id, name } = heard.account;
  const current = core.policy();
  const of = team ?? ("team" in refusal ? refusal.team : null);
  const asked = refusal.code === "unknown_repository" ? refusal.repo : null;
  const refused: Omit<TurnedAway, "by"> = {
    channel: heard.place.channel,
    code: refusal.code,
    team: of,
    digest: current.ok ? current.policy.digest : null,
    request: asked === null || of === null ? null : { team: of, objects: [{ subject: "git.repo", repo: asked }] },
  };
  const day = core.clock.now().toISOString().slice(0, 10);
  const theirs = `${TURNED_AWAY}${day}:${provider}:${workspace}:${id}:`;
  const { notes } = core.stores;
  if ((await notes.keys(theirs, A_DAY_MOST)).length >= A_DAY_MOST) return;
  const key = `${theirs}${digest(refused).slice(7, 39)}`;
  const said: TurnedAway = { by: { provider, workspace, id, name }, ...refused };
  await core.store.tx((tx) => notes.keep(tx, key, redacted(said, core.redact)));
}
