import { LINK_PLACES, type LinkRole, type LinkRule, type LinkRules } from "#policy/linked.ts";
import type { LinkedShape } from "#policy/shapes/linked.ts";
import type { Source } from "./document.ts";
import { list } from "./rules.ts";

/**
 * What these files ask for together: a file can only add, and of two that say the same the first one's place is named.
 * `null`: nothing.
 */
export function linkRulesOf(
  files: readonly { readonly source: Source; readonly shape: LinkedShape | undefined }[],
): LinkRules | null {
  const of = (role: LinkRole): readonly LinkRule[] => {
    const all = files.flatMap(({ source, shape }) =>
      list(shape?.[role]).map((on): LinkRule => {
        const text = `${role} have their ${on} account linked`;
        return { on, ref: { at: source.keyAt(["linked", role]), text, why: null } };
      }),
    );
    return LINK_PLACES.flatMap((place) => all.find(({ on }) => on === place) ?? []);
  };
  const rules = { authors: of("authors"), approvers: of("approvers") };
  return rules.authors.length + rules.approvers.length === 0 ? null : rules;
}
