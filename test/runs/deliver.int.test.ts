import { expect, test } from "vitest";
import { type Chat, ChatUnavailable } from "#ports/chat.ts";
import { deliver } from "#runs/deliver.ts";
import type { View } from "#runs/view.ts";
import { ANA, memoryHouse } from "./memory-house.ts";

type Show = Chat<View>["show"];

const chatOf = (show: Show): Chat<View> => ({ show, whisper: async () => undefined });

test("a message that is slow holds up nobody else's", async () => {
  const house = await memoryHouse();
  const order: string[] = [];
  const second = Promise.withResolvers<void>();
  const show: Show = async (key) => {
    const first = order.length === 0;
    order.push(key);
    if (first) await second.promise;
    else second.resolve();
    return { messageId: key };
  };
  await house.say(ANA, "mend the cart");
  const done = new AbortController();
  let rings = 0;
  const bell = async () => {
    rings += 1;
    // Nothing more is due and the first message still hangs: now another one is wanted.
    if (rings === 1) await house.say(ANA, "mend the basket");
    else await second.promise.then(() => done.abort());
  };
  await deliver(house.core, chatOf(show), bell, done.signal);
  expect(order.length).toBeGreaterThan(1);
  await house.close();
});

test("what could not be shown stays due, and an outage of our own store is thrown", async () => {
  const house = await memoryHouse();
  await house.say(ANA, "mend the cart");
  const done = new AbortController();
  const refused = chatOf(async () => {
    throw new ChatUnavailable("not now", { retryAfterMs: 0 });
  });
  await deliver(house.core, refused, async () => done.abort(), done.signal);
  expect([...(await house.show()).keys()].some((key) => key.endsWith(":status"))).toBe(true);

  await house.say(ANA, "mend the basket");
  const broken = { ...house.core.stores.outbox, later: () => Promise.reject(new Error("the store is away")) };
  const core = { ...house.core, stores: { ...house.core.stores, outbox: broken } };
  await expect(deliver(core, refused, async () => undefined, new AbortController().signal)).rejects.toThrow("away");
  await house.close();
});
