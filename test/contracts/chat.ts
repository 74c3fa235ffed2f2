import { describe, expect, test } from "vitest";
import { type Chat, ChatUnavailable, type Place } from "#ports/chat.ts";

/** A chat under test, with eyes on what people see. `View`s come from whoever runs the contract. */
export interface ChatWorld<View> {
  readonly chat: Chat<View>;
  readonly place: Place;
  /** Two views of the same thing, that read differently. */
  readonly first: View;
  readonly second: View;
  /** Texts of the messages in the thread, in order. */
  messages(): readonly string[];
  /** Who was whispered to, and what. */
  whispers(): readonly { readonly to: string; readonly text: string }[];
  /** The next post is shown and its answer lost. */
  loseNextAnswer(): void;
  /** The next call does not get through at all. */
  cutNext(): void;
  /** A new process with the same people and messages. */
  restarted(): Chat<View>;
  /** Time passes; longer than any worker's claim. */
  later(): void;
}

/** What the outbox may rely on. */
export function chatContract<View>(name: string, world: () => ChatWorld<View>): void {
  describe(`chat: ${name}`, () => {
    test("a message is posted once and edited in place", async () => {
      const { chat, place, first, second, messages, later } = world();
      const { messageId } = await chat.show("slack:run:status", place, first, null);
      expect(messages()).toHaveLength(1);
      const before = messages()[0];
      later();
      expect(await chat.show("slack:run:status", place, second, messageId)).toEqual({ messageId });
      expect(messages()).toHaveLength(1);
      expect(messages()[0]).not.toBe(before);
    });

    test("two keys are two messages", async () => {
      const { chat, place, first, messages } = world();
      const one = await chat.show("slack:run:status", place, first, null);
      const two = await chat.show("slack:run:outcome", place, first, null);
      expect(one.messageId).not.toBe(two.messageId);
      expect(messages()).toHaveLength(2);
    });

    test("a post whose answer was lost is found again, not posted again", async () => {
      const { chat, place, first, messages, loseNextAnswer } = world();
      loseNextAnswer();
      await expect(chat.show("slack:run:status", place, first, null)).rejects.toThrow(ChatUnavailable);
      expect(messages()).toHaveLength(1);
      await chat.show("slack:run:status", place, first, null);
      expect(messages()).toHaveLength(1);
    });

    test("a crash between posting and recording leaves one message", async () => {
      const { chat, place, first, messages, restarted, later } = world();
      const { messageId } = await chat.show("slack:run:status", place, first, null);
      later();
      expect(await restarted().show("slack:run:status", place, first, null)).toEqual({ messageId });
      expect(messages()).toHaveLength(1);
    });

    test("what did not get through is said so, and shown the next time", async () => {
      const { chat, place, first, messages, cutNext } = world();
      cutNext();
      await expect(chat.show("slack:run:status", place, first, null)).rejects.toThrow(ChatUnavailable);
      expect(messages()).toHaveLength(0);
      await chat.show("slack:run:status", place, first, null);
      expect(messages()).toHaveLength(1);
    });

    test("a whisper reaches one person and is no message", async () => {
      const { chat, place, first, messages, whispers } = world();
      await chat.whisper(place, { provider: place.provider, workspace: place.workspace, id: "U0ANA" }, first);
      expect(whispers().map((one) => one.to)).toEqual(["U0ANA"]);
      expect(messages()).toHaveLength(0);
    });
  });
}
