import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { definitionsOf } from "./definitions.ts";

/**
 * The models and endpoints of Daytona's own generated client, as one JSON Schema that the local double holds every
 * request and every answer of its own to. The packages bring no OpenAPI file, so the endpoints are read from the code that
 * the generator wrote. Run it after an update of @daytonaio/sdk; `test/adapters/sandbox-daytona-schema.int.test.ts`
 * fails until the committed file is what this makes. `--print` writes to the standard output instead.
 */
const MODELS: Readonly<Record<string, readonly [name: string, file: string][]>> = {
  "api-client": [
    ["CreateSandbox", "create-sandbox"],
    ["Sandbox", "sandbox"],
    ["ListSandboxesResponse", "list-sandboxes-response"],
  ],
  "toolbox-api-client": [
    ["ExecuteRequest", "execute-request"],
    ["ExecuteResponse", "execute-response"],
  ],
};

/** Where the generator wrote which endpoints. */
const APIS: Readonly<Record<string, readonly string[]>> = {
  "api-client": ["sandbox-api"],
  "toolbox-api-client": ["file-system-api", "process-api"],
};

interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly query: readonly string[];
}

/** Each request that the generated client can make: its method, its path, the names of its query parameters. */
function endpoints(code: string): Endpoint[] {
  const [, ...blocks] = code.split("const localVarPath = `");
  return blocks.flatMap((block) => {
    const method = /localVarRequestOptions = \{ method: '([A-Z]+)'/.exec(block)?.[1];
    const query = [...block.matchAll(/localVarQueryParameter\['([^']+)'\]/g)].map((match) => match[1] ?? "");
    const path = block.slice(0, block.indexOf("`"));
    return method === undefined ? [] : [{ method, path, query: [...new Set(query)].sort() }];
  });
}

const FILE = fileURLToPath(new URL("../test/doubles/daytona/daytona.schema.json", import.meta.url));

/** The client is a dependency of the SDK's, so it is looked for where the SDK finds it. */
const sdk = path.dirname(fileURLToPath(import.meta.resolve("@daytonaio/sdk/package.json")));
const modules = path.resolve(sdk, "../..");

const definitions = definitionsOf(
  Object.entries(MODELS).flatMap(([client, models]) =>
    models.map(([type, file]) => ({
      type,
      file: path.join(modules, "@daytona", client, "src/models", `${file}.d.ts`),
    })),
  ),
);
const known = Object.fromEntries(
  Object.entries(APIS).map(([client, files]) => [
    client,
    files.flatMap((file) =>
      endpoints(readFileSync(path.join(modules, "@daytona", client, "src/api", `${file}.js`), "utf8")),
    ),
  ]),
);
const schema = { $schema: "http://json-schema.org/draft-07/schema#", endpoints: known, definitions };
const text = `${JSON.stringify(schema, null, 1)}\n`;
if (process.argv.includes("--print")) process.stdout.write(text);
else writeFileSync(FILE, text);
