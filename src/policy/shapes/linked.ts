import type { z } from "zod";
import { LINK_PLACES } from "#policy/linked.ts";
import { oneOf, oneOrMany, strict } from "#policy/scalars.ts";

const places = oneOrMany("github, linear or a list of them", oneOf(LINK_PLACES)).optional();

export const LinkedShape = strict("linked accounts like {authors: github, approvers: github}", {
  authors: places,
  approvers: places,
});
export type LinkedShape = z.infer<typeof LinkedShape>;
