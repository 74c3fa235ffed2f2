import { z } from "zod";
import { parse } from "#runs/say.ts";
import { isStopWord } from "./speech.ts";

/** https://docs.slack.dev/interactivity/implementing-slash-commands; `received_at` is ours. */
const Body = z.object({
  command: z.string().regex(/^\/\S{1,40}$/),
  text: z.string().default(""),
  team_id: z.string(),
  channel_id: z.string(),
  user_id: z.string(),
  trigger_id: z.string().min(1),
  received_at: z.iso.datetime().optional(),
});

/** A slash command as a person typed it. It has no thread: Slack takes none there. */
export interface Command {
  readonly workspace: string;
  /** "/agent". */
  readonly name: string;
  /** As Slack has it, with its entities. */
  readonly text: string;
  readonly user: string;
  readonly channel: string;
  /** Slack's, and different each time. */
  readonly trigger: string;
  /** When we took it; `null` before it was kept. */
  readonly receivedAt: Date | null;
}

/** `null` when it is none. */
export function commandOf(body: unknown): Command | null {
  const parsed = Body.safeParse(body);
  if (!parsed.success) return null;
  const { command, text, team_id, channel_id, user_id, trigger_id, received_at } = parsed.data;
  return {
    workspace: team_id,
    name: command,
    text,
    user: user_id,
    channel: channel_id,
    trigger: trigger_id,
    receivedAt: received_at === undefined ? null : new Date(received_at),
  };
}

/** What the words after a slash command ask for. */
export type Asked =
  /** A task, as it would follow a mention. */
  | { readonly kind: "run"; readonly text: string }
  | { readonly kind: "stop"; readonly number: number }
  /** Words that the core has an answer to. */
  | { readonly kind: "say"; readonly text: string }
  /** Not understood: `why` says what is missing. */
  | { readonly kind: "usage"; readonly why: "no_task" | "no_number" | "unknown" };

/**
 * Reads what follows the command, free of Slack's entities. Every text leads to one of these. The words are those of a mention;
 * what a mention says by its thread, a command says with a word more: which run to stop, and that a run is to begin.
 */
export function asked(text: string): Asked {
  const trimmed = text.trim();
  const said = parse(trimmed);
  if (said.kind !== "task" && said.kind !== "stop") return { kind: "say", text: trimmed };
  const [, word = "", rest = ""] = /^(\S+)\s*([\s\S]*)$/.exec(trimmed) ?? [];
  if (isStopWord(word)) {
    const number = /^#?(\d{1,9})$/.exec(rest)?.[1];
    return number === undefined ? { kind: "usage", why: "no_number" } : { kind: "stop", number: Number(number) };
  }
  if (word.toLowerCase() !== "run") return { kind: "usage", why: "unknown" };
  return rest === "" ? { kind: "usage", why: "no_task" } : { kind: "run", text: rest };
}
