import { announceChange, announceDeletion, announceMessage, announceReaction } from "./events.ts";
import type { House } from "./house.ts";
import { interactive, withIds } from "./ids.ts";
import { findMessage, type JsonObject, type Message, type Offered } from "./world.ts";

/** What happens to messages, whoever does it: written down first, then told to the app. */

/** Enough for every button a card ever showed; older ones are forgotten. */
const OFFERED_KEPT = 60;

export interface NewMessage {
  readonly channel: string;
  readonly user: string;
  readonly text: string;
  readonly blocks?: readonly JsonObject[];
  readonly attachments?: readonly JsonObject[];
  readonly threadTs?: string | null;
  readonly broadcast?: boolean;
  readonly metadata?: JsonObject | null;
  readonly visibleTo?: string | null;
  readonly streaming?: boolean;
  readonly clientMsgId?: string | null;
}

export function post(house: House, given: NewMessage): Message {
  const ts = house.journal.nextTs();
  const blocks = withIds(given.blocks ?? [], given.channel);
  const message: Message = {
    channel: given.channel,
    ts,
    user: given.user,
    text: given.text,
    blocks,
    attachments: given.attachments ?? [],
    threadTs: given.threadTs ?? null,
    broadcast: given.broadcast ?? false,
    metadata: given.metadata ?? null,
    edited: null,
    reactions: [],
    visibleTo: given.visibleTo ?? null,
    streaming: given.streaming ?? false,
    clientMsgId: given.clientMsgId ?? null,
    offered: interactive(blocks),
  };
  house.journal.commit({ op: "message", message });
  // Nobody but the one person hears of an ephemeral message, the app least of all.
  if (message.visibleTo === null) announceMessage(house, message);
  return message;
}

function offeredBy(blocks: readonly JsonObject[], earlier: readonly Offered[]): Offered[] {
  const now = interactive(blocks);
  const known = new Set(now.map((offer) => JSON.stringify(offer)));
  return [...now, ...earlier.filter((offer) => !known.has(JSON.stringify(offer)))].slice(0, OFFERED_KEPT);
}

export function edit(
  house: House,
  before: Message,
  change: Partial<Pick<Message, "text" | "blocks" | "attachments" | "metadata" | "streaming">>,
): Message {
  const blocks = change.blocks ? withIds(change.blocks, before.channel) : before.blocks;
  const after: Message = {
    ...before,
    ...change,
    blocks,
    edited: { user: before.user, ts: house.journal.nextTs() },
    offered: offeredBy(blocks, before.offered),
  };
  house.journal.commit({ op: "message", message: after });
  if (after.visibleTo === null) announceChange(house, before, after);
  return after;
}

export function remove(house: House, message: Message): void {
  house.journal.commit({ op: "gone", channel: message.channel, ts: message.ts });
  if (message.visibleTo === null) announceDeletion(house, message);
}

/** Adds or takes back one person's reaction. Returns Slack's error when there is nothing to do. */
export function react(
  house: House,
  o: { channel: string; ts: string; user: string; name: string; add: boolean },
): "already_reacted" | "no_reaction" | "message_not_found" | null {
  const message = findMessage(house.world, o.channel, o.ts);
  if (!message || message.visibleTo !== null) return "message_not_found";
  const mine = message.reactions.find((reaction) => reaction.name === o.name);
  const has = mine?.users.includes(o.user) ?? false;
  if (has === o.add) return o.add ? "already_reacted" : "no_reaction";
  const users = o.add ? [...(mine?.users ?? []), o.user] : (mine?.users ?? []).filter((user) => user !== o.user);
  const reactions = mine
    ? message.reactions.map((reaction) => (reaction.name === o.name ? { name: o.name, users } : reaction))
    : [...message.reactions, { name: o.name, users }];
  const after: Message = { ...message, reactions: reactions.filter((reaction) => reaction.users.length > 0) };
  house.journal.commit({ op: "message", message: after });
  announceReaction(house, o.add ? "reaction_added" : "reaction_removed", {
    user: o.user,
    name: o.name,
    message: after,
  });
  return null;
}
