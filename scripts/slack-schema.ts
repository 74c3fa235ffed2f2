import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGenerator } from "ts-json-schema-generator";

/**
 * Slack's own TypeScript types, as one JSON Schema that the playground holds every call to. Run it after an update of
 * @slack/web-api; `test/playground/schema.int.test.ts` fails until the committed files are what this makes. `--print`
 * and `--print-manifest` write one of them to the standard output instead.
 */
interface Schema {
  $schema?: string;
  $ref?: string;
  definitions?: Record<string, Schema>;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  not?: Schema;
  items?: Schema | Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  discriminator?: { propertyName: string };
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
}

/** The methods the playground answers, and the type Slack's client gives their arguments. */
const METHODS: Record<string, string> = {
  "agents.sessions.setStatus": "AgentsSessionsSetStatusArguments",
  "api.test": "APITestArguments",
  "apps.manifest.export": "AppsManifestExportArguments",
  "apps.uninstall": "AppsUninstallArguments",
  "assistant.threads.setStatus": "AssistantThreadsSetStatusArguments",
  "auth.test": "AuthTestArguments",
  "bots.info": "BotsInfoArguments",
  "chat.appendStream": "ChatAppendStreamArguments",
  "chat.delete": "ChatDeleteArguments",
  "chat.getPermalink": "ChatGetPermalinkArguments",
  "chat.postEphemeral": "ChatPostEphemeralArguments",
  "chat.postMessage": "ChatPostMessageArguments",
  "chat.startStream": "ChatStartStreamArguments",
  "chat.stopStream": "ChatStopStreamArguments",
  "chat.update": "ChatUpdateArguments",
  "conversations.history": "ConversationsHistoryArguments",
  "conversations.info": "ConversationsInfoArguments",
  "conversations.list": "ConversationsListArguments",
  "conversations.members": "ConversationsMembersArguments",
  "conversations.replies": "ConversationsRepliesArguments",
  "oauth.v2.access": "OAuthV2AccessArguments",
  "reactions.add": "ReactionsAddArguments",
  "reactions.get": "ReactionsGetArguments",
  "reactions.remove": "ReactionsRemoveArguments",
  "team.info": "TeamInfoArguments",
  "usergroups.list": "UsergroupsListArguments",
  "usergroups.users.list": "UsergroupsUsersListArguments",
  "users.info": "UsersInfoArguments",
  "users.list": "UsersListArguments",
  "users.lookupByEmail": "UsersLookupByEmailArguments",
  "views.open": "ViewsOpenArguments",
  "views.publish": "ViewsPublishArguments",
  "views.push": "ViewsPushArguments",
  "views.update": "ViewsUpdateArguments",
};

/** Types as they are written, each with its own reason to be looser or left out. */
const REPLACED: Record<string, Schema> = {
  // Work Objects are 30 KB of types and nothing here sends them.
  EntityMetadata: { type: "object" },
  // `AnyBlock` is `KnownBlock | Block`, and `Block` would let any type pass. Slack refuses unknown types.
  AnyBlock: { $ref: "#/definitions/KnownBlock" },
};

const MANIFEST_FILE = fileURLToPath(new URL("../test/fixtures/slack/manifest.schema.json", import.meta.url));
const SCHEMA_FILE = fileURLToPath(new URL("../src/playground/slack/schema/slack.schema.json", import.meta.url));

function packageDir(name: string): string {
  return dirname(dirname(fileURLToPath(import.meta.resolve(name))));
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const distinct = <T>(values: readonly T[]) =>
  values.filter((value, i) => values.findIndex((other) => same(other, value)) === i);

/** `true | false | "a" | "b"` of several variants become one enum; what differs in kind stays a choice. */
function mergeProperty(variants: readonly Schema[]): Schema {
  const kinds = distinct(variants.filter((schema) => !same(schema, { not: {} })));
  const [only] = kinds;
  if (only && kinds.length === 1) return only;
  const plain = kinds.every((kind) => kind.type === "boolean" && Object.keys(kind).length <= 2);
  return plain ? { type: "boolean" } : { anyOf: kinds };
}

/**
 * A union of objects that only differ in which property is required becomes one object: `chat.postMessage` alone is 24
 * variants of the same twenty properties. What is lost: combinations that Slack itself lets pass (`as_user` with an icon).
 */
function mergeVariants(variants: readonly Schema[]): Schema {
  const names = distinct(variants.flatMap((variant) => Object.keys(variant.properties ?? {})));
  const properties = Object.fromEntries(
    names.map((name) => [name, mergeProperty(variants.flatMap((variant) => variant.properties?.[name] ?? []))]),
  );
  const required = names.filter((name) => variants.every((variant) => variant.required?.includes(name)));
  const extra = distinct(
    variants.map((variant) => (variant.required ?? []).filter((name) => !required.includes(name))),
  );
  const least = extra.filter(
    (set) => !extra.some((other) => other !== set && other.every((name) => set.includes(name))),
  );
  const choice = least.some((set) => set.length === 0) ? [] : least.map((set) => ({ required: set }));
  return {
    type: "object",
    properties,
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
    ...(choice.length > 0 ? { anyOf: choice } : {}),
  };
}

/** What a reference names; any other schema is itself. */
function target(schema: Schema, definitions: Record<string, Schema>): Schema | undefined {
  return schema.$ref ? definitions[decodeURIComponent(schema.$ref.replace("#/definitions/", ""))] : schema;
}

/** Follows references and nested unions down to objects. */
function flatten(schema: Schema, definitions: Record<string, Schema>): Schema[] {
  const named = target(schema, definitions);
  if (named?.$ref) return flatten(named, definitions);
  if (!named?.anyOf || named.properties) return [schema];
  return named.anyOf.flatMap((variant) => flatten(variant, definitions));
}

/** A union told apart by `type` says so, so that a mistake is named where it is and not once per variant. */
function discriminate(schema: Schema, definitions: Record<string, Schema>): Schema {
  if (!schema.anyOf || schema.properties) return schema;
  const variants = distinct(schema.anyOf.flatMap((variant) => flatten(variant, definitions)));
  const kinds = variants.map((variant) => target(variant, definitions)?.properties?.type?.const);
  if (kinds.some((kind) => typeof kind !== "string")) return { anyOf: variants };
  if (new Set(kinds).size === 1) return mergeVariants(variants);
  if (new Set(kinds).size < kinds.length) return { anyOf: variants };
  return { type: "object", discriminator: { propertyName: "type" }, required: ["type"], oneOf: variants };
}

function map(schema: Schema, change: (schema: Schema) => Schema): Schema {
  const out: Schema = { ...schema };
  if (out.properties) {
    out.properties = Object.fromEntries(
      Object.entries(out.properties).map(([name, value]) => [name, map(value, change)]),
    );
  }
  if (out.items)
    out.items = Array.isArray(out.items) ? out.items.map((item) => map(item, change)) : map(out.items, change);
  if (out.anyOf) out.anyOf = out.anyOf.map((variant) => map(variant, change));
  if (typeof out.additionalProperties === "object") out.additionalProperties = map(out.additionalProperties, change);
  return change(out);
}

/** Drops the loose half of `KnownBlock | Block` and of `TaskCardBlock | Record<string, unknown>`. */
function dropLoose(schema: Schema): Schema {
  if (!schema.anyOf || schema.anyOf.length < 2) return schema;
  const strict = schema.anyOf.filter((variant) => {
    const anyRecord = variant.type === "object" && !variant.properties && !variant.anyOf;
    return variant.$ref !== "#/definitions/Block" && !anyRecord;
  });
  const [only] = strict;
  if (strict.length === schema.anyOf.length) return schema;
  return only && strict.length === 1 ? only : { ...schema, anyOf: strict };
}

function reachable(definitions: Record<string, Schema>, roots: readonly string[]): string[] {
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const [, ref] of JSON.stringify(definitions[name] ?? {}).matchAll(/"#\/definitions\/([^"]+)"/g)) {
      if (ref) visit(ref);
    }
  };
  roots.forEach(visit);
  return [...seen].sort();
}

function generatorOf() {
  return createGenerator({
    path: join(packageDir("@slack/web-api"), "{dist/types/request/*.d.ts,../types/dist/**/*.d.ts}"),
    skipTypeCheck: true,
    additionalProperties: false,
    expose: "export",
    jsDoc: "none",
  });
}

/** An app's manifest, as a call takes it: what a response calls Manifest is another type. */
function manifestSchema(): Schema {
  const made = JSON.parse(JSON.stringify(generatorOf().createSchema("AppsManifestValidateArguments"))) as Schema;
  const { $ref: _, ...schema } = made;
  return { ...schema, $ref: "#/definitions/Manifest" };
}

/** Generates the whole schema: `definitions` of blocks and views by name, and of arguments by method ("chat.update"). */
function slackSchema(): Schema {
  const generator = generatorOf();
  const definitions: Record<string, Schema> = {};
  const take = (type: string): void => {
    const made = JSON.parse(JSON.stringify(generator.createSchema(type))) as Schema;
    for (const [name, schema] of Object.entries(made.definitions ?? {})) {
      const kept = definitions[name];
      if (kept && !same(kept, schema)) throw new Error(`Two different types are called ${name}.`);
      definitions[name] = schema;
    }
  };
  for (const type of ["KnownBlock", "ModalView", "HomeView", ...Object.values(METHODS)]) take(type);

  Object.assign(definitions, REPLACED);
  for (const [name, schema] of Object.entries(definitions)) definitions[name] = map(schema, dropLoose);
  for (const [method, type] of Object.entries(METHODS)) {
    const variants = flatten({ $ref: `#/definitions/${type}` }, definitions);
    const objects = variants
      .flatMap((variant) => target(variant, definitions) ?? [])
      .filter((variant) => variant.properties);
    // Slack ignores arguments it does not know; inside blocks and views it refuses them.
    if (objects.length === 0) throw new Error(`${type} has no properties.`);
    definitions[method] = {
      ...(objects.length > 0 ? mergeVariants(objects) : { type: "object" }),
      additionalProperties: true,
    };
  }
  for (const [name, schema] of Object.entries(definitions)) {
    const merged = schema.anyOf && !schema.properties ? discriminate(schema, definitions) : schema;
    if (merged.properties) definitions[name] = merged;
  }
  const told = Object.fromEntries(
    Object.entries(definitions).map(([name, schema]) => [name, map(schema, (part) => discriminate(part, definitions))]),
  );
  const names = reachable(told, ["KnownBlock", "ModalView", "HomeView", ...Object.keys(METHODS)]);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    definitions: Object.fromEntries(names.map((name) => [name, told[name] ?? {}])),
  };
}

const written = (schema: Schema) => `${JSON.stringify(schema, null, 1)}\n`;
if (process.argv.includes("--print-manifest")) process.stdout.write(written(manifestSchema()));
else if (process.argv.includes("--print")) process.stdout.write(written(slackSchema()));
else {
  writeFileSync(SCHEMA_FILE, written(slackSchema()));
  writeFileSync(MANIFEST_FILE, written(manifestSchema()));
}
