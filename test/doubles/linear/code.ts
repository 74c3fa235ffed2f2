import type { Chat } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";

/** Has Ana ask for a code in Slack; the one that she alone sees. Older ones are of before. */
export async function codeForAna(chat: Chat): Promise<string> {
  const codes = async () => {
    const notes = (await chat.messages("shop")).filter((message) => message.is_ephemeral);
    return notes.flatMap((note) => /cslink_[\w-]+\.[\w-]+/.exec(JSON.stringify(note))?.[0] ?? []);
  };
  const before = (await codes()).length;
  await chat.ask("shop", "link linear");
  return until("the code that only Ana sees", async () => (await codes())[before] ?? null);
}
