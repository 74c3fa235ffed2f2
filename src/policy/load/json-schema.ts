import { z } from "zod";
import { OrgShape } from "#policy/shapes/org.ts";
import { RecipeShape } from "#policy/shapes/recipe.ts";
import { TeamShape } from "#policy/shapes/team.ts";
import { CasesShape } from "./cases.ts";

export const SCHEMAS = { org: OrgShape, team: TeamShape, recipe: RecipeShape, test: CasesShape } as const;
export type SchemaName = keyof typeof SCHEMAS;

/**
 * The format of one kind of file as JSON Schema (draft 2020-12), from the very types that read it. An editor shows with it
 * what `policy check` would say first; what needs more than one value to judge, only `policy check` says.
 */
export function jsonSchema(name: SchemaName): Record<string, unknown> {
  return { title: `Countersign policy: ${name}`, ...z.toJSONSchema(SCHEMAS[name], { unrepresentable: "any" }) };
}
