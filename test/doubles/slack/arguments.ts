import { z } from "zod";
import schema from "#playground/slack/schema/slack.schema.json" with { type: "json" };

const Method = z.looseObject({ properties: z.record(z.string(), z.unknown()).default({}) });
const methods: Readonly<Record<string, unknown>> = schema.definitions;

/**
 * Arguments at the top of a call that Slack's types do not have. Slack takes them, and so does its double; a client of
 * ours has no reason to send one.
 */
export function unknownArguments(method: string, args: Readonly<Record<string, unknown>>): readonly string[] {
  const { properties } = Method.parse(methods[method] ?? {});
  return Object.keys(args).filter((name) => !Object.hasOwn(properties, name));
}
