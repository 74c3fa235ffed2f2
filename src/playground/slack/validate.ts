import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { blockProblems, LIMITS, viewProblems } from "./limits.ts";
import schema from "./schema/slack.schema.json" with { type: "json" };
import { isObject, type Json, type JsonObject } from "./world.ts";

/** A call that fits Slack's types, or Slack's refusal of it. */
export type Checked =
  | { readonly ok: true; readonly args: JsonObject }
  | { readonly ok: false; readonly error: string; readonly messages: readonly string[] };

const definitions: Readonly<Record<string, unknown>> = schema.definitions;
const ajv = new Ajv({
  allErrors: true,
  discriminator: true,
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
});
ajv.addSchema(schema, "slack");
const compiled = new Map<string, ValidateFunction>();

function check(name: string): ValidateFunction {
  const known = compiled.get(name);
  if (known) return known;
  const made = ajv.compile({ $ref: `slack#/definitions/${name}` });
  compiled.set(name, made);
  return made;
}

/** Methods this playground answers, apart from what their handlers need. */
export function knowsMethod(method: string): boolean {
  return method.includes(".") && Object.hasOwn(definitions, method);
}

/** Compiling takes about 0.3 s once; doing it before the first call keeps that out of somebody's first message. */
export function warmUp(): void {
  for (const method of ["chat.postMessage", "chat.update", "views.open"]) check(method);
}

/** One mistake in Slack's words. */
function say(error: ErrorObject): string {
  const at = `[json-pointer:${error.instancePath}]`;
  const params: Readonly<Record<string, unknown>> = error.params;
  switch (error.keyword) {
    case "required":
      return `missing required field: ${String(params.missingProperty)} ${at}`;
    case "additionalProperties":
      return `invalid additional property: ${String(params.additionalProperty)} ${at}`;
    case "discriminator":
      return params.error === "mapping"
        ? `unsupported type: ${String(params.tagValue)} ${at}`
        : `missing required field: type ${at}`;
    case "type":
      return `must provide ${/^[aeiou]/.test(String(params.type)) ? "an" : "a"} ${String(params.type)} ${at}`;
    case "enum":
      return `must be a valid enum value ${at}`;
    case "const":
      return `must be ${JSON.stringify(params.allowedValue)} ${at}`;
    case "anyOf":
    case "oneOf":
      return `failed to match all allowed schemas ${at}`;
    default:
      return `${error.message ?? error.keyword} ${at}`;
  }
}

interface PropertySchema {
  readonly type?: string;
  readonly $ref?: string;
  readonly anyOf?: unknown;
  readonly oneOf?: unknown;
}

function propertiesOf(method: string): Readonly<Record<string, PropertySchema>> {
  const definition = definitions[method];
  const properties = isObject(definition) ? (definition as { properties?: unknown }).properties : undefined;
  return isObject(properties) ? (properties as Readonly<Record<string, PropertySchema>>) : {};
}

/** Form fields are all text: booleans and numbers are read, and what the types say is an object or list is JSON. */
function coerce(method: string, given: Readonly<Record<string, unknown>>): Checked {
  const properties = propertiesOf(method);
  const args: Record<string, Json | undefined> = {};
  for (const [name, value] of Object.entries(given)) {
    const wanted = properties[name];
    if (typeof value !== "string" || wanted === undefined || wanted.type === "string") {
      args[name] = value as Json;
    } else if (wanted.type === "boolean") {
      args[name] = value === "true" || value === "1" ? true : value === "false" || value === "0" ? false : value;
    } else if (wanted.type === "number") {
      args[name] = value !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
    } else {
      try {
        args[name] = JSON.parse(value) as Json;
      } catch {
        const error =
          name === "blocks"
            ? "invalid_blocks_format"
            : name === "metadata"
              ? "invalid_metadata_format"
              : "invalid_arguments";
        return { ok: false, error, messages: [`[ERROR] failed to parse JSON [json-pointer:/${name}]`] };
      }
    }
  }
  return { ok: true, args };
}

/** Slack has its own word for mistakes that are all in a message's blocks. */
function refusal(problems: readonly string[]): Checked {
  const inBlocks = problems.every((problem) => problem.includes("[json-pointer:/blocks"));
  const messages = problems.map((problem) => `[ERROR] ${problem}`);
  return { ok: false, error: inBlocks ? "invalid_blocks" : "invalid_arguments", messages };
}

const CONTENT = ["text", "blocks", "attachments", "markdown_text"];

/**
 * Holds one Web API call to Slack's types and limits. `given` is the body as it came: JSON values, or the texts of a
 * form. Unknown arguments pass, as Slack lets them; unknown properties inside blocks and views do not.
 */
export function checkCall(method: string, given: Readonly<Record<string, unknown>>): Checked {
  const coerced = coerce(method, given);
  if (!coerced.ok) return coerced;
  const { args } = coerced;
  if (method.startsWith("chat.") && typeof args.text === "string" && args.text.length > LIMITS.TEXT_MESSAGE) {
    return { ok: false, error: "msg_too_long", messages: [] };
  }
  const validate = check(method);
  if (!validate(args)) {
    const errors = validate.errors ?? [];
    const noContent = errors.some(
      (error) => error.keyword === "anyOf" && error.instancePath === "" && method.startsWith("chat."),
    );
    if (noContent && !CONTENT.some((name) => args[name] !== undefined))
      return { ok: false, error: "no_text", messages: [] };
    return refusal(errors.map(say));
  }
  const blocks = Array.isArray(args.blocks) ? args.blocks.filter(isObject) : [];
  const problems = [
    ...blockProblems(blocks, "/blocks", LIMITS.BLOCKS_PER_MESSAGE),
    ...(isObject(args.view) ? viewProblems(args.view, "/view") : []),
  ];
  return problems.length > 0 ? refusal(problems) : { ok: true, args };
}

/** For blocks and views that come by another door: a `response_url`, the answer to a submission. */
export function checkBlocks(blocks: readonly JsonObject[]): readonly string[] {
  const checked = checkCall("chat.postMessage", { channel: "C0", text: " ", blocks });
  return checked.ok ? [] : checked.messages;
}

export function checkView(view: JsonObject): readonly string[] {
  const checked = checkCall("views.open", { trigger_id: "0", view });
  return checked.ok ? [] : checked.messages;
}
