import type { Answer, Conversation, Item } from "#playground/model/conversation.ts";

/** Tokens as a provider would count them, near enough: four characters each. */
export interface Tokens {
  readonly input: number;
  readonly output: number;
}

export interface Reply extends Answer {
  readonly id: string;
  readonly model: string;
  readonly tokens: Tokens;
}

/** One provider's wire: how a request is read and an answer written. */
export interface Dialect {
  /** Matches the path of the endpoint. */
  readonly path: RegExp;
  read(body: Body): Conversation;
  /** Frames of the event stream; they end with the words when the step is to be cut or to stall. */
  stream(reply: Reply): Iterable<string>;
  /** The answer in one piece, for a request that wants no stream. */
  whole(reply: Reply): object;
}

export type Body = Readonly<Record<string, unknown>>;

export const record = (value: unknown): Body =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Body) : {};
export const array = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const string = (value: unknown): string => (typeof value === "string" ? value : "");

/** Text of a content field: a string, or parts of which only text matters. */
export function plain(content: unknown): string {
  if (typeof content === "string") return content;
  return array(content)
    .map((part) => string(record(part).text) || string(record(part).content) || string(record(part).output))
    .filter((text) => text !== "")
    .join("\n");
}

export const item = (role: Item["role"], text: string): Item => ({ role, text });

/** A text in the small pieces in which models speak. */
export function pieces(text: string): string[] {
  return text.match(/[\s\S]{1,12}/g) ?? [];
}

/** Ends the words of a step that goes no further. */
export const goesOn = (reply: Reply): boolean => reply.step.fault === undefined;
