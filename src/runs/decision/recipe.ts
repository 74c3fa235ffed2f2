import { recipeNamed, withRecipe } from "#policy/load/recipes.ts";
import type { Policy } from "#policy/policy.ts";
import type { Scope } from "#policy/scope.ts";
import type { Core } from "#runs/core.ts";
import type { Run } from "#runs/run.ts";
import type { UnmetSaid } from "./unmet.ts";

/**
 * The scope held to the recipe that the run was asked with, as it stood when it was asked and as it stands now; the same
 * scope when it was asked in a person's own words. `gone`: policy no longer has the recipe for this team and repository.
 */
export async function asRecipe(
  core: Pick<Core, "stores">,
  current: Policy,
  run: Run,
  scope: Scope,
): Promise<{ readonly scope: Scope } | { readonly gone: UnmetSaid }> {
  const [first] = await core.stores.events.after(run.id, 0, 1);
  const named = first?.body.kind === "run.requested" ? first.body.recipe : undefined;
  if (named === undefined) return { scope };
  const { name, at } = named;
  const before = await core.stores.policies.get(run.policyDigest);
  const pinned = before && recipeNamed(before, name, run);
  const now = recipeNamed(current, name, run);
  if (pinned !== null && now !== null) {
    return { scope: pinned === now ? withRecipe(scope, now) : withRecipe(withRecipe(scope, pinned), now) };
  }
  const why = `policy no longer has the recipe ${name} for ${run.team} and ${run.repo}`;
  const ref = pinned?.ref ?? { at, text: `recipe ${name} of ${run.team}`, why: null };
  return { gone: { about: "recipe", subject: name, reason: "no_recipe", why, ref } };
}
