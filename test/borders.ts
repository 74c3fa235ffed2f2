import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/**
 * The borders. A folder may import itself with "./", what its row names, and nothing else. "*" is any package,
 * "node:" any built-in module. Changing a row is an architectural decision: write an ADR. `docs/architecture.md`
 * draws it.
 */
export const MAY_IMPORT: Record<string, readonly string[]> = {
  "src/policy": ["zod", "yaml", "unbash", "node:crypto"],
  "src/ports": ["#policy", "zod", "node:util"],
  "src/runs": ["#policy", "#ports", "zod", "node:crypto"],
  "src/gateway": ["#policy", "#ports", "*"],
  "src/runner": ["node:"],
  "src/hosted": ["#runner", "node:"],
  "src/adapters": ["#policy", "#ports", "#runner", "#hosted", "*"],
  "src/surfaces": ["#runs", "#policy", "#ports", "*"],
  "src/playground": ["*"],
  "src/command": ["#policy", "#ports", "#adapters/policy", "node:"],
  db: ["#runs", "#policy", "#ports", "*"],
  images: ["node:"],
};

/**
 * The layers within a large folder, from the bottom up, each with what it holds: a file imports its own layer and those
 * before it. "." is the folder itself, without the folders in it (docs/adr/0032).
 */
export const LAYERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "src/policy": {
    match: "texts against patterns: globs, hosts, commands, units",
    ".": "the nouns: a policy, an ask of it, a decision, a scope, a grant",
    shapes: "what a file may say, as zod types",
    decide: "an ask against a policy: allow, ask or deny, and why",
    load: "from files to a compiled policy, or every error of theirs",
    explain: "what a policy says, to people: rules, capabilities, differences, replays",
  },
  "src/runs": {
    ".": "the nouns: a run, its events, its approvals, and what the stores keep of them",
    decision: "what policy says of a run: as it was pinned, as it is now, and the narrower of both",
    record: "what any verb does to a run: move it, record it, say it, hand it over",
    approval: "questions to people, from the asking to the answer, the reminder and the end",
    account: "whose accounts are linked, who may read a run, who is credited",
    money: "what a run may spend, what it has spent, and what it gives back",
    sandbox: "what a sandbox is given, from its grant at the gateway to its release",
    result: "from a finished turn to the pull request and its review",
    turn: "the agent at work, its permissions, and what stops it",
    request: "what people say and press, from the first mention to the last vote",
    life: "the jobs that take a run from one state to the next, and what is forgotten in time",
  },
};

/** Files at the top of `src` that wire the rest together (docs/adr/0002). No folder of `src` imports them. */
export const ROOTS = [
  "main",
  "house",
  "parts",
  "sandboxes",
  "loops",
  "log",
  "front",
  "asked-at",
  "forge",
  "github-place",
  "doctor",
  "doctor-code",
  "doctor-policy",
  "doctor-sandboxes",
  "doctor-slack",
  "doctor-tickets",
  "health",
  "hosted-place",
  "linear-place",
  "linear",
  "links",
  "slack-place",
  "tenants",
  "welcome",
  "run-pages",
  "code-pages",
  "gateway-role",
  "places",
  "config",
  "database-place",
  "site",
  "decisions",
  "policy-place",
  "policy-source",
  "sign-in-place",
  "address",
  "service",
  "operator-links",
].map((name) => `src/${name}.ts`);

export const root = path.resolve(import.meta.dirname, "..");

/** Files of ours below a folder, as paths from the root; code, unless `named` says otherwise. */
export function sources(folder: string, named = /\.(ts|mts|js|mjs)$/): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && named.test(entry.name) && !entry.parentPath.includes("node_modules"))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .sort();
}

/** What a file imports, as it is written there. */
export function imports(file: string): string[] {
  const text = readFileSync(path.join(root, file), "utf8");
  const forms =
    /^[ \t]*(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']|^[ \t]*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;
  return [...text.matchAll(forms)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}
