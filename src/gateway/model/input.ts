import { createHash } from "node:crypto";
import type { ModelCall } from "./call.ts";
import { bareName, DIALECTS } from "./dialect.ts";
import { estimateTokens } from "./meter.ts";

type Json = Record<string, unknown>;

/** Tokens of what is sent: `likely` is charged when nobody counts them, `most` is held until somebody has. */
export interface InputTokens {
  readonly likely: number;
  readonly most: number;
}

/** What providers add to a request and we do not see: templates, tool prompts. Anthropic's for tools are the longest. */
const HIDDEN_TOKENS = 1_024;
const LIKELY_PICTURE = 2_000;
/** The dearest documented way of counting one picture is ten thousand patches; one small model counts it 33 times over. */
const MOST_PICTURE = 10_000;
const MOST_PICTURE_4O_MINI = 50_000;
const LIKELY_DOCUMENT = 20_000;
/** A page may be a hundred bytes and is counted as text and as a picture; a hundred pages fill a usual context. */
const MOST_DOCUMENT = 200_000;

interface Size {
  bytes: number;
  pictures: number;
  documents: number;
}

/** A call's input, cut where the conversation grows, so that a later call can be seen to continue this one. */
export interface Conversation {
  /** One per prefix: all but the turns, then up to and with each turn. */
  readonly prefixes: readonly { readonly key: string; readonly size: Size }[];
  readonly mostPicture: number;
  /** Something in it asks to be cached for an hour. */
  readonly hourly: boolean;
}

export function conversationOf(call: ModelCall): Conversation {
  const { turns } = DIALECTS[call.api];
  const { [turns]: said, ...rest } = call.body;
  let key = "";
  let hourly = false;
  const prefixes = [rest, ...(Array.isArray(said) ? said : [said ?? null])].map((piece: unknown) => {
    const size: Size = { bytes: 0, pictures: 0, documents: 0 };
    const text = JSON.stringify(piece);
    hourly ||= text.includes('"1h"');
    const counted = JSON.stringify(withoutInlined(piece, size));
    size.bytes += Buffer.byteLength(counted) + 1;
    key = createHash("sha256")
      .update(key)
      .update(piece === rest ? text : JSON.stringify(withoutMarks(piece)))
      .digest("base64");
    return { key, size };
  });
  const mostPicture = /^gpt-4o-mini/.test(bareName(call.model)) ? MOST_PICTURE_4O_MINI : MOST_PICTURE;
  return { prefixes, mostPicture, hourly };
}

/**
 * No tokeniser makes more tokens than there are bytes, so a byte is held as a token: that is three or four times the
 * truth, but a dense text is one of its bytes' worth. What the provider has counted once, as the beginning of an earlier
 * call of this run, is held at its count.
 */
export function inputTokens(conversation: Conversation, counted: ReadonlyMap<string, number>): InputTokens {
  const { prefixes, mostPicture } = conversation;
  const known = prefixes.findLastIndex(({ key }) => counted.has(key));
  const before = counted.get(prefixes[known]?.key ?? "") ?? 0;
  const all = total(prefixes.map(({ size }) => size));
  const fresh = total(prefixes.slice(known + 1).map(({ size }) => size));
  return {
    likely: estimateTokens(all.bytes) + all.pictures * LIKELY_PICTURE + all.documents * LIKELY_DOCUMENT,
    most: before + fresh.bytes + fresh.pictures * mostPicture + fresh.documents * MOST_DOCUMENT + HIDDEN_TOKENS,
  };
}

const total = (sizes: readonly Size[]): Size =>
  sizes.reduce<Size>(
    (sum, each) => ({
      bytes: sum.bytes + each.bytes,
      pictures: sum.pictures + each.pictures,
      documents: sum.documents + each.documents,
    }),
    { bytes: 0, pictures: 0, documents: 0 },
  );

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const PARTS = ["content", "output"] as const;

/**
 * A turn without the pictures and documents inlined in it, which are counted into `size`. Only in the places where the
 * dialects have them: the same bytes anywhere else are text.
 */
function withoutInlined(turn: unknown, size: Size): unknown {
  if (!isObject(turn)) return turn;
  const slim: Json = { ...turn };
  for (const name of PARTS) {
    const parts = turn[name];
    if (!Array.isArray(parts)) continue;
    slim[name] = parts.map((part: unknown) => {
      if (!isObject(part)) return part;
      if (isPicture(part)) size.pictures += 1;
      else if (isDocument(part)) size.documents += 1;
      else return withoutInlined(part, size);
      return { ...part, source: 0, image_url: 0, file: 0, file_data: 0 };
    });
  }
  return slim;
}

const isData = (value: unknown, kind: string): boolean => typeof value === "string" && value.startsWith(`data:${kind}`);
/** Any other file is text to the model, and counted as such. */
const PDF = "application/pdf";
const isBase64 = (part: Json): boolean => isObject(part.source) && part.source.type === "base64";

function isPicture(part: Json): boolean {
  if (part.type === "image") return isBase64(part);
  if (part.type === "image_url") return isObject(part.image_url) && isData(part.image_url.url, "image/");
  return part.type === "input_image" && isData(part.image_url, "image/");
}

function isDocument(part: Json): boolean {
  if (part.type === "document") return isBase64(part);
  if (part.type === "file") return isObject(part.file) && isData(part.file.file_data, PDF);
  return part.type === "input_file" && isData(part.file_data, PDF);
}

/** Where a conversation is to be cached is marked anew with every call, on the parts of its last turns. */
function withoutMarks(turn: unknown): unknown {
  if (!isObject(turn)) return turn;
  const { cache_control: _mark, ...bare } = turn;
  for (const name of PARTS) {
    const parts = bare[name];
    if (Array.isArray(parts)) bare[name] = parts.map(withoutMarks);
  }
  return bare;
}
