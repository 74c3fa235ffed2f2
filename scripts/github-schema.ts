import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * GitHub's own OpenAPI description, trimmed to the requests we send, as JSON Schema: the double of GitHub in the tests holds
 * every request to it. Run it after adding a call, or for a newer description; `--from FILE` reads api.github.com.json
 * from there instead of fetching the package (29 MB, which is why it is no dependency).
 */
const PACKAGE = "@octokit/openapi@23.0.2";

/** What the adapter and the manifest flow send. */
const OPERATIONS: readonly (readonly [method: string, path: string])[] = [
  ["get", "/app"],
  ["get", "/app/installations"],
  ["post", "/app/installations/{installation_id}/access_tokens"],
  ["post", "/app-manifests/{code}/conversions"],
  ["get", "/installation/repositories"],
  ["get", "/repos/{owner}/{repo}"],
  ["get", "/repos/{owner}/{repo}/installation"],
  ["get", "/repos/{owner}/{repo}/contents/{path}"],
  ["get", "/repos/{owner}/{repo}/pulls"],
  ["post", "/repos/{owner}/{repo}/pulls"],
  ["get", "/repos/{owner}/{repo}/pulls/{pull_number}"],
  ["patch", "/repos/{owner}/{repo}/pulls/{pull_number}"],
  ["get", "/repos/{owner}/{repo}/pulls/{pull_number}/files"],
  ["get", "/repos/{owner}/{repo}/pulls/{pull_number}/commits"],
  ["get", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews"],
  ["get", "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers"],
  ["post", "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers"],
  ["get", "/repos/{owner}/{repo}/branches/{branch}"],
  ["get", "/repos/{owner}/{repo}/rules/branches/{branch}"],
  ["get", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls"],
  ["get", "/repos/{owner}/{repo}/git/commits/{commit_sha}"],
  ["get", "/repos/{owner}/{repo}/commits/{ref}/check-runs"],
  ["post", "/repos/{owner}/{repo}/check-runs"],
  ["patch", "/repos/{owner}/{repo}/check-runs/{check_run_id}"],
  ["get", "/user"],
];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Members = { [key: string]: Json };

interface Operation {
  readonly parameters?: readonly Members[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content?: { readonly [type: string]: { schema: Json } };
  };
}
interface Description {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const target = join(dirname(fileURLToPath(import.meta.url)), "..", "test/doubles/github/openapi.schema.json");
/** Words for people; they are most of the description's weight. */
const PROSE = new Set(["description", "example", "examples", "title", "externalDocs", "x-github", "deprecated"]);

function fetched(): string {
  const folder = mkdtempSync(join(tmpdir(), "github-openapi-"));
  try {
    execFileSync("npm", ["pack", "--silent", PACKAGE], { cwd: folder });
    const inside = "package/generated/api.github.com.json";
    execFileSync("sh", ["-c", `tar xzf *.tgz ${inside}`], { cwd: folder });
    return readFileSync(join(folder, inside), "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const from = process.argv.indexOf("--from");
const file = process.argv[from + 1];
const description = JSON.parse(from < 0 || file === undefined ? fetched() : readFileSync(file, "utf8")) as Description;

const members = (value: Json | undefined): Members | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;

function found(pointer: string): Json {
  let at: Json = description as unknown as Json;
  for (const part of pointer.replace(/^#\//, "").split("/")) at = members(at)?.[part.replaceAll("~1", "/")] ?? null;
  return at;
}

/** References put in place, prose left out, and OpenAPI's "nullable" as JSON Schema has it. */
function plain(schema: Json, inProperties = false): Json {
  if (Array.isArray(schema)) return schema.map((one) => plain(one));
  const all = members(schema);
  if (all === null) return schema;
  if (typeof all.$ref === "string") return plain(found(all.$ref));
  const made: Members = {};
  for (const [key, value] of Object.entries(all)) {
    if (!inProperties && (PROSE.has(key) || key === "nullable" || key === "format")) continue;
    made[key] = plain(value, !inProperties && key === "properties");
  }
  if (inProperties || all.nullable !== true) return made;
  return typeof made.type === "string" && made.enum === undefined
    ? { ...made, type: [made.type, "null"] }
    : { anyOf: [made, { type: "null" }] };
}

function object(parameters: readonly Members[], place: string): Members {
  const here = parameters.filter((one) => one.in === place);
  return {
    type: "object",
    properties: Object.fromEntries(here.map((one) => [String(one.name), plain(one.schema ?? {})])),
    required: here.filter((one) => one.required === true).map((one) => String(one.name)),
    additionalProperties: false,
  };
}

const operations = OPERATIONS.map(([method, path]) => {
  const operation = description.paths[path]?.[method];
  if (operation === undefined) throw new Error(`GitHub's description has no ${method} ${path}`);
  const parameters = (operation.parameters ?? []).map((one) => members(plain(one as Json, true)) ?? {});
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  return {
    method,
    path,
    parameters: object(parameters, "path"),
    query: object(parameters, "query"),
    body: body === undefined ? null : plain(body),
    bodyRequired: operation.requestBody?.required === true,
  };
});

writeFileSync(
  target,
  `${JSON.stringify({ from: `${PACKAGE}, MIT`, version: description.info.version, operations }, null, 1)}\n`,
);
console.log(`${operations.length} operations in ${target}`);
