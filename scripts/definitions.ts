import { createGenerator, type Schema } from "ts-json-schema-generator";

/**
 * TypeScript types as definitions of one JSON Schema, by name, with those that they use. `file`: where a type is declared.
 * `expose`: "all" where a package does not export each of them by its name.
 */
export function definitionsOf(
  types: readonly { readonly type: string; readonly file: string }[],
  expose: "export" | "all" = "export",
): Schema["definitions"] {
  const made = types.flatMap(({ type, file }) => {
    const options = {
      path: file,
      type,
      expose,
      skipTypeCheck: true,
      additionalProperties: false,
      jsDoc: "none",
    } as const;
    return Object.entries(createGenerator(options).createSchema(type).definitions ?? {});
  });
  return Object.fromEntries(made.sort(([a], [b]) => (a < b ? -1 : 1)));
}
