import { withoutDenied } from "#policy/decide/denials.ts";
import type { PolicyObject, RuleRef } from "#policy/decision.ts";
import { decideEgress, type EgressRequest, type EgressRule, normaliseHost } from "#policy/egress.ts";
import { matchesHost } from "#policy/match/hosts.ts";
import type { Rule, Team } from "#policy/policy.ts";

type HostObject = PolicyObject & { readonly subject: "egress" };
type Said = RuleRef & { readonly says: string };

/** A grant of all that is asked for, to hold a denial against. */
const openTo = ({ host, port }: EgressRequest): EgressRule => ({
  host,
  ports: [port],
  mode: "intercept",
  methods: [],
  paths: [],
  private: [],
  maxBodyBytes: null,
  secret: null,
  rule: { at: "", text: "", why: null },
});

/** As the evaluator takes it; a name that is none is nobody's host. */
const asked = (object: HostObject): EgressRequest => ({ ...object, host: normaliseHost(object.host) ?? "" });

/** Why a rule that denies hosts does not deny this request; `null`: it does. Asked of the evaluator, never guessed here. */
export function whyNotDenied(rule: Rule, object: HostObject): string | null {
  const request = asked(object);
  const denies = (some: Rule) => decideEgress(withoutDenied([openTo(request)], [some]), request).outcome === "deny";
  if (denies(rule)) return null;
  const unlimited = { ...rule, methods: [], paths: [] };
  if (!denies({ ...unlimited, except: [] })) return "names another host";
  if (!denies(unlimited)) return "spares this by its except";
  const parts = (["methods", "paths"] as const).filter((part) => !denies({ ...unlimited, [part]: rule[part] }));
  const known = object.method !== null && object.path !== null;
  const words = parts.flatMap((part) => rule[part].join(", ")).join(" ");
  return `denies only ${words}${known ? "" : ", which is looked at once the request is known"}`;
}

const list = (rules: readonly EgressRule[], of: (rule: EgressRule) => readonly (string | number)[]): string =>
  [...new Set(rules.flatMap(of))].join(", ");

/** What one line of the team's list grants, held against the request: what it is short of, or what became of it. */
function ofGrant(rules: readonly EgressRule[], request: EgressRequest, outcome: string): string {
  const granted = rules.filter(({ host }) => matchesHost(host, request.host)).map(({ denied: _, ...rule }) => rule);
  const verdict = decideEgress(granted, request);
  if (verdict.outcome === "allow") return outcome === "allow" ? "would grant it too" : "speaks, and is outweighed";
  switch (verdict.reason) {
    case "port":
      return `grants port ${list(granted, ({ ports }) => ports)}`;
    case "method":
      return `grants ${list(granted, ({ methods }) => methods)}`;
    case "path":
      return `grants the paths ${list(granted, ({ paths }) => paths)}`;
    default:
      return "grants another host";
  }
}

/** Every line that grants hosts, and the question about others, with why not. A preset is one line of many rules. */
export function consideredGrants(
  team: Team,
  object: HostObject,
  outcome: "allow" | "ask" | "deny",
  deciding: ReadonlySet<string>,
): Said[] {
  const request = asked(object);
  const lines = [...Map.groupBy(team.egress, ({ rule }) => `${rule.at} ${rule.text}`).values()];
  const grants = lines.flatMap((rules): Said[] => {
    const [first] = rules;
    if (first === undefined) return [];
    const says = deciding.has(first.rule.at) && outcome === "allow" ? "decides" : ofGrant(rules, request, outcome);
    return [{ ...first.rule, says }];
  });
  if (team.unlisted === null || deciding.has(team.unlisted.rule.at)) return grants;
  const says =
    outcome === "allow" ? "is about hosts outside the list" : "the ceiling holds no such request, or a rule denies it";
  return [...grants, { ...team.unlisted.rule, says }];
}
