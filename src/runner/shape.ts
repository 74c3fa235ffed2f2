/** Checks an untrusted value and gives it a type; throws `ShapeError` naming the place. */
export type Shape<T> = (value: unknown, at: string) => T;
export type Shaped<S> = S extends Shape<infer T> ? T : never;

export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

function refuse(at: string, wanted: string): never {
  throw new ShapeError(`${at} is not ${wanted}`);
}

export const text: Shape<string> = (value, at) => (typeof value === "string" ? value : refuse(at, "text"));
export const flag: Shape<boolean> = (value, at) => (typeof value === "boolean" ? value : refuse(at, "true or false"));
/** A whole number from 0 to 2^53 - 1. */
export const count: Shape<number> = (value, at) =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : refuse(at, "a whole number");
export const base64: Shape<string> = (value, at) =>
  typeof value === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(value) ? value : refuse(at, "base64");
export const nothing: Shape<null> = (value, at) => (value === null ? null : refuse(at, "null"));

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, at) => (value === null ? null : shape(value, at));
}

export function oneOf<const T extends string>(...words: readonly T[]): Shape<T> {
  return (value, at) => words.find((word) => word === value) ?? refuse(at, words.join(" or "));
}

export function list<T>(shape: Shape<T>): Shape<readonly T[]> {
  return (value, at) =>
    Array.isArray(value) ? value.map((item, index) => shape(item, `${at}[${index}]`)) : refuse(at, "a list");
}

function plain(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(at, "an object");
  return value as Record<string, unknown>;
}

export function dictionary<T>(shape: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return (value, at) =>
    Object.fromEntries(Object.entries(plain(value, at)).map(([name, item]) => [name, shape(item, `${at}.${name}`)]));
}

/** Every field must be there; a field it does not name is refused. */
export function object<const F extends Record<string, Shape<unknown>>>(
  fields: F,
): Shape<{ readonly [K in keyof F]: Shaped<F[K]> }> {
  return (value, at) => {
    const given = plain(value, at);
    const unknown = Object.keys(given).find((name) => !Object.hasOwn(fields, name));
    if (unknown !== undefined) refuse(`${at}.${unknown}`, "a known field");
    const entries = Object.entries(fields).map(([name, shape]) => [name, shape(given[name], `${at}.${name}`)]);
    return Object.fromEntries(entries) as { readonly [K in keyof F]: Shaped<F[K]> };
  };
}
