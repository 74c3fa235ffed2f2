import { type Capability, duration, listed } from "#policy/capability.ts";
import { pointsOfRule } from "#policy/decide/enforced.ts";
import type { Ask } from "#policy/decision.ts";
import type { EgressRule } from "#policy/egress.ts";
import type { AskDefaults, Rule } from "#policy/policy.ts";

const ANY = "anything";

function within(rule: Rule): string {
  const parts: string[] = [];
  if (rule.except.length > 0) parts.push(`except ${listed(rule.except)}`);
  if (rule.in.length > 0) parts.push(`in ${listed(rule.in)}`);
  return parts.length === 0 ? "" : ` ${parts.join(" ")}`;
}

const DOES: Record<Rule["subject"], string> = {
  "git.repo": "work on",
  "git.branch": "push to",
  "git.path": "change",
  "git.size": "publish a change of",
  command: "run",
  action: "do",
  "egress.host": "reach",
  "secret.name": "use the secret",
  model: "call",
  tool: "use the tool",
};

/** One question. What is the organisation's default is not repeated with each: `capabilitiesOf` says that once. */
export function question(ask: Omit<Ask, "rule">, defaults: AskDefaults): string {
  const people = ask.quorum === 1 ? ask.from : `${ask.quorum} of ${ask.from}`;
  const self = ask.self ? ", the requester included" : "";
  const often = ask.grants.for === "once" ? ", once" : ask.grants.uses === null ? "" : `, ${ask.grants.uses} times`;
  const ms = ask.grants.ms === null ? "" : `, for ${duration(ask.grants.ms)}`;
  const own = (key: "expiresMs" | "remindMs" | "giveUpMs", words: string) =>
    ask[key] === defaults[key] ? [] : [`${words} after ${duration(ask[key])}`];
  const more = [
    ...own("remindMs", "reminds"),
    ...(ask.escalate === null ? [] : [`asks ${ask.escalate.to} too after ${duration(ask.escalate.afterMs)}`]),
    ...own("expiresMs", "expires"),
    ...own("giveUpMs", "gives up"),
    ...(ask.delegate ? ["may be delegated"] : []),
    ...(ask.binds.length === 0 ? [] : [`bound to ${ask.binds.map((what) => BOUND[what]).join(" and ")}`]),
    ...(ask.assurance === "step_up" ? ["with more proof than a chat account"] : []),
  ];
  return [`after ${people} says yes${self}${often}${ms}`, ...more].join("; ");
}

const BOUND: Readonly<Record<Ask["binds"][number], string>> = {
  base: "the commit the run starts from",
  policy: "the policy as it is",
};

export function ofRule(who: string, rule: Rule, defaults: AskDefaults): Capability {
  const ways = [listed(rule.methods), listed(rule.paths)].filter(Boolean).join(" ");
  const draft = rule.draft === null ? "" : rule.draft ? " as a draft" : " when it is no draft";
  const what = `${DOES[rule.subject]} ${[listed(rule.globs), ways].filter(Boolean).join(" ")}${draft}${within(rule)}`;
  const may = rule.effect === "deny" ? "may not" : "may";
  const asked = rule.ask === null ? "" : ` ${question(rule.ask, defaults)}`;
  const text = `${who} ${may} ${what}${asked}`;
  return { key: text, text, at: rule.ref.at, points: pointsOfRule(rule) };
}

export function ofEgress(who: string, rule: EgressRule): Capability {
  const methods = rule.methods.length === 0 ? ANY : rule.methods.join(", ");
  const paths = rule.paths.length === 0 ? "" : ` ${listed(rule.paths)}`;
  const ports = rule.ports.join() === "443" ? "" : ` on port ${rule.ports.join(", ")}`;
  const seen = rule.mode === "tunnel" ? ", not inspected" : "";
  const inside = rule.private.length === 0 ? "" : `, also at ${rule.private.join(", ")}`;
  const header = rule.secret === null || rule.secret.header === "authorization" ? "" : ` in ${rule.secret.header}`;
  const secret = rule.secret === null ? "" : `, with the secret ${rule.secret.name}${header}`;
  const most = rule.maxBodyBytes === null ? "" : `, at most ${rule.maxBodyBytes.toLocaleString("en")} bytes each`;
  const text = `${who} may send ${methods} to ${rule.host}${paths}${ports}${inside}${secret}${most}${seen}`;
  return { key: text, text, at: rule.rule.at, points: ["gateway"] };
}
