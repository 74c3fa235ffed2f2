import { expect, test } from "vitest";
import { type Chat, ChatUnavailable } from "#ports/chat.ts";
import type { InHand } from "#runs/in-hand.ts";
import { deliver, showInHand } from "#runs/life/deliver.ts";
import { tell } from "#runs/record/tell.ts";
import { hear } from "#runs/request/hear.ts";
import { stop } from "#runs/request/stop.ts";
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

test("a new run's first message goes out as it was recorded, and is there for others when it could not be shown", async () => {
  const house = await memoryHouse();
  const inHand: InHand[] = [];
  const says = (text: string, thread: string) => {
    const place = { provider: "slack", workspace: "T0LOCAL", channel: "C0SHOP", thread } as const;
    const heard = { account: ANA, place, first: true, requestKey: thread, text, shared: false, direct: false };
    return hear({ ...house.core, hand: (message) => inHand.push(message) }, heard);
  };
  expect(await says("mend the cart", "1.5")).toBeNull();
  expect(await says("mend the cart", "1.5")).toBeNull();
  expect(await says("mend the basket", "2.5")).toBeNull();
  expect(inHand).toHaveLength(2);
  const [cart, basket] = inHand;
  if (!cart || !basket) throw new Error("nothing was handed over");
  const views: View[] = [];
  const show: Show = async (key, _place, view) => {
    views.push(view);
    return { messageId: key };
  };
  // What happened since is of no interest to the first message: nothing is read.
  const blind = { ...house.core.stores.runs, get: () => Promise.reject(new Error("nothing should be read")) };
  const core = { ...house.core, stores: { ...house.core.stores, runs: blind } };
  await showInHand(core, chatOf(show), cart);
  expect(views).toMatchObject([{ kind: "status", facts: { state: "requested", request: { text: "mend the cart" } } }]);
  const refused = chatOf(async () => {
    throw new ChatUnavailable("not now", { retryAfterMs: 0 });
  });
  await showInHand(core, refused, basket);
  const later = await house.show();
  expect(later.get(basket.row.key)).toMatchObject({ kind: "status", facts: { request: { text: "mend the basket" } } });
  await house.close();
});

/** Ends a wait when it is told to, at once; else after the time it was given, which nobody here waits for. */
const ended = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve());
  });

test("what is wanted while an older state is being shown follows without anybody ringing", async () => {
  const house = await memoryHouse();
  await house.say(ANA, "mend the cart");
  const run = await house.until("waiting");
  await house.show();
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const done = new AbortController();
  const states: string[] = [];
  const show: Show = async (key, _place, view, before) => {
    if (view.kind !== "status") return { messageId: before ?? key };
    states.push(view.facts.state);
    if (states.length === 1) {
      first.resolve();
      await second.promise;
    } else done.abort();
    return { messageId: before ?? key };
  };
  await house.core.store.tx((tx) => tell(house.core, tx, run, "status"));
  const delivered = deliver(house.core, chatOf(show), (_ms, signal) => ended(signal), done.signal);
  await first.promise;
  await stop(house.core, { runId: run.id, account: ANA, place: run.place });
  await house.until("cancelled");
  second.resolve();
  await delivered;
  expect(states).toEqual(["waiting", "cancelled"]);
  await house.close();
});

test("what was put off is looked at when its time has come, and the end of a run does not wait for that", async () => {
  const house = await memoryHouse();
  await house.say(ANA, "mend the cart");
  const run = await house.until("waiting");
  await house.show();
  const done = new AbortController();
  const states: string[] = [];
  const show: Show = async (key, _place, view, before) => {
    if (view.kind !== "status") return { messageId: before ?? key };
    states.push(view.facts.state);
    if (view.facts.state === "waiting") throw new ChatUnavailable("no room", { retryAfterMs: 60_000 });
    done.abort();
    return { messageId: before ?? key };
  };
  await house.core.store.tx((tx) => tell(house.core, tx, run, "status"));
  const bell = async (_ms: number, signal: AbortSignal) => {
    if (states.length === 0) return;
    await stop(house.core, { runId: run.id, account: ANA, place: run.place });
    await house.until("cancelled");
    if (states.length > 1) await ended(signal);
  };
  await deliver(house.core, chatOf(show), bell, done.signal);
  expect(states).toEqual(["waiting", "cancelled"]);
  await house.close();
});

test("nobody sleeps longer than what was put off needs", async () => {
  const house = await memoryHouse();
  await house.say(ANA, "mend the cart");
  await house.until("waiting");
  const done = new AbortController();
  const refused = chatOf(async () => {
    throw new ChatUnavailable("no room", { retryAfterMs: 300 });
  });
  const slept: number[] = [];
  const bell = async (ms: number, signal: AbortSignal) => {
    slept.push(ms);
    if (slept.length === 1) return ended(signal);
    done.abort();
  };
  await deliver(house.core, refused, bell, done.signal);
  expect(slept[0]).toBe(1_000);
  expect(slept[1]).toBeGreaterThanOrEqual(0);
  expect(slept[1]).toBeLessThanOrEqual(300);
  await house.close();
});
