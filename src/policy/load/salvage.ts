import type { z } from "zod";

/** Lists may have holes, and optional parts may be gone, where the author has to look again. */
export type Salvaged<Shape> = {
  readonly [Key in keyof Shape]: Shape[Key] extends readonly (infer Item)[] | undefined
    ? readonly (Item | null)[] | undefined
    : Shape[Key];
};

type Schema = z.core.$ZodType;

function listOf(schema: Schema): Schema | null {
  const definition = (schema as z.ZodType).def as { type: string; innerType?: Schema; element?: Schema };
  if (definition.type === "optional" && definition.innerType !== undefined) return listOf(definition.innerType);
  return definition.type === "array" ? (definition.element ?? null) : null;
}

/**
 * What can be read of a mapping that does not parse as a whole: each key alone, each item of a list alone. It is only used
 * to find more complaints in the same go; what was salvaged never becomes a policy. `null` when one of
 * `needed` is lost.
 */
export function salvage<Shape>(
  shape: Readonly<Record<string, Schema>>,
  value: unknown,
  needed: readonly string[],
): Salvaged<Shape> | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const out: Record<string, unknown> = {};
  let lost = false;
  for (const [key, schema] of Object.entries(shape)) {
    const given: unknown = Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
    const item = listOf(schema);
    const read = (by: Schema, some: unknown) => (by as z.ZodType).safeParse(some);
    if (item !== null && Array.isArray(given)) out[key] = given.map((one) => read(item, one).data ?? null);
    else {
      const { success, data } = read(schema, given);
      if (!success && needed.includes(key)) lost = true;
      out[key] = data;
    }
  }
  return lost ? null : (out as Salvaged<Shape>);
}
