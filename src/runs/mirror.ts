import type { Policy } from "#policy/policy.ts";
import type { Place } from "#ports/chat.ts";
import type { Heard } from "./heard.ts";
import type { Refusal } from "./refusal.ts";

/**
 * Where the people of a run read and answer when it was asked for elsewhere, such as on a ticket: the first channel that
 * policy routes to its team. `null`: it was asked for where people are.
 */
export function mirrorFor(
  policy: Policy,
  team: string,
  { place, account }: { readonly place: Place; readonly account: Pick<Heard["account"], "provider" | "workspace"> },
): { readonly mirror: Place | null } | { readonly refused: Refusal } {
  if (place.provider === account.provider) return { mirror: null };
  const [channel] = Object.entries(policy.routing.slack).find(([, to]) => to.team === team) ?? [];
  if (channel === undefined) {
    const fix = `C0123456789: ${team}  # org.yaml, under routing.slack, with the id of the team's channel`;
    return { refused: { code: "no_mirror", team, fix } };
  }
  return { mirror: { provider: account.provider, workspace: account.workspace, channel, thread: "" } };
}
