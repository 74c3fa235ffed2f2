import type { Position } from "./decision.ts";
import type { Policy } from "./policy.ts";

/** A place that people write in, by id: names can be changed and reused. */
export type Place =
  | { readonly provider: "slack"; readonly channel: string }
  | { readonly provider: "linear"; readonly team: string }
  /** `label`: one of the issue that was written on, which has a line of its own. */
  | { readonly provider: "github"; readonly repo: string; readonly label?: string };

export type Route =
  | { readonly team: string; readonly at: Position }
  | {
      readonly deny: "no_mapping";
      /** The YAML line to add, with its place as a comment. */
      readonly fix: string;
    };

function idOf(place: Place): string {
  if (place.provider === "slack") return place.channel;
  if (place.provider === "linear") return place.team;
  return place.label === undefined ? place.repo : `${place.repo}:${place.label}`;
}

/** The team of a channel, ticket team or label, each out of its own table. Text never selects it, and nothing is guessed. */
export function route(policy: Policy, place: Place): Route {
  const id = idOf(place);
  const table = policy.routing[place.provider];
  const found = Object.hasOwn(table, id) ? table[id] : undefined;
  if (found !== undefined) return found;
  const teams = Object.keys(policy.teams).sort();
  // An id comes from outside: one that cannot be a key is not repeated into a line to paste.
  const key = /^(?:[A-Z0-9]{1,24}|[\w.-]{1,60}\/[\w.-]{1,100}(?::[\w.-]{1,50})?)$/.test(id) ? id : "ID";
  const choice = teams.length > 1 ? `; one of ${teams.join(", ")}` : "";
  return {
    deny: "no_mapping",
    fix: `${key}: ${teams[0] ?? "TEAM"}  # org.yaml, under routing.${place.provider}${choice}`,
  };
}
