import { z } from "zod";
import {
  expected,
  FilePath,
  kind,
  Name,
  oneOrMany,
  RepoGlob,
  strict,
  Text,
  version,
  Whole,
  Yes,
} from "#policy/scalars.ts";
import { RunLimits } from "./limits.ts";
import { CheckShape } from "./team.ts";

const FieldShape = strict("a field like {label: Page, required: true}", {
  label: Text.optional(),
  required: Yes.optional(),
  max: Whole("a number of characters from 1 to 4000", 4_000).optional(),
  options: z
    .array(Text, { error: expected("a list of choices") })
    .min(1, { error: "expected a list of choices, got an empty list" })
    .optional(),
});

/** A named prompt of a team. It can only be narrower than its team. */
export const RecipeShape = strict("a recipe", {
  version,
  kind: kind("recipe"),
  recipe: Name,
  team: Name,
  title: Text,
  repo: RepoGlob,
  fields: z.record(Name, FieldShape, { error: expected("fields by name") }).optional(),
  prompt: Text,
  paths: oneOrMany("a path or a list of them", FilePath).optional(),
  checks: z.array(CheckShape, { error: expected("a list of checks") }).optional(),
  limits: RunLimits.optional(),
});
export type RecipeShape = z.infer<typeof RecipeShape>;
