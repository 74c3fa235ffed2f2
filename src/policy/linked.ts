import type { RuleRef } from "./decision.ts";
import type { Point } from "./points.ts";

/** Places beside the chat where people have accounts of their own. */
export const LINK_PLACES = ["github", "linear"] as const;
export type LinkPlace = (typeof LINK_PLACES)[number];

/** Of whom policy may ask it: those whose words a run works on, and those who say yes to it. */
export const LINK_ROLES = ["authors", "approvers"] as const;
export type LinkRole = (typeof LINK_ROLES)[number];

/** An account that has to be linked with the chat account, and where policy says so. */
export interface LinkRule {
  readonly on: LinkPlace;
  readonly ref: RuleRef;
}
export type LinkRules = Readonly<Record<LinkRole, readonly LinkRule[]>>;

/** Authors before anything is made and again before it is published; approvers as their yes is counted. */
export const LINK_POINTS: Readonly<Record<LinkRole, readonly Point[]>> = {
  authors: ["intake", "publish"],
  approvers: ["worker"],
};
