import { z } from "zod";
import { code, codeBlock, count, cut, duration, listed, money, quoted, said, some } from "./text.ts";

/** How many entries of a list a card shows; the rest is counted, and on the run page. */
const LIST_MOST = 8;
const COMMAND_MOST = 1_500;

const Paths = z.array(
  z.object({
    effect: z.enum(["allow", "ask", "deny"]),
    globs: z.array(z.string()),
    except: z.array(z.string()).optional(),
  }),
);
const Hosts = z.array(
  z.object({
    host: z.string(),
    ports: z.array(z.number()).optional(),
    methods: z.array(z.string()).nullish(),
    paths: z.array(z.string()).optional(),
  }),
);
const Limits = z.object({
  costUsd: z.number(),
  tokens: z.number(),
  runtimeMs: z.number(),
  uploadBytes: z.number(),
  concurrentRuns: z.number(),
});
const Checks = z.array(z.object({ name: z.string(), command: z.string() }));
const Policy = z.object({ commit: z.string(), digest: z.string() });
const Texts = z.array(z.string());
const Bound = z.strictObject({
  base: z.string().optional(),
  policy: z.string().optional(),
  rules: z.array(z.string()).optional(),
});

const Opens = z.object({
  methods: Texts,
  paths: Texts,
  private: Texts,
  maxBodyBytes: z.number().nullable(),
  denied: z.array(z.object({ methods: Texts, paths: Texts })),
  rule: z.object({ at: z.string(), text: z.string() }),
});

const ADDED_SHOWN = 400;

/** These stand in the card's title, and the request's own text below it. */
const IN_TITLE: readonly string[] = ["text", "host", "port", "secret"];

const Spending = z.object({ usd: z.number(), tokens: z.number() });

const spending = ({ usd, tokens }: z.infer<typeof Spending>): string =>
  `${money(usd)} and ${tokens.toLocaleString("en")} tokens`;

/** A line for each argument we know how to put. */
const LINES: Readonly<Record<string, (value: unknown) => string | null>> = {
  header: (value) => of(z.string(), value, (header) => `Sent in the header: ${code(header)}`),
  tried: (value) =>
    of(z.string().nullable(), value, (method) =>
      method === null ? "Tried: to open a connection" : `Tried: ${code(method)}`,
    ),
  opens: (value) => of(Opens, value, opened),
  added: (value) =>
    of(
      Texts,
      value,
      (words) =>
        `Added in the thread since:\n${words.map((one) => `${quoted(one, ADDED_SHOWN)}${one.length > ADDED_SHOWN ? "\nThe run page has all of it: a yes covers the whole." : ""}`).join("\n")}`,
    ),
  spent: (value) => of(Spending, value, (spent) => `Spent so far: ${spending(spent)}`),
  budget: (value) => of(Spending, value, (budget) => `Of a budget of: ${spending(budget)}`),
  more: (value) => of(Spending, value, (more) => `A yes adds, for this run alone: ${spending(more)}`),
  timeMs: (value) => of(z.number(), value, (ms) => `Not done within: ${duration(ms)}`),
  moreMs: (value) => of(z.number(), value, (ms) => `A yes adds, for this run alone: ${duration(ms)}`),
  repo: (value) => of(z.string(), value, (repo) => `Repository: ${code(repo)}`),
  base: (value) => of(z.string(), value, (oid) => `From commit: ${code(oid.slice(0, 12))}`),
  head: (value) => of(z.string(), value, (oid) => `Commit to publish: ${code(oid.slice(0, 12))}`),
  branch: (value) => of(z.string(), value, (branch) => `Branch: ${code(branch)}`),
  agent: (value) => of(z.string(), value, (agent) => `Agent: ${said(agent)}`),
  model: (value) => of(z.string(), value, (model) => `Model: ${said(model)}`),
  command: (value) => of(z.string(), value, command),
  paths: (value) =>
    of(Texts, value, (paths) => `Files that policy asks about: ${codes(paths)}`) ?? of(Paths, value, pathRules),
  hosts: (value) =>
    of(Hosts, value, (hosts) =>
      hosts.length === 0 ? "Network: none" : `Network: ${listed(some(hosts.map(host), LIST_MOST))}`,
    ),
  registry: (value) => of(z.boolean(), value, (on) => `Package registry: ${on ? "yes" : "no"}`),
  limits: (value) =>
    of(
      Limits,
      value,
      (limit) =>
        `Limits: ${money(limit.costUsd)}, ${limit.tokens.toLocaleString("en")} tokens, ${duration(limit.runtimeMs)}, ${size(limit.uploadBytes)} sent out, ${count(limit.concurrentRuns, "run")} at a time`,
    ),
  setup: (value) => of(Texts, value, (lines) => `Setup we run: ${lines.length === 0 ? "none" : codes(lines)}`),
  checks: (value) =>
    of(Checks, value, (checks) =>
      checks.length === 0
        ? "Checks we run: none are declared"
        : `Checks we run: ${listed(
            some(
              checks.map((one) => `${said(one.name, 60)} ${code(one.command, 160)}`),
              LIST_MOST,
            ),
          )}`,
    ),
  bound: (value) =>
    of(Bound, value, ({ base, policy, rules }) => {
      const parts = [
        ...(rules === undefined || policy !== undefined ? [] : ["a rule that asks changes"]),
        ...(policy === undefined
          ? []
          : [`the policy changes (now ${code(policy.replace(/^sha256:/, "").slice(0, 8))})`]),
        ...(base === undefined ? [] : [`the run starts from another commit than ${code(base.slice(0, 12))}`]),
      ];
      return `A yes is void as soon as ${listed(parts, "or")}.`;
    }),
  policy: (value) =>
    of(
      Policy,
      value,
      (policy) =>
        `Policy: ${code(policy.commit.slice(0, 12))}, digest ${code(policy.digest.replace(/^sha256:/, "").slice(0, 8))}`,
    ),
};

/** Arguments that are read together stand on one line. */
const TOGETHER: readonly (readonly string[])[] = [
  ["repo", "base", "head", "branch"],
  ["agent", "model"],
  ["hosts", "registry"],
  ["setup", "checks"],
  ["spent", "budget"],
];

/** What is under the digest, in lines: every argument is shown, an unfamiliar one as it is. */
export function subjectLines(subject: Readonly<Record<string, unknown>>): string[] {
  const words = (key: string): string | null => {
    const value = subject[key];
    const line = LINES[key];
    if (key === "input" && repeats(subject)) return null;
    if (key === "bound" && onlyRules(value)) return null;
    if (IN_TITLE.includes(key) && typeof value !== "object") return null;
    return line === undefined ? raw(key, value) : (line(value) ?? raw(key, value));
  };
  const written = new Set<string>();
  return Object.keys(subject).flatMap((key) => {
    if (written.has(key)) return [];
    const keys = (TOGETHER.find((group) => group.includes(key)) ?? [key]).filter((one) => one in subject);
    for (const one of keys) written.add(one);
    const parts = keys.map(words).filter((part) => part !== null);
    return parts.length === 0 ? [] : [parts.join(" · ")];
  });
}

/** The rules that ask stand on the card as what they are. */
function onlyRules(bound: unknown): boolean {
  const read = Bound.safeParse(bound);
  return read.success && Object.keys(read.data).every((key) => key === "rules");
}

/** The tool's input says nothing but the command that stands above it. */
function repeats({ command: line, input }: Readonly<Record<string, unknown>>): boolean {
  const bare = JSON.stringify({ command: line });
  return [bare, JSON.stringify({ kind: "execute", input: { command: line } })].includes(JSON.stringify(input));
}

/** The line when the value has the form we expect, else `null`. */
function of<T>(schema: z.ZodType<T>, value: unknown, line: (value: T) => string): string | null {
  const parsed = schema.safeParse(value);
  return parsed.success ? line(parsed.data) : null;
}

/** Cut visibly: nobody should approve bytes they were not told about. */
function raw(key: string, value: unknown): string {
  const json = JSON.stringify(value) ?? "null";
  const note =
    json.length > 300
      ? ` (the first 300 of ${json.length.toLocaleString("en")} characters: read all of it on the run page)`
      : "";
  return `${said(key, 60)}: ${code(cut(json, 300), 301)}${note}`;
}

function command(text: string): string {
  const note =
    text.length > COMMAND_MOST
      ? `\nThese are the first ${COMMAND_MOST.toLocaleString("en")} of ${text.length.toLocaleString("en")} characters: read all of it on the run page before you answer.`
      : "";
  return `Command:\n${codeBlock(text, COMMAND_MOST)}${note}`;
}

const codes = (texts: readonly string[]): string =>
  listed(
    some(
      texts.map((text) => code(text, 160)),
      LIST_MOST,
    ),
  );

function host(of: z.infer<typeof Hosts>[number]): string {
  const ports = of.ports && of.ports.length > 0 ? `:${of.ports.join(",")}` : "";
  const methods = of.methods && of.methods.length > 0 ? ` (${said(of.methods.join(" "), 80)})` : "";
  const paths = of.paths && of.paths.length > 0 ? ` below ${codes(of.paths)}` : "";
  return `${code(`${of.host}${ports}`)}${methods}${paths}`;
}

const EFFECTS = { allow: "may change", ask: "need another approval", deny: "may not change" } as const;

/** What may change first, as it is read; patterns of one effect together. What no pattern names is denied by default. */
function pathRules(rules: z.infer<typeof Paths>): string {
  const effects = Object.keys(EFFECTS) as (keyof typeof EFFECTS)[];
  const parts = effects.flatMap((effect) => {
    const mine = rules.filter((rule) => rule.effect === effect);
    const globs = [...new Set(mine.filter((rule) => !rule.except?.length).flatMap((rule) => rule.globs))];
    const partly = mine.filter((rule) => rule.except?.length);
    return [
      ...(globs.length === 0 ? [] : [`${codes(globs)} ${EFFECTS[effect]}`]),
      ...partly.map((rule) => `${codes(rule.globs)} ${EFFECTS[effect]} except ${codes(rule.except ?? [])}`),
    ];
  });
  const all = rules.some((rule) => rule.globs.includes("**"));
  return `Files: ${[...parts, ...(all ? [] : [parts.length === 0 ? "none may change" : "nothing else may change"])].join("; ")}`;
}

/** What a yes to a host lets through. All of it is said: it is what the digest covers. */
function opened({ methods, paths, private: ranges, maxBodyBytes, denied, rule }: z.infer<typeof Opens>): string {
  const parts = [
    methods.length === 0 ? "any method" : `${said(methods.join(", "), 80)}`,
    paths.length === 0 ? "any path" : codes(paths),
    ...(ranges.length === 0 ? [] : [`private addresses in ${codes(ranges)}`]),
    ...(maxBodyBytes === null ? [] : [`${size(maxBodyBytes)} in a request`]),
    ...(denied.length === 0 ? [] : [`without what ${count(denied.length, "rule")} denies`]),
  ];
  return `A yes opens it to this run alone, looked into: ${parts.join("; ")}. The ceiling says so at ${code(rule.at, 160)}.`;
}

const size = (bytes: number): string =>
  bytes >= 1_000_000 ? `${Math.round(bytes / 100_000) / 10} MB` : `${Math.round(bytes / 1_000)} kB`;
