import { randomUUID } from "node:crypto";
import { announceStop } from "./events.ts";
import type { House } from "./house.ts";
import { Impossible, person, seenBy } from "./interact.ts";
import { post, react } from "./posting.ts";
import { asRichText, asSlackText } from "./text.ts";
import { findChannel, findMessage, type Message, messagesOf, type SeedChannel, type SeedUser } from "./world.ts";

/** What people do apart from clicking: write, react, stop, read. Every refusal says what to do instead. */

/** Slack's composer stops here and sends the rest as another message. */
const TYPED_MOST = 12_000;

export function channelFor(house: House, user: SeedUser, given: string): SeedChannel {
  const name = given.replace(/^#/, "");
  const channel =
    findChannel(house.world, given) ?? house.world.seed.channels.find((candidate) => candidate.name === name);
  if (!channel) {
    const known = house.world.seed.channels.map((candidate) => `${candidate.id} (#${candidate.name})`).join(", ");
    throw new Impossible(`No channel "${given}". Use one of ${known}.`);
  }
  if (!channel.members.includes(user.id)) throw new Impossible(`${user.realName} is not in #${channel.name}.`);
  return channel;
}

/** Writes a message as a person. `text` may say "@agent". Throws `Impossible`. */
export function write(
  house: House,
  given: { user: string; channel: string; text: string; threadTs: string | null },
): Message {
  const user = person(house, given.user);
  const channel = channelFor(house, user, given.channel);
  if (given.text.trim() === "") throw new Impossible("The text is empty.");
  if (given.text.length > TYPED_MOST)
    throw new Impossible(`The text is longer than ${TYPED_MOST} characters. Split it.`);
  const asked = given.threadTs === null ? null : findMessage(house.world, channel.id, given.threadTs);
  if (asked === undefined || asked?.visibleTo) {
    throw new Impossible(
      `No thread ${given.threadTs} in #${channel.name}. GET /_control/messages/${channel.id} lists the messages.`,
    );
  }
  const text = asSlackText(house.world, given.text);
  const message = post(house, {
    channel: channel.id,
    user: user.id,
    text,
    blocks: [asRichText(text)],
    threadTs: asked === null ? null : (asked.threadTs ?? asked.ts),
    clientMsgId: randomUUID(),
  });
  house.journal.log("person", {
    act: "message",
    user: user.id,
    channel: channel.id,
    ts: message.ts,
    thread_ts: message.threadTs,
    text,
  });
  return message;
}

export function reactAs(
  house: House,
  given: { user: string; channel: string; ts: string; name: string; add: boolean },
): void {
  const user = person(house, given.user);
  const channel = channelFor(house, user, given.channel);
  seenBy(house, user, channel.id, given.ts);
  const error = react(house, { channel: channel.id, ts: given.ts, user: user.id, name: given.name, add: given.add });
  if (error) throw new Impossible(`Slack says ${error}.`);
  const act = given.add ? "reaction" : "reaction taken back";
  house.journal.log("person", { act, user: user.id, channel: channel.id, ts: given.ts, name: given.name });
}

export function pressStop(house: House, given: { user: string; channel: string; threadTs: string }): void {
  const user = person(house, given.user);
  const channel = channelFor(house, user, given.channel);
  const status = house.world.statuses.get(`${channel.id}/${given.threadTs}`);
  if (status?.session !== "processing")
    throw new Impossible("Nothing is working in this thread, so there is nothing to stop.");
  const streaming = messagesOf(house.world, channel.id)
    .filter((message) => message.threadTs === given.threadTs && message.streaming)
    .map((message) => message.ts);
  house.journal.log("person", { act: "stop", user: user.id, channel: channel.id, thread_ts: given.threadTs });
  announceStop(house, { user: user.id, channel: channel.id, threadTs: given.threadTs, streaming });
}

export function markRead(
  house: House,
  given: { user: string; channel: string; threadTs: string | null; ts: string },
): void {
  const user = person(house, given.user);
  const channel = channelFor(house, user, given.channel);
  const place = given.threadTs === null ? channel.id : `${channel.id}/${given.threadTs}`;
  const known = house.world.reads.get(`${user.id} ${place}`) ?? "";
  if (given.ts > known) house.journal.commit({ op: "read", user: user.id, place, ts: given.ts });
}
