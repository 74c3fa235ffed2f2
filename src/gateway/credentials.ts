import type { IncomingMessage } from "node:http";
import { Transform } from "node:stream";
import type { EgressRule } from "#policy/egress.ts";
import { matchesHost } from "#policy/match/hosts.ts";
import type { Grant } from "#ports/gateway.ts";
import type { Secret } from "#ports/secret.ts";
import type { Denial } from "./denial.ts";
import { tokenHash } from "./grants.ts";
import type { Wall } from "./wall.ts";

/** Headers that carry a credential, whatever the vendor calls them. */
const CREDENTIALS = [
  "authorization",
  "x-api-key",
  "api-key",
  "x-auth-token",
  "private-token",
  "x-goog-api-key",
  "cookie",
];
const LONGEST_TOKEN = 1_024;
const DENY = { status: 403, rule: null } as const;

/** Rules with a secret that hold this host and port, whatever their methods and paths. */
export function brokeredRules(grant: Grant, host: string, port: number): readonly EgressRule[] {
  return grant.egress.filter(
    (rule) => rule.secret !== null && rule.ports.includes(port) && matchesHost(rule.host, host),
  );
}

/**
 * Whether a request carries a credential that it must not: a placeholder outside its declared header and hosts (an
 * attempt to learn the real one, or to move it), or, on a host that we hold a credential for, any other credential (the
 * way out through the attacker's own account). `null`: it does not.
 */
export function credentialFault(grant: Grant, host: string, port: number, req: IncomingMessage): Denial | null {
  const brokered = brokeredRules(grant, host, port);
  const slots = new Map(brokered.map((rule) => [rule.secret?.header.toLowerCase() ?? "", rule.secret?.name ?? ""]));
  const isPlaceholder = (candidate: string) =>
    (grant.secrets ?? []).find((secret) => secret.placeholderHash === tokenHash(candidate))?.name ?? null;
  const placeholdersIn = (text: string) => candidates(text).flatMap((each) => isPlaceholder(each) ?? []);
  if (placeholdersIn(req.url ?? "").length > 0) return { ...DENY, reason: "token_host" };
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = (req.rawHeaders[i] ?? "").toLowerCase();
    const value = req.rawHeaders[i + 1] ?? "";
    const found = placeholdersIn(value);
    if (found.some((secret) => slots.get(name) !== secret)) return { ...DENY, reason: "token_host" };
    const isCredential = CREDENTIALS.includes(name) || slots.has(name);
    if (brokered.length > 0 && isCredential && found.length === 0) return { ...DENY, reason: "foreign_credential" };
  }
  return null;
}

/** What could be a token in a text, as it is and inside a Basic credential. */
function candidates(text: string): string[] {
  const words = decoded(text)
    .split(/[^A-Za-z0-9_.~-]+/)
    .filter((word) => word.length > 0 && word.length <= LONGEST_TOKEN);
  const basic = /^basic\s+([A-Za-z0-9+/]+={0,2})$/i.exec(text)?.[1];
  const inside = basic === undefined ? [] : Buffer.from(basic, "base64").toString("utf8").split(":");
  return [...words, ...inside];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export interface Swapped {
  readonly headers: Record<string, string[]>;
  /** Set when a real value went out: it must not come back. */
  readonly scrub: { header(value: string): string; body(): Transform } | null;
}

/**
 * Puts the real value where the placeholder is, in the header that `rule` declares. Elsewhere a placeholder that got
 * this far is taken out. `null`: the secret cannot be read.
 */
export async function swapCredential(
  wall: Wall,
  grant: Grant,
  rule: EgressRule,
  headers: Record<string, string[]>,
): Promise<Swapped | null> {
  const known = new Map((grant.secrets ?? []).map((secret) => [secret.placeholderHash, secret.name]));
  const holds = (value: string) => candidates(value).some((each) => known.has(tokenHash(each)));
  const slot = rule.secret?.header.toLowerCase();
  const kept = Object.fromEntries(
    Object.entries(headers).filter(([name, values]) => name === slot || !values.some((value) => holds(value))),
  );
  const values = slot === undefined ? [] : (kept[slot] ?? []);
  if (!rule.secret || slot === undefined || values.length === 0) return { headers: kept, scrub: null };
  const secret = await wall.config.secrets?.get(rule.secret.name).catch(() => null);
  if (!secret) return null;
  const isOurs = (each: string) => known.get(tokenHash(each)) === rule.secret?.name;
  const swapped = values.map((value) => swapIn(value, isOurs, secret));
  // In pieces, or compressed, a value that the service echoes would pass the scrubber.
  const { range: _, "if-range": __, ...whole } = kept;
  return { headers: { ...whole, [slot]: swapped, "accept-encoding": ["identity"] }, scrub: scrubber(secret) };
}

function swapIn(value: string, isOurs: (each: string) => boolean, secret: Secret): string {
  const basic = /^basic\s+([A-Za-z0-9+/]+={0,2})$/i.exec(value)?.[1];
  if (basic !== undefined) {
    const parts = Buffer.from(basic, "base64").toString("utf8").split(":");
    const text = parts.map((part) => (isOurs(part) ? secret.reveal() : part)).join(":");
    return `Basic ${Buffer.from(text).toString("base64")}`;
  }
  return value.replace(/[A-Za-z0-9_.~-]+/g, (word) => (isOurs(word) ? secret.reveal() : word));
}

/** Services echo credentials in errors and debug answers. What went out must not come back in. */
export function scrubber(secret: Secret): NonNullable<Swapped["scrub"]> {
  const value = secret.reveal();
  const needles = [...new Set(formsOf(value))]
    .filter((form) => form !== "")
    .map((form) => Buffer.from(form))
    .sort((a, b) => b.length - a.length);
  // A form that another one begins with: at the end of a piece it is not known yet which of them it is.
  const prefixes = needles.filter((form) =>
    needles.some((other) => other.length > form.length && other.subarray(0, form.length).equals(form)),
  );
  const mark = Buffer.from(`[secret:${secret.name}]`);
  const longest = Math.max(...needles.map((needle) => needle.length));
  const clean = (bytes: Buffer): Buffer => needles.reduce((text, needle) => replaceAll(text, needle, mark), bytes);
  return {
    header: (text) => clean(Buffer.from(text, "latin1")).toString("latin1"),
    body() {
      let held: Buffer = Buffer.alloc(0);
      return new Transform({
        transform(chunk: Buffer, _encoding, done) {
          const all = Buffer.concat([held, chunk]);
          const begun = prefixes.find((needle) => all.subarray(-needle.length).equals(needle))?.length ?? 0;
          const text = clean(all.subarray(0, all.length - begun));
          // Only what could be the beginning of a form is held back, so that a stream stays a stream.
          const keep = openPrefix(text, needles, longest);
          held = Buffer.concat([text.subarray(text.length - keep), all.subarray(all.length - begun)]);
          done(null, text.subarray(0, text.length - keep));
        },
        flush: (done) => done(null, clean(held)),
      });
    },
  };
}

/** Shorter pieces of base64 would be found where no secret is. */
const SHORTEST_PHASE = 8;

/** How a value is echoed: as it is, in a URL, in JSON, in hex, and in base64 wherever it begins within a longer text. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  const hex = bytes.toString("hex");
  const phases = [0, 1, 2].flatMap((before) => {
    // The characters that the bytes before and after it share in are cut off.
    const all = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const from = before === 0 ? 0 : before + 1;
    const whole = (before + bytes.length) % 3 === 0 ? all.length : all.length - 1;
    const form = all.slice(from, whole);
    return form.length < SHORTEST_PHASE ? [] : [form, form.replaceAll("+", "-").replaceAll("/", "_")];
  });
  const whole = bytes.toString("base64").replace(/=+$/, "");
  return [
    value,
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
    hex,
    hex.toUpperCase(),
    whole,
    ...phases,
  ];
}

function openPrefix(text: Buffer, needles: readonly Buffer[], longest: number): number {
  for (let keep = Math.min(longest - 1, text.length); keep > 0; keep -= 1) {
    const tail = text.subarray(text.length - keep);
    if (needles.some((needle) => needle.subarray(0, keep).equals(tail))) return keep;
  }
  return 0;
}

function replaceAll(text: Buffer, needle: Buffer, mark: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (let found = text.indexOf(needle); found >= 0; found = text.indexOf(needle, at)) {
    parts.push(text.subarray(at, found), mark);
    at = found + needle.length;
  }
  return parts.length === 0 ? text : Buffer.concat([...parts, text.subarray(at)]);
}
