import { readFileSync } from "node:fs";
import path from "node:path";
import { Ajv } from "ajv";

interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly query: readonly string[];
}

const schema = JSON.parse(readFileSync(path.join(import.meta.dirname, "daytona.schema.json"), "utf8")) as {
  endpoints: Readonly<Record<"api-client" | "toolbox-api-client", readonly Endpoint[]>>;
  definitions: object;
};
const ajv = new Ajv({ strict: false, allErrors: true, formats: { "date-time": true } }).addSchema({
  $id: "daytona",
  definitions: schema.definitions,
});

export type Model = "CreateSandbox" | "Sandbox" | "ListSandboxesResponse" | "ExecuteRequest" | "ExecuteResponse";

/** What is wrong with `value` by the vendor's own model; `null`: nothing. */
export function wrongWith(model: Model, value: unknown): string | null {
  const check = ajv.getSchema(`daytona#/definitions/${model}`);
  if (check === undefined) throw new Error(`there is no model ${model}`);
  return check(value) ? null : ajv.errorsText(check.errors, { dataVar: model });
}

/** What is wrong with a request by what the vendor's generated client can send; `null`: nothing. */
export function unknownCall(
  client: "api-client" | "toolbox-api-client",
  method: string,
  pathname: string,
  query: URLSearchParams,
): string | null {
  const known = schema.endpoints[client].filter(
    (one) => one.method === method && new RegExp(`^${one.path.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`).test(pathname),
  );
  if (known.length === 0) return `no endpoint ${method} ${pathname}`;
  const strange = [...query.keys()].filter((name) => !known.some((one) => one.query.includes(name)));
  return strange.length === 0 ? null : `${method} ${pathname} has no parameter ${strange.join(", ")}`;
}

/** What is wrong with the fields of an upload's form by what the vendor's SDK writes into one; `null`: nothing. */
export function wrongInUpload(fields: readonly string[]): string | null {
  const files = Math.floor(fields.length / 2);
  const wanted = Array.from({ length: files }, (_, at) => [`files[${at}].path`, `files[${at}].file`]).flat();
  const fits = files > 0 && fields.length === wanted.length && wanted.every((name) => fields.includes(name));
  return fits ? null : `an upload has the fields ${fields.join(", ") || "of no file"}`;
}
