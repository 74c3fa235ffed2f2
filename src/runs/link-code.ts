import { randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { LINK_PLACES, type LinkPlace } from "#policy/linked.ts";
import type { ExternalId } from "#ports/directory.ts";

/** A code that links an account elsewhere with the chat account that it was made for. */
export interface LinkCode {
  readonly owner: ExternalId;
  readonly until: Date;
  /** No other code has it. */
  readonly nonce: string;
  /** The one place where it is good. */
  readonly place: LinkPlace;
}

/** Hardly a word that anybody writes by chance; what looks like one is kept out of every record (`redact.ts`). */
const CODE = /\bcslink_([A-Za-z0-9_-]{20,600})\.([A-Za-z0-9_-]{20,100})/;

/** What a code says: whose it is, until when, its nonce and its place. */
const Said = z.tuple([z.string(), z.string(), z.string(), z.number(), z.string(), z.enum(LINK_PLACES)]);

/** A new code. `mac`: a keyed hash of the installation's own. */
export function newCode(mac: (text: string) => string, { owner, until, place }: Omit<LinkCode, "nonce">): string {
  const nonce = randomBytes(12).toString("base64url");
  const said: z.infer<typeof Said> = [owner.provider, owner.workspace, owner.id, until.getTime(), nonce, place];
  const text = Buffer.from(JSON.stringify(said)).toString("base64url");
  return `cslink_${text}.${mac(text)}`;
}

/** What the first code in a text says; `null`: there is none, or it is none that we made. */
export function readCode(mac: (text: string) => string, text: string): LinkCode | null {
  const [, said = "", signature = ""] = CODE.exec(text) ?? [];
  if (said === "") return null;
  const [given, expected] = [Buffer.from(signature), Buffer.from(mac(said))];
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const read = Said.safeParse(JSON.parse(Buffer.from(said, "base64url").toString("utf8")));
  if (!read.success) return null;
  const [provider, workspace, id, until, nonce, place] = read.data;
  return { owner: { provider, workspace, id }, until: new Date(until), nonce, place };
}

/** Whether somebody wrote what could be a code: it is shown to nobody and handed to no agent. */
export const hasCode = (text: string): boolean => text.includes("cslink_");

/** The first that could be a code, without the words around it; `null`: there is none. */
export const codeIn = (text: string): string | null => CODE.exec(text)?.[0] ?? null;
