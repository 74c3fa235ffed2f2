import type { ModalView } from "@slack/types";
import { z } from "zod";
import type { Place } from "#ports/chat.ts";
import { DENY_MODAL } from "./acts.ts";

const BLOCK = "reason";
const INPUT = "text";
/** Long enough for a paragraph, short enough to be read on a card. */
const REASON_MOST = 500;

/** What the modal remembers of the click that opened it. */
const Memory = z.strictObject({
  approvalId: z.string(),
  digest: z.string(),
  place: z.strictObject({ provider: z.string(), workspace: z.string(), channel: z.string(), thread: z.string() }),
});
export interface DenyMemory {
  readonly approvalId: string;
  readonly digest: string;
  readonly place: Place;
}

/** Asks for a reason before a denial counts. */
export function denyModal(memory: DenyMemory): ModalView {
  return {
    type: "modal",
    callback_id: DENY_MODAL,
    private_metadata: JSON.stringify(memory),
    title: { type: "plain_text", text: "Deny", emoji: false },
    submit: { type: "plain_text", text: "Deny", emoji: false },
    close: { type: "plain_text", text: "Keep it open", emoji: false },
    blocks: [
      {
        type: "input",
        block_id: BLOCK,
        label: { type: "plain_text", text: "Why not?", emoji: false },
        hint: {
          type: "plain_text",
          text: "The requester reads this in the thread, and it is kept in the record.",
          emoji: false,
        },
        element: {
          type: "plain_text_input",
          action_id: INPUT,
          multiline: true,
          min_length: 1,
          max_length: REASON_MOST,
          focus_on_load: true,
          placeholder: { type: "plain_text", text: "What would make it right", emoji: false },
        },
      },
    ],
  };
}

const Filled = z.object({
  private_metadata: z.string(),
  state: z.object({
    values: z.object({ [BLOCK]: z.object({ [INPUT]: z.object({ value: z.string().nullish() }) }) }),
  }),
});

/** The submitted reason with what the modal remembered. `null` when it is not a modal of ours. */
export function readDeny(view: unknown): (DenyMemory & { readonly reason: string }) | null {
  const filled = Filled.safeParse(view);
  if (!filled.success) return null;
  const memory = Memory.safeParse(parsed(filled.data.private_metadata));
  if (!memory.success) return null;
  return { ...memory.data, reason: (filled.data.state.values[BLOCK][INPUT].value ?? "").trim().slice(0, REASON_MOST) };
}

/** What Slack should show beside the input instead of closing the modal; `null` when the form is good. */
export function complaintAbout(view: unknown): Readonly<Record<string, unknown>> | null {
  const read = readDeny(view);
  if (read !== null && read.reason !== "") return null;
  const words = read === null ? "This form is from an older version. Close it and press Deny again." : "Say why.";
  return complaintOf(words);
}

/** Words beside the input; the modal stays open. */
export const complaintOf = (words: string): Readonly<Record<string, unknown>> => ({
  response_action: "errors",
  errors: { [BLOCK]: words },
});

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
