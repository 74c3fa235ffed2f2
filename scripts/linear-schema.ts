import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { definitionsOf } from "./definitions.ts";

/**
 * The input types of the mutations that we send, from Linear's SDK, as JSON Schema: the double of Linear in the tests holds
 * every request to it. Run it after an update of @linear/sdk or a new mutation; `test/adapters/ticket-linear-schema.int.test.ts` fails
 * until the committed file is what this makes. `--print` writes to the standard output instead.
 */
const TYPES = ["AgentActivityCreateInput", "AgentSessionUpdateInput", "IssueUpdateInput"];
const FILE = fileURLToPath(new URL("../test/doubles/linear/inputs.schema.json", import.meta.url));

const dist = path.dirname(fileURLToPath(import.meta.resolve("@linear/sdk")));
/** All of the SDK's types are in one file, which is named after its content. */
const file = readdirSync(dist).find((name) => /^index-.+\.d\.mts$/.test(name));
if (file === undefined) throw new Error(`@linear/sdk has its types elsewhere: look in ${dist}`);
const declared = path.join(dist, file);
const definitions = definitionsOf(
  TYPES.map((type) => ({ type, file: declared })),
  "all",
);
const text = `${JSON.stringify({ $schema: "http://json-schema.org/draft-07/schema#", definitions }, null, 1)}\n`;
if (process.argv.includes("--print")) process.stdout.write(text);
else writeFileSync(FILE, text);
