import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import type { EgressRule } from "#policy/egress.ts";
import { presetRules } from "#policy/presets.ts";

const Input = z.strictObject({
  authority: z.string().optional(),
  sni: z.string().nullable().optional(),
  request: z.string().optional(),
  dns: z.union([z.array(z.string()), z.array(z.array(z.string()))]).optional(),
  split: z.array(z.number()).optional(),
  trickle_ms: z.number().optional(),
  payload: z.string().optional(),
  origin_cert: z.string().optional(),
  proxy_authorization: z.string().nullable().optional(),
  event: z.string().optional(),
  scenario: z.string().optional(),
  push: z.string().optional(),
  command: z.string().optional(),
  socks5: z.string().optional(),
  yaml: z.string().optional(),
});

const Expect = z.strictObject({
  decision: z.enum(["allow", "deny"]),
  reason: z.string(),
  status: z.number().optional(),
  status_in: z.array(z.number()).optional(),
  upstream_connects: z.number().nullable().optional(),
  upstream_requests: z.number().optional(),
  resolver_calls: z.number().optional(),
  dialled: z.string().optional(),
  policy: z.literal("empty").optional(),
  secret_sent_upstream: z.literal(false).optional(),
  first: z.literal("allow").optional(),
  upstream_lacks_header: z.string().optional(),
  upstream_header: z.string().optional(),
  upstream_lacks_bytes: z.string().optional(),
  client_lacks_bytes: z.string().optional(),
  log_lacks_bytes: z.string().optional(),
  gateway_followed: z.literal(false).optional(),
  // biome-ignore lint/suspicious/noThenProperty: the corpus names it so
  then: z.strictObject({ authority: z.string(), decision: z.literal("deny") }).optional(),
  closed_within_ms: z.number().optional(),
  alert: z.literal(true).optional(),
  spent_lte_budget_plus_pct: z.number().optional(),
  forge_refs_changed: z.number().optional(),
});

const Case = z.strictObject({
  id: z.string(),
  name: z.string(),
  class: z.string(),
  via: z.enum([
    "connect",
    "connect+tls",
    "connect+tls+http",
    "absolute",
    "raw",
    "socks5",
    "model",
    "git",
    "policy",
    "sandbox",
    "system",
  ]),
  input: Input,
  expect: Expect,
  ref: z.string().optional(),
});

const Rule = z.strictObject({
  host: z.string().optional(),
  preset: z.string().optional(),
  repos: z.array(z.string()).optional(),
  ports: z.array(z.number()).optional(),
  mode: z.enum(["tunnel", "intercept"]).optional(),
  methods: z.array(z.string()).optional(),
  paths: z.array(z.string()).optional(),
  max_body: z.string().optional(),
  secret: z.strictObject({ header: z.string(), opaque: z.string(), real: z.string() }).optional(),
});

const Corpus = z.strictObject({
  version: z.literal(1),
  fixture: z.strictObject({
    resolver: z.literal("fake"),
    registries: z.record(z.string(), z.string()),
    policy: z.array(Rule),
  }),
  cases: z.array(Case),
});

export type CorpusCase = z.infer<typeof Case>;
export type Corpus = z.infer<typeof Corpus>;

/** Strict: a key that the runner does not know would be an expectation that nobody checks. */
export function loadCorpus(file: string): Corpus {
  return Corpus.parse(parse(readFileSync(file, "utf8")));
}

/** The fixture's policy as compiled rules. The presets of models and of the registry are none: these have brokers. */
export function fixtureRules(corpus: Corpus): EgressRule[] {
  return corpus.fixture.policy.flatMap((rule, i) =>
    rule.host === undefined
      ? rule.preset === "github"
        ? presetRules(
            "github",
            rule.repos ?? [],
            {},
            {
              at: `egress-attacks.yaml:${i + 10}:7`,
              text: "egress preset github",
              why: null,
            },
          )
        : []
      : [
          {
            host: rule.host,
            ports: rule.ports ?? [443],
            mode: rule.mode ?? "tunnel",
            methods: rule.methods ?? [],
            paths: rule.paths ?? [],
            private: [],
            maxBodyBytes: rule.max_body === "1MB" ? 1_000_000 : null,
            secret: rule.secret ? { name: "corpus", header: rule.secret.header } : null,
            rule: { at: `egress-attacks.yaml:${i + 10}:7`, text: `egress ${rule.host}`, why: null },
          },
        ],
  );
}
