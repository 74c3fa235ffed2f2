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

/** Files at the top of `src` that wire the rest together (docs/adr/0002). No folder of `src` imports them. */
export const ROOTS = [
  "main",
  "house",
  "parts",
  "loops",
  "log",
  "front",
  "forge",
  "github-place",
  "doctor",
  "hosted-place",
  "linear-place",
  "linear",
  "links",
  "slack-place",
  "tenants",
  "welcome",
  "run-pages",
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
