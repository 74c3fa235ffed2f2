import { matchesText } from "./match/glob.ts";
import { hint } from "./match/nearest.ts";

/** What a rule may name as a tool. A shell is what runs any command; a browser is what fetches an address. */
export const TOOLS = ["shell", "browser"] as const;
export type Tool = (typeof TOOLS)[number];

/** What is wrong with a tool in a rule, or null. A name that no agent's ask is put to policy under would hold nothing. */
export function toolProblem(pattern: string): string | null {
  return TOOLS.some((name) => matchesText(pattern, name)) ? null : `unknown tool "${pattern}"${hint(pattern, TOOLS)}`;
}
