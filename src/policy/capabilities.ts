import type { Ask } from "./decision.ts";
import type { EgressRule } from "./egress.ts";
import { pointsOfRule } from "./enforced.ts";
import { LIMIT_POINTS, type LimitName } from "./limit.ts";
import type { Point } from "./points.ts";
import { type AskDefaults, type GroupRef, type Policy, type Recipe, type Rule, type Team, teamOf } from "./policy.ts";
import { recipesOf } from "./recipes.ts";
import type { SandboxNeeds } from "./scope.ts";

/** One thing that a policy lets somebody do, or holds them to, as a sentence. */
export interface Capability {
  /** Stable: the same capability of two policies has the same key, whatever its amount. */
  readonly key: string;
  readonly text: string;
  /** "org.yaml:12:3"; `null` for what no single line says. */
  readonly at: string | null;
  /** Where it is enforced; absent where it only says who somebody is. */
  readonly points?: readonly Point[];
}

const ANY = "anything";

function within(rule: Rule): string {
  const parts: string[] = [];
  if (rule.except.length > 0) parts.push(`except ${rule.except.join(", ")}`);
  if (rule.in.length > 0) parts.push(`in ${rule.in.join(", ")}`);
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
function question(ask: Omit<Ask, "rule">, defaults: AskDefaults): string {
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

function ofRule(who: string, rule: Rule, defaults: AskDefaults): Capability {
  const ways = [...rule.methods, ...rule.paths].join(" ");
  const draft = rule.draft === null ? "" : rule.draft ? " as a draft" : " when it is no draft";
  const what = `${DOES[rule.subject]} ${[rule.globs.join(", "), ways].filter(Boolean).join(" ")}${draft}${within(rule)}`;
  const may = rule.effect === "deny" ? "may not" : "may";
  const asked = rule.ask === null ? "" : ` ${question(rule.ask, defaults)}`;
  const text = `${who} ${may} ${what}${asked}`;
  return { key: text, text, at: rule.ref.at, points: pointsOfRule(rule) };
}

function ofEgress(who: string, rule: EgressRule): Capability {
  const methods = rule.methods.length === 0 ? ANY : rule.methods.join(", ");
  const paths = rule.paths.length === 0 ? "" : ` ${rule.paths.join(", ")}`;
  const ports = rule.ports.join() === "443" ? "" : ` on port ${rule.ports.join(", ")}`;
  const seen = rule.mode === "tunnel" ? ", not inspected" : "";
  const inside = rule.private.length === 0 ? "" : `, also at ${rule.private.join(", ")}`;
  const secret = rule.secret === null ? "" : `, with the secret ${rule.secret.name}`;
  const text = `${who} may send ${methods} to ${rule.host}${paths}${ports}${inside}${secret}${seen}`;
  return { key: text, text, at: rule.rule.at, points: ["gateway"] };
}

function duration(ms: number): string {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "m"],
  ] as const;
  const [size, unit] = units.find(([one]) => ms % one === 0) ?? [1_000, "s"];
  return `${ms / size}${unit}`;
}

function ofLimits({ name: who, at, limits, shares, limitRefs }: Team): Capability[] {
  const said: [string, LimitName, string | null][] = [
    ["costUsd", "cost_usd", `may spend $${limits.costUsd} in a run`],
    ["tokens", "tokens", `may use ${limits.tokens.toLocaleString("en")} tokens in a run`],
    ["runtimeMs", "runtime", `may work for ${duration(limits.runtimeMs)} in a run`],
    ["uploadBytes", "upload", `may send out ${limits.uploadBytes.toLocaleString("en")} bytes in a run`],
    [
      "concurrentRuns",
      "concurrent_runs",
      `may have ${limits.concurrentRuns} runs at a time, beside those that an answer brings back`,
    ],
    [
      "perRepo",
      "per_repo.concurrent_runs",
      amount(
        shares.perRepo.concurrentRuns,
        (n) => `may have ${n} runs at a time in one repository, beside those that an answer brings back`,
      ),
    ],
    [
      "perPerson",
      "per_person.concurrent_runs",
      amount(
        shares.perPerson.concurrentRuns,
        (n) => `may have ${n} runs at a time for one person, beside those that an answer brings back`,
      ),
    ],
    ["perMonth.costUsd", "per_month.cost_usd", amount(shares.perMonth.costUsd, (n) => `may spend $${n} in a month`)],
    [
      "perMonth.tokens",
      "per_month.tokens",
      amount(shares.perMonth.tokens, (n) => `may use ${n.toLocaleString("en")} tokens in a month`),
    ],
    [
      "perPersonMonth.costUsd",
      "per_person_month.cost_usd",
      amount(shares.perPersonMonth.costUsd, (n) => `may spend $${n} in a month for one person`),
    ],
    [
      "perPersonMonth.tokens",
      "per_person_month.tokens",
      amount(shares.perPersonMonth.tokens, (n) => `may use ${n.toLocaleString("en")} tokens in a month for one person`),
    ],
  ];
  return said.flatMap(([key, name, text]) =>
    text === null
      ? []
      : [
          {
            key: `${who} limits ${key}`,
            text: `${who} ${text}`,
            at: limitRefs?.[name]?.at ?? at,
            points: LIMIT_POINTS[name],
          },
        ],
  );
}

function amount(value: number | null, say: (value: number) => string): string | null {
  return value === null ? null : say(value);
}

function ofSandbox(who: string, at: string, needs: SandboxNeeds): Capability[] {
  const parts = [
    needs.isolation === "none" ? null : `isolation ${needs.isolation} or better`,
    needs.providers.length === 0 ? null : `at ${needs.providers.join(", ")}`,
    needs.images.length === 0 ? null : `with the image ${needs.images.join(", ")}`,
    needs.cpu === null ? null : `${needs.cpu} processors`,
    needs.memoryBytes === null ? null : `${needs.memoryBytes.toLocaleString("en")} bytes of memory`,
    needs.diskBytes === null ? null : `${needs.diskBytes.toLocaleString("en")} bytes of disk`,
  ].filter((part) => part !== null);
  if (parts.length === 0) return [];
  return [{ key: `${who} sandbox`, text: `${who} runs in a sandbox of ${parts.join(", ")}`, at }];
}

function ofTeam(team: Team, approvals: AskDefaults): Capability[] {
  const { name, at } = team;
  const plain = (text: string, where: string = at): Capability => ({ key: text, text, at: where });
  return [
    plain(`${name} is everybody in ${team.members}`),
    ...team.rules.map((rule) => ofRule(name, rule, approvals)),
    ...team.presets.map(({ ref }) => plain(`${name} may use the ${ref.text.replace("egress ", "")}`, ref.at)),
    ...team.egress
      .filter(({ rule }) => !team.presets.some(({ ref }) => ref.at === rule.at))
      .map((rule) => ofEgress(name, rule)),
    ...(team.unlisted === null
      ? []
      : [
          plain(
            `${name} may reach a host outside its list, inside the ceiling, ${question(team.unlisted, approvals)}`,
            team.unlisted.rule.at,
          ),
        ]),
    ...ofLimits(team),
    ...ofSandbox(name, at, team.sandbox),
    ...team.checks.map((check) => {
      const where = check.in.length === 0 ? "" : ` in ${check.in.join(", ")}`;
      const when = check.paths.length === 0 ? "" : ` when ${check.paths.join(", ")} changed`;
      const must = check.required ? "must pass" : "runs";
      return plain(`${name} ${must} the check ${check.name} (${check.command})${where}${when}`);
    }),
    ...team.setup.map((step) => plain(`${name} sets up with ${step.command}`)),
    ...(team.trial === null
      ? []
      : team.trial.rules.map((rule) => {
          const { text } = ofRule(name, rule, approvals);
          return plain(`on trial until ${team.trial?.until}: ${text}`, rule.ref.at);
        })),
  ];
}

function source(group: GroupRef): string {
  const [[kind, who] = ["nobody", ""]] = Object.entries(group);
  return `${kind} ${[who].flat().join(", ")}`;
}

const ofRecipe = (recipe: Recipe): Capability => ({
  key: `recipe ${recipe.name}`,
  text: `${recipe.team} has the recipe ${recipe.name} for ${recipe.repo}`,
  at: recipe.ref.at,
});

/** What one team may do and is held to, the organisation's rules included; none when there is no such team. */
export function capabilitiesOfTeam(policy: Policy, name: string): Capability[] {
  const team = teamOf(policy, name);
  if (team === null) return [];
  const recipes = recipesOf(policy, name).map(ofRecipe);
  const { always, approvals } = policy;
  return [...ofTeam(team, approvals), ...recipes, ...always.map((rule) => ofRule("every team", rule, approvals))];
}

/** Everything a policy says, as sentences, in a stable order. */
export function capabilitiesOf(policy: Policy): Capability[] {
  const org = (text: string, at: string | null = null): Capability => ({ key: text, text, at });
  const { owners, approvals } = policy;
  const routes = Object.entries(policy.routing).flatMap(([provider, table]) =>
    Object.entries(table).map(([id, { team, at }]) => ({
      key: `route ${provider} ${id}`,
      text: `${provider} ${id} is ${team}'s`,
      at,
    })),
  );
  return [
    ...(owners === null ? [] : [org(`the policy changes when ${owners.quorum} of ${owners.from} agree`)]),
    ...(policy.auditors === null ? [] : [org(`${policy.auditors} may read every run`)]),
    ...Object.entries(policy.groups).map(([name, group]) => ({
      key: `group ${name}`,
      text: `group:${name} is ${source(group)}`,
      at: null,
    })),
    ...routes,
    ...policy.always.map((rule) => ofRule("every team", rule, approvals)),
    org(`runs push to ${policy.branch}`),
    {
      key: "approvals",
      text: `a question needs ${approvals.quorum}${approvals.self ? ", the requester included" : ""}, reminds after ${duration(approvals.remindMs)}, expires after ${duration(approvals.expiresMs)}, gives up after ${duration(approvals.giveUpMs)}${approvals.from === null ? "" : `; where no rule names a group, ${approvals.from} is asked`}`,
      at: null,
    },
    ...Object.values(policy.teams).flatMap((team) => ofTeam(team, approvals)),
    ...Object.values(policy.recipes).map(ofRecipe),
  ];
}

export interface CapabilityChange {
  readonly sign: "+" | "-" | "~";
  readonly text: string;
  readonly at: string | null;
}

/** What changes between two policies, in capabilities: where a rule stands or how its file is laid out is no change. */
export function diffCapabilities(before: Policy, after: Policy): CapabilityChange[] {
  const [old, now] = [capabilitiesOf(before), capabilitiesOf(after)];
  const byKey = (some: readonly Capability[]) => new Map(some.map((one) => [one.key, one]));
  const [was, is] = [byKey(old), byKey(now)];
  const gone = [...was.values()]
    .filter(({ key }) => !is.has(key))
    .map(({ text, at }) => ({ sign: "-" as const, text, at }));
  const changed = [...is.values()].flatMap((one): CapabilityChange[] => {
    const other = was.get(one.key);
    if (other === undefined) return [{ sign: "+", text: one.text, at: one.at }];
    return other.text === one.text ? [] : [{ sign: "~", text: `${one.text} (was: ${other.text})`, at: one.at }];
  });
  const order = (a: CapabilityChange, b: CapabilityChange) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0);
  return [...gone, ...changed].sort(order);
}
