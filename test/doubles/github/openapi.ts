import { readFileSync } from "node:fs";
import path from "node:path";
import { Ajv, type ValidateFunction } from "ajv";

/** GitHub's own description of the requests we send; `scripts/github-schema.ts` makes it. */
const { operations } = JSON.parse(readFileSync(path.join(import.meta.dirname, "openapi.schema.json"), "utf8")) as {
  operations: readonly Operation[];
};

interface Schema {
  readonly properties?: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: Schema;
  readonly query: Schema;
  readonly body: Schema | null;
  readonly bodyRequired: boolean;
}

interface Compiled extends Operation {
  readonly matches: RegExp;
  readonly checkQuery: ValidateFunction;
  readonly checkBody: ValidateFunction | null;
}

// Numbers come as text in a query.
const queries = new Ajv({ strict: false, coerceTypes: true, allErrors: true });
const bodies = new Ajv({ strict: false, allErrors: true });

const compiled: readonly Compiled[] = operations.map((operation) => ({
  ...operation,
  // Only a file's path and a ref may hold slashes.
  matches: new RegExp(
    `^${operation.path.replace(/\{(\w+)\}/g, (_, name: string) => (name === "path" || name === "ref" ? "(.+)" : "([^/]+)"))}$`,
  ),
  checkQuery: queries.compile(operation.query),
  checkBody: operation.body === null ? null : bodies.compile(operation.body),
}));

/** What GitHub's description has against a request; nothing when it may be sent. An operation it does not have is one. */
export function violationsOf(request: {
  method: string;
  /** Without the "/api/v3" of an Enterprise server. */
  path: string;
  query: URLSearchParams;
  body: unknown;
}): readonly string[] {
  const name = `${request.method} ${request.path}`;
  const all = compiled.filter((one) => one.method === request.method.toLowerCase() && one.matches.test(request.path));
  // The one with the fewest variables: "/repos/{owner}/{repo}/pulls" and not "/repos/{owner}/{repo}/contents/{path}".
  const operation = all.sort((a, b) => a.path.split("{").length - b.path.split("{").length)[0];
  if (operation === undefined) return [`${name}: not among the operations in openapi.schema.json`];
  const said: string[] = [];
  if (!operation.checkQuery(Object.fromEntries(request.query)))
    said.push(`${name}: query ${queries.errorsText(operation.checkQuery.errors)}`);
  const { body, checkBody } = { body: request.body, checkBody: operation.checkBody };
  if (body === undefined) {
    if (operation.bodyRequired) said.push(`${name}: no body`);
    return said;
  }
  if (checkBody === null) return [...said, `${name}: a body where GitHub takes none`];
  if (!checkBody(body)) said.push(`${name}: body ${bodies.errorsText(checkBody.errors)}`);
  // GitHub ignores what it does not know, and a misspelt key with it.
  const known = Object.keys(operation.body?.properties ?? {});
  const odd = Object.keys(body as object).filter((key) => !known.includes(key));
  if (odd.length > 0) said.push(`${name}: GitHub does not know ${odd.join(", ")}`);
  return said;
}
