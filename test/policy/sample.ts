import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Loaded, loadPolicy } from "#policy/load/load.ts";
import type { Policy } from "#policy/policy.ts";
import type { SiteConfig } from "#policy/site.ts";

/** The files of the repository's sample organisation. */
export function sampleFiles(): Map<string, string> {
  const folder = path.join(import.meta.dirname, "..", "..", "policies");
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
  return new Map(names.sort().map((name) => [name, readFileSync(path.join(folder, name), "utf8")]));
}

/** An organisation with one group and the ceiling most tests need. */
export const ORG = `version: 1
kind: org
groups: {shop: {slack_usergroup: S0SHOP}, leads: {people: [U0BO]}}
routing: {slack: {C0SHOP: shop}}
ceiling:
  repos: ["acme/*"]
  egress: [{preset: npm-read}, {preset: model-openai}, {host: "**.example.com", ports: [443, 8443]}]
  limits: {cost_usd: 10, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: ["*"]
`;

/** A team file that ends in `lines`. */
export function teamFile(lines: string): string {
  return `version: 1\nkind: team\nteam: shop\nmembers: group:shop\n${lines}`;
}

/** Loads `ORG` (or another) and the team "shop". */
export function load(team: string, o: { org?: string; site?: SiteConfig } = {}): Loaded {
  const files = new Map([
    ["org.yaml", o.org ?? ORG],
    ["teams/shop.yaml", team],
  ]);
  return loadPolicy(files, { commit: "c0ffee", ...(o.site === undefined ? {} : { site: o.site }) });
}

export function loaded(result: Loaded): Policy {
  if (result.ok) return result.policy;
  throw new Error(result.problems.map(({ at, message }) => `${at} ${message}`).join("\n"));
}

/** "file:line:col message", as a person sees them. */
export function complaints(result: Loaded): string[] {
  return result.ok ? [] : result.problems.map(({ at, message }) => `${at} ${message}`);
}
