import { expect, test } from "vitest";
import { complaints, load, teamFile } from "#test/policy/sample.ts";

/** What an author did, the lines after the head of teams/shop.yaml (so line 5 is the first), and what they read then. */
const IN_A_TEAM: [string, string, string[]][] = [
  ["a misspelt key", "egres: []\n", ['5:1 unknown key "egres" - did you mean "egress"?']],
  [
    "a key nobody knows",
    "colour: red\n",
    [
      '5:1 unknown key "colour" - known: version, kind, team, members, rules, egress, unlisted_egress, limits, sandbox, tools, setup, checks, trial',
    ],
  ],
  [
    "a number where a text is due",
    "rules:\n  - deny: {command: 1e3}\n",
    ["6:21 expected a plain text of at most 2,000 characters, got the number 1000 - put quotes around it"],
  ],
  [
    "a word where true or false is due",
    "rules:\n  - {ask: {action: run.start}, from: group:leads, self: no}\n",
    ['6:57 expected true or false, got "no"'],
  ],
  [
    "two effects in one rule",
    "rules:\n  - {allow: {git.repo: acme/a}, deny: {git.repo: acme/b}}\n",
    ["6:5 a rule says exactly one of allow, ask, deny"],
  ],
  ["no effect at all", "rules:\n  - why: because\n", ["6:5 a rule says exactly one of allow, ask, deny"]],
  [
    "two subjects in one rule",
    "rules:\n  - allow: {git.repo: acme/a, command: ls}\n",
    [
      "6:12 a rule is about exactly one of git.repo, git.branch, git.path, git.size, command, action, egress.host, secret.name, model, tool",
    ],
  ],
  [
    "no subject",
    "rules:\n  - deny: {}\n",
    [
      "6:11 a rule is about exactly one of git.repo, git.branch, git.path, git.size, command, action, egress.host, secret.name, model, tool",
    ],
  ],
  [
    "an ask of nobody",
    "rules:\n  - ask: {git.path: src/**}\n",
    ['6:5 an ask needs "from": the group whose people may say yes'],
  ],
  [
    "a deny that asks",
    "rules:\n  - {deny: {git.path: src/**}, from: group:leads}\n",
    ['6:38 "from" belongs to an ask - deny asks nobody'],
  ],
  [
    "a group that is not there",
    "rules:\n  - {ask: {git.path: src/**}, from: group:lead}\n",
    ['6:37 unknown group "group:lead" - did you mean "group:leads"?'],
  ],
  [
    "a group without its prefix",
    "rules:\n  - {ask: {git.path: src/**}, from: leads}\n",
    ['6:37 expected a group like group:leads, or codeowners, got "leads"'],
  ],
  [
    "a misspelt action",
    "rules:\n  - deny: {action: pr.opne}\n",
    ['6:20 unknown action "pr.opne" - did you mean "pr.open"?'],
  ],
  [
    "a merge that is allowed",
    "rules:\n  - allow: {action: [pr.open, pr.merge]}\n",
    ['6:31 "pr.merge" can only be denied - a run ends at the pull request'],
  ],
  [
    "a deploy that is asked",
    "rules:\n  - {ask: {action: deploy.production}, from: group:leads}\n",
    ['6:20 "deploy.production" can only be denied - a run ends at the pull request'],
  ],
  [
    "a wildcard over what can only be denied",
    'rules:\n  - allow: {action: "pr.*"}\n',
    ['6:21 "pr.*" can only be denied - a run ends at the pull request'],
  ],
  [
    "a path from the root",
    "rules:\n  - deny: {git.path: /src}\n",
    ['6:22 "/src" is not relative - paths start at the top of the repository, without "/"'],
  ],
  [
    "a path with other wildcards",
    'rules:\n  - deny: {git.path: [src/ok.ts, "src/[ab].ts"]}\n',
    ['6:34 "src/[ab].ts" has "[" - only * (inside one segment) and ** (any depth) are wildcards'],
  ],
  [
    "a double star inside a segment",
    'rules:\n  - deny: {git.path: "src**"}\n',
    ['6:22 "src**" has "**" inside a segment - write it as a segment of its own, like "docs/**"'],
  ],
  ["a path that climbs", "rules:\n  - deny: {git.path: ../other}\n", ['6:22 "../other" has a "." or ".." segment']],
  [
    "a folder written as a file",
    "rules:\n  - deny: {git.path: docs/}\n",
    ['6:22 "docs/" has an empty segment - a folder is "docs/**"'],
  ],
  [
    "an exception with other wildcards",
    'rules:\n  - {deny: {git.path: "**"}, except: "src/{a,b}"}\n',
    ['6:38 "src/{a,b}" has "{" - only * (inside one segment) and ** (any depth) are wildcards'],
  ],
  [
    "a repository without its owner",
    "rules:\n  - allow: {git.repo: shop}\n",
    ['6:23 expected a repository like acme/site or acme/*, got "shop"'],
  ],
  [
    "a repository above the ceiling",
    "rules:\n  - allow: {git.repo: [acme/shop, other/shop]}\n",
    ["6:35 git.repo other/shop is above the ceiling at org.yaml:6:3"],
  ],
  [
    "a repository above the ceiling that is asked for",
    "rules:\n  - {ask: {git.repo: '*/shop'}, from: group:leads}\n",
    ["6:22 git.repo */shop is above the ceiling at org.yaml:6:3"],
  ],
  [
    "a command limited to a repository",
    "rules:\n  - {deny: {command: make}, in: acme/shop}\n",
    ['6:29 "in" limits git.branch, git.path and git.size - a command has no repository'],
  ],
  [
    "a draft that is no action",
    "rules:\n  - deny: {command: make, draft: true}\n",
    ['6:27 "draft" belongs to an action'],
  ],
  [
    "a branch that is allowed",
    "rules:\n  - allow: {git.branch: main}\n",
    ["6:25 git.branch cannot be allowed - a run pushes to its own branch only, the one in defaults.branch"],
  ],
  [
    "a model that is denied",
    'rules:\n  - deny: {model: "gpt-*"}\n',
    ["6:5 models can only be allowed, without except - name the ones the team may use"],
  ],
  ["a key that is set twice", "rules: []\nrules: []\n", ["6:1 this key is already set above - keep one of them"]],
  [
    "an anchor and an alias",
    "rules: &all []\negress: *all\n",
    [
      "5:13 anchors (&name) are not read - write the value again",
      "6:9 aliases (*name) are not read - write the value again",
    ],
  ],
  ["a merge key", "limits: {<<: {cost_usd: 1}}\n", ["5:10 merge keys (<<) are not read - write the keys out"]],
  [
    "a tag",
    "limits: {cost_usd: !!float 1}\n",
    ["5:28 the tag tag:yaml.org,2002:float is not read - write the plain value"],
  ],
  [
    "a list that does not end",
    "rules: [\n",
    ["6:1 is not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ],
  ["a tab", "rules:\n\t- deny: {git.path: a}\n", ["6:1 is not valid YAML: Tabs are not allowed as indentation"]],
  ["a second document", "---\nversion: 1\n", ["5:1 holds more than one document (---) - keep one per file"]],
  [
    "a limit above the ceiling",
    "limits: {cost_usd: 11, runtime: 3h, tokens: 21M, upload: 1GB, concurrent_runs: 6}\n",
    [
      "5:20 cost_usd 11 is above the ceiling of 10 at org.yaml:8:12",
      "5:33 runtime 3h is above the ceiling of 2h at org.yaml:8:26",
      "5:45 tokens 21M is above the ceiling of 20M at org.yaml:8:39",
      "5:58 upload 1GB is above the ceiling of 100MB at org.yaml:8:52",
      "5:80 concurrent_runs 6 is above the ceiling of 5 at org.yaml:8:67",
    ],
  ],
  [
    "limits without their units",
    "limits: {runtime: 45, tokens: 5X, upload: 20}\n",
    [
      "5:19 expected a duration like 30s, 45m, 4h or 7d, got the number 45",
      '5:31 expected a count like 500k, 5M or 200000, got "5X"',
      "5:43 expected a size like 20MB, got the number 20",
    ],
  ],
  ["money as a text", 'limits: {cost_usd: "5"}\n', ['5:20 expected an amount like 5 or 2.50, got "5"']],
  [
    "a host above the ceiling",
    "egress:\n  - host: api.other.test\n",
    ["6:5 egress api.other.test is above the ceiling at org.yaml:7:3"],
  ],
  [
    "a port above the ceiling",
    "egress:\n  - {host: api.example.com, ports: [80]}\n",
    ["6:5 egress api.example.com ports 80 is above the ceiling at org.yaml:7:56 (ports)"],
  ],
  [
    "a private range above the ceiling",
    "egress:\n  - {host: api.example.com, private: [10.0.0.0/8]}\n",
    ["6:5 egress api.example.com is above the ceiling at org.yaml:7:56 (private)"],
  ],
  [
    "a preset above the ceiling",
    "egress:\n  - preset: model-anthropic\n",
    ["6:5 egress preset model-anthropic is above the ceiling at org.yaml:7:3"],
  ],
  [
    "a shared forge without its repositories",
    "egress:\n  - preset: github\n",
    [
      "6:5 egress preset github is above the ceiling at org.yaml:7:3",
      '6:13 github needs "repos" - it is shared by everybody',
    ],
  ],
  [
    "a misspelt preset",
    "egress:\n  - preset: npm-raed\n",
    [
      '6:13 "npm-raed" is not one of model-openai, model-anthropic, npm-read, github, pypi-read - did you mean "npm-read"?',
    ],
  ],
  [
    "capital letters in a host",
    "egress:\n  - host: API.example.com\n",
    ['6:11 "API.example.com" has capital letters - write "api.example.com"'],
  ],
  [
    "a URL instead of a host",
    "egress:\n  - host: https://api.example.com/v1\n",
    ['6:11 "https://api.example.com/v1" is more than a host name - ports go under "ports", paths under "paths"'],
  ],
  [
    "an address instead of a host",
    "egress:\n  - host: 10.0.0.1\n",
    ['6:11 "10.0.0.1" is an address - only names can be granted'],
  ],
  [
    "a wildcard inside a host",
    'egress:\n  - host: "api.*.example.com"\n',
    ['6:11 "api.*.example.com" is not a host name - a wildcard can only be the whole first label: *.name or **.name'],
  ],
  [
    "a host that is not ASCII",
    "egress:\n  - host: bücher.example.com\n",
    ['6:11 "bücher.example.com" is not ASCII - write its xn-- form'],
  ],
  [
    "a method in small letters",
    "egress:\n  - {host: api.example.com, methods: [get]}\n",
    ['6:39 "get" is not one of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE - did you mean "GET"?'],
  ],
  [
    "a URL path without a slash",
    "egress:\n  - {host: api.example.com, paths: [v1]}\n",
    ['6:37 "v1" does not start with "/"'],
  ],
  [
    "a tunnel that inspects",
    "egress:\n  - {host: api.example.com, mode: tunnel, methods: [GET]}\n",
    ['6:35 a tunnel is not inspected - remove mode, or "methods"'],
  ],
  [
    "loopback as a private range",
    "egress:\n  - {host: api.example.com, private: [127.0.0.0/8]}\n",
    ['6:39 "127.0.0.0/8" is not inside a private network (10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7)'],
  ],
  [
    "a host and a preset",
    "egress:\n  - {host: api.example.com, preset: npm-read}\n",
    ["6:5 an egress entry names exactly one of host, preset"],
  ],
  [
    "a preset with methods",
    "egress:\n  - {preset: npm-read, methods: [GET]}\n",
    ['6:33 a preset brings its own rules - remove "methods"'],
  ],
  [
    "two checks of one name",
    "checks:\n  - {name: tests, command: a}\n  - {name: tests, command: b}\n",
    ['7:12 a check "tests" is already at teams/shop.yaml:6:12'],
  ],
  [
    "a check without a name",
    "checks: [{command: npm test}]\n",
    ['5:10 "name" is missing - expected a plain text of at most 2,000 characters'],
  ],
];

test.each(IN_A_TEAM)("%s is answered with its place and the way out", (_mistake, lines, expected) => {
  const said = complaints(load(teamFile(lines)));
  expect(said.map((line) => line.replace(/^teams\/shop\.yaml:/, ""))).toEqual(expected);
});
