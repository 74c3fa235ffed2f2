import { type Loaded, loadPolicy } from "#policy/load/load.ts";

export const TEAM = "marketing";

/** A policy of two teams, one of which has a recipe; `recipe` is its name. */
export function loadWith(o: { readonly recipe?: string } = {}): Loaded {
  return loadPolicy(
    new Map([
      [
        "org.yaml",
        `version: 1
kind: org
groups: {marketing: {slack_usergroup: S0SITE}, data: {slack_usergroup: S0DATA}}
routing: {slack: {C0SITE: marketing, C0DATA: data}}
ceiling:
  repos: ["acme/*"]
  egress: []
  limits: {cost_usd: 10, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: ["*"]
`,
      ],
      [
        "teams/marketing.yaml",
        `version: 1
kind: team
team: marketing
members: group:marketing
rules:
  - allow: {git.repo: acme/site}
  - {allow: {git.path: ["content/**", "public/**"]}, in: acme/site}
  - deny: {git.path: "content/secret/**"}
limits: {cost_usd: 3}
checks:
  - {name: links, command: npm run links}
`,
      ],
      [
        "teams/data.yaml",
        "version: 1\nkind: team\nteam: data\nmembers: group:data\nrules:\n  - allow: {git.repo: acme/reports}\n",
      ],
      [
        "recipes/copy-edit.yaml",
        `version: 1
kind: recipe
recipe: ${o.recipe ?? "copy-edit"}
team: marketing
title: Edit a page
repo: acme/site
fields:
  page: {label: Page, max: 40}
  tone: {options: [warm, very formal]}
  note: {required: false}
prompt: "Edit {page}, {tone}. {note}"
paths: content/**
limits: {cost_usd: 1}
checks:
  - {name: spelling, command: npm run spelling}
`,
      ],
    ]),
    { commit: "test" },
  );
}
