import type { House } from "#playground/slack/house.ts";
import { findChannel, findUser, isDirect, type JsonObject, type SeedChannel } from "#playground/slack/world.ts";

/** One checked Web API call. `args` fit Slack's types. */
export interface Call {
  readonly house: House;
  readonly args: JsonObject;
  /** "http://127.0.0.1:3000": how the caller reached us. */
  readonly origin: string;
}

/** The whole response body, `ok` included. */
export type Method = (call: Call) => JsonObject;

export const refuse = (error: string, more: JsonObject = {}): JsonObject => ({ ok: false, error, ...more });

/** An argument that the types say is text, or "" when it is absent. */
export const str = (call: Call, name: string): string => {
  const value = call.args[name];
  return typeof value === "string" ? value : "";
};

export const optional = (call: Call, name: string): string | null => str(call, name) || null;

export const flag = (call: Call, name: string): boolean => call.args[name] === true;

/** A channel by id, by "#name", or by a person whose direct message with the app it is, as `chat.*` allows. */
export function channelOf(call: Call, name = "channel"): SeedChannel | undefined {
  const given = str(call, name);
  const { world } = call.house;
  const direct = (channel: SeedChannel) => isDirect(channel.id) && channel.members.includes(given);
  if (/^U/.test(given)) return world.seed.channels.find(direct);
  return findChannel(world, given) ?? world.seed.channels.find((channel) => `#${channel.name}` === given);
}

export const isMember = (channel: SeedChannel, user: string): boolean => channel.members.includes(user);

/** A slice of a list and where the next one starts. `most` is Slack's default page. */
export function page(
  call: Call,
  items: readonly JsonObject[],
  most: number,
): { items: readonly JsonObject[]; next: string } {
  const from = Number(Buffer.from(str(call, "cursor"), "base64").toString() || 0);
  const limit = Math.min(typeof call.args.limit === "number" && call.args.limit > 0 ? call.args.limit : most, 999);
  const end = from + limit;
  return { items: items.slice(from, end), next: end < items.length ? Buffer.from(String(end)).toString("base64") : "" };
}

export const knownUser = (call: Call, id: string) => findUser(call.house.world, id);
