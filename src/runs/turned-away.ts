import { z } from "zod";
import type { Core } from "./core.ts";
import type { Heard } from "./heard.ts";
import { redacted } from "./redact.ts";
import type { Refusal, RefusalCode } from "./refusal.ts";
import { requestShape } from "./replay.ts";

/** The notes of requests that were turned away begin so; the request's own key follows. */
export const TURNED_AWAY = "turned-away:";

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

/** Keeps the refusal when policy decided it, once for each request (docs/adr/0026). `team`: whose member was heard. */
export async function turnAway(core: Core, heard: Heard, team: string | null, refusal: Refusal): Promise<void> {
  if (!DECIDED.has(refusal.code)) return;
  const { provider, workspace, id, name } = heard.account;
  const current = core.policy();
  const of = team ?? ("team" in refusal ? refusal.team : null);
  const asked = refusal.code === "unknown_repository" ? refusal.repo : null;
  const said: TurnedAway = {
    by: { provider, workspace, id, name },
    channel: heard.place.channel,
    code: refusal.code,
    team: of,
    digest: current.ok ? current.policy.digest : null,
    request: asked === null || of === null ? null : { team: of, objects: [{ subject: "git.repo", repo: asked }] },
  };
  await core.store.tx((tx) =>
    core.stores.notes.keep(tx, `${TURNED_AWAY}${heard.requestKey}`, redacted(said, core.redact)),
  );
}
