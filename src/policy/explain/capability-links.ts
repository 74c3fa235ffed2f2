import type { Capability } from "#policy/capability.ts";
import { LINK_POINTS, LINK_ROLES, type LinkRole } from "#policy/linked.ts";
import type { Team } from "#policy/policy.ts";

const LINKED: Readonly<Record<LinkRole, (who: string, on: string) => string>> = {
  authors: (who, on) => `${who} works only for people whose ${on} account is linked`,
  approvers: (who, on) => `${who} takes a yes only from people whose ${on} account is linked`,
};

/** Whose accounts elsewhere have to be linked, a sentence for each. */
export const ofLinks = ({ name, linked }: Pick<Team, "name" | "linked">): Capability[] =>
  LINK_ROLES.flatMap((role) =>
    (linked?.[role] ?? []).map(({ on, ref }) => {
      const text = LINKED[role](name, on);
      return { key: text, text, at: ref.at, points: LINK_POINTS[role] };
    }),
  );
