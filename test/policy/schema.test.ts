import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { jsonSchema, SCHEMAS, type SchemaName } from "#policy/load/json-schema.ts";
import { sampleFiles } from "#test/policy/sample.ts";

const folder = path.join(import.meta.dirname, "..", "..", "policies");
const names = Object.keys(SCHEMAS) as SchemaName[];

test.each(names)("the schema of a %s file that lies beside the samples is the one that is generated", (name) => {
  const kept = readFileSync(path.join(folder, "schema", `${name}.schema.json`), "utf8");
  // Else: npm run --silent countersign -- policy schema org > policies/schema/org.schema.json
  expect(kept).toBe(`${JSON.stringify(jsonSchema(name), null, 2)}\n`);
});

test.each([...sampleFiles().keys()])("%s tells an editor where its schema is", (file) => {
  const text = readFileSync(path.join(folder, file), "utf8");
  const [, schema = ""] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
  const kind = /^kind: (\w+)$/m.exec(text)?.[1];
  expect(path.basename(schema)).toBe(`${kind}.schema.json`);
  expect(existsSync(path.join(folder, path.dirname(file), schema))).toBe(true);
});
