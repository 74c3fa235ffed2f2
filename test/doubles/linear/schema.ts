import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import { buildSchema, type DocumentNode, type GraphQLSchema, getVariableValues, Kind, validate } from "graphql";
import inputs from "./inputs.schema.json" with { type: "json" };

/**
 * Linear's own word on a request. Its schema may not be copied into this repository, so it is looked for beside it, or where
 * LINEAR_SCHEMA says; the input types of its SDK are here always.
 */
const FILE =
  process.env.LINEAR_SCHEMA ?? path.resolve(import.meta.dirname, "../../../../shared/fixtures/linear-schema.graphql");

/** `null`: there is none, and requests are held to the SDK's types alone. */
export const linearSchemaFile: string | null = existsSync(FILE) ? FILE : null;

let schema: GraphQLSchema | null = null;
function linearSchema(): GraphQLSchema | null {
  if (linearSchemaFile === null) return null;
  schema ??= buildSchema(readFileSync(linearSchemaFile, "utf8"), { assumeValid: true });
  return schema;
}

const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false });
ajv.addSchema(inputs, "linear");
const validators = new Map<string, ValidateFunction>();

/** The input types of the mutations that we send. */
const INPUTS: Readonly<Record<string, string>> = {
  agentActivityCreate: "AgentActivityCreateInput",
  agentSessionUpdate: "AgentSessionUpdateInput",
  issueUpdate: "IssueUpdateInput",
};

/** What Linear would have against a request. `field`: what it asks for at the top. */
export function violationsOf(
  document: DocumentNode,
  field: string,
  variables: Readonly<Record<string, unknown>>,
): readonly string[] {
  return [...ofSdk(field, variables), ...ofSchema(document, variables)];
}

function ofSdk(field: string, { input }: Readonly<Record<string, unknown>>): readonly string[] {
  const name = INPUTS[field];
  if (name === undefined) return [];
  const check = validators.get(name) ?? ajv.compile({ $ref: `linear#/definitions/${name}` });
  validators.set(name, check);
  return check(input)
    ? []
    : (check.errors ?? []).map(({ instancePath, message }) => `${name}${instancePath} ${message}`);
}

function ofSchema(document: DocumentNode, variables: Readonly<Record<string, unknown>>): readonly string[] {
  const of = linearSchema();
  if (of === null) return [];
  const found = validate(of, document).map(({ message }) => message);
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const { errors } = getVariableValues(of, definition.variableDefinitions ?? [], variables);
    found.push(...(errors ?? []).map(({ message }) => message));
  }
  return found;
}
