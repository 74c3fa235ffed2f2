/** Everything the stand-in remembers, as a fold of its journal. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

/** Of what was read from JSON. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export interface SeedUser {
  readonly id: string;
  /** The handle without "@". */
  readonly name: string;
  readonly realName: string;
  readonly isBot: boolean;
  /** A guest: Slack's `is_restricted`. */
  readonly isGuest: boolean;
  /** One word for the page's switch: "requester". */
  readonly role: string;
  /** One sentence: what this person can do. */
  readonly can: string;
}

interface SeedExample {
  /** On the chip: two to four words. */
  readonly label: string;
  /** What will happen, in a few words. */
  readonly note: string;
  /** Filled into the composer; "@agent" is turned into a mention when it is sent. */
  readonly text: string;
}

export interface SeedChannel {
  readonly id: string;
  readonly name: string;
  readonly topic: string;
  readonly members: readonly string[];
  readonly examples: readonly SeedExample[];
}

export interface SeedGroup {
  readonly id: string;
  readonly handle: string;
  readonly name: string;
  readonly users: readonly string[];
}

export interface Seed {
  readonly team: { readonly id: string; readonly name: string; readonly domain: string };
  readonly app: {
    readonly id: string;
    readonly botId: string;
    readonly botUser: string;
    /** Its slash commands: "/agent". */
    readonly commands?: readonly string[];
  };
  readonly users: readonly SeedUser[];
  readonly channels: readonly SeedChannel[];
  readonly groups: readonly SeedGroup[];
}

/** An interactive element that a message shows or once showed. */
export interface Offered {
  readonly blockId: string;
  readonly actionId: string;
  readonly element: JsonObject;
}

interface Reaction {
  readonly name: string;
  readonly users: readonly string[];
}

export interface Message {
  readonly channel: string;
  readonly ts: string;
  readonly user: string;
  readonly text: string;
  readonly blocks: readonly JsonObject[];
  readonly attachments: readonly JsonObject[];
  /** `null` for a message of the channel itself; its own replies carry its `ts`. */
  readonly threadTs: string | null;
  readonly broadcast: boolean;
  readonly metadata: JsonObject | null;
  readonly edited: { readonly user: string; readonly ts: string } | null;
  readonly reactions: readonly Reaction[];
  /** For an ephemeral message: the one person who sees it. */
  readonly visibleTo: string | null;
  readonly streaming: boolean;
  readonly clientMsgId: string | null;
  /** What earlier versions offered: a person may click before their screen shows the edit. */
  readonly offered: readonly Offered[];
}

export interface OpenView {
  readonly id: string;
  readonly user: string;
  readonly hash: string;
  readonly rootId: string;
  readonly previousId: string | null;
  /** As the app sent it, with block and action ids filled in. */
  readonly view: JsonObject;
}

/** An event on its way to the app. */
export interface Delivery {
  readonly id: string;
  readonly type: string;
  readonly body: string;
  /** 0 for the first delivery, then the number of the retry. */
  readonly attempt: number;
  /** Slack's word for why there is a retry. */
  readonly reason: string | null;
  /** Epoch milliseconds. */
  readonly due: number;
}

/** A `response_url`. */
interface Hook {
  readonly id: string;
  readonly channel: string;
  readonly user: string;
  readonly messageTs: string;
  readonly threadTs: string | null;
  readonly uses: number;
  /** Epoch milliseconds. */
  readonly expires: number;
}

/** What `assistant.threads.setStatus` and `agents.sessions.setStatus` show in a thread. */
interface ThreadStatus {
  readonly channel: string;
  readonly threadTs: string;
  /** Free text; empty when cleared. */
  readonly text: string;
  readonly session: string | null;
}

export type Op =
  | { readonly op: "message"; readonly message: Message }
  | { readonly op: "gone"; readonly channel: string; readonly ts: string }
  | { readonly op: "view"; readonly view: OpenView }
  | { readonly op: "home"; readonly home: OpenView }
  | { readonly op: "view.closed"; readonly user: string; readonly ids: readonly string[] }
  | { readonly op: "delivery"; readonly delivery: Delivery }
  | { readonly op: "delivered"; readonly id: string }
  | { readonly op: "hook"; readonly hook: Hook }
  | { readonly op: "read"; readonly user: string; readonly place: string; readonly ts: string }
  | { readonly op: "status"; readonly status: ThreadStatus }
  | { readonly op: "group"; readonly id: string; readonly users: readonly string[] }
  | { readonly op: "reset" };

export interface World {
  readonly seed: Seed;
  /** By channel, then by ts. Ephemeral ones too. */
  readonly messages: Map<string, Map<string, Message>>;
  readonly views: Map<string, OpenView>;
  /** The app's Home by person. */
  readonly homes: Map<string, OpenView>;
  readonly deliveries: Map<string, Delivery>;
  readonly hooks: Map<string, Hook>;
  /** By `${user} ${place}`, where a place is a channel or `${channel}/${thread}`. */
  readonly reads: Map<string, string>;
  readonly statuses: Map<string, ThreadStatus>;
  readonly groups: Map<string, SeedGroup>;
  /** The newest ts ever given out, so that time going backwards never repeats one. */
  lastTs: string;
}

export function newWorld(seed: Seed): World {
  return {
    seed,
    messages: new Map(),
    views: new Map(),
    homes: new Map(),
    deliveries: new Map(),
    hooks: new Map(),
    reads: new Map(),
    statuses: new Map(),
    groups: new Map(seed.groups.map((group) => [group.id, group])),
    lastTs: "0000000000.000000",
  };
}

/** Applies one line of the journal. Every operation may be applied twice. */
export function apply(world: World, op: Op): void {
  switch (op.op) {
    case "message": {
      const channel = world.messages.get(op.message.channel) ?? new Map<string, Message>();
      channel.set(op.message.ts, op.message);
      world.messages.set(op.message.channel, channel);
      if (op.message.ts > world.lastTs) world.lastTs = op.message.ts;
      return;
    }
    case "gone":
      world.messages.get(op.channel)?.delete(op.ts);
      return;
    case "view":
      world.views.set(op.view.id, op.view);
      return;
    case "home":
      world.homes.set(op.home.user, op.home);
      return;
    case "view.closed":
      for (const id of op.ids) world.views.delete(id);
      return;
    case "delivery":
      world.deliveries.set(op.delivery.id, op.delivery);
      return;
    case "delivered":
      world.deliveries.delete(op.id);
      return;
    case "hook":
      world.hooks.set(op.hook.id, op.hook);
      return;
    case "read":
      world.reads.set(`${op.user} ${op.place}`, op.ts);
      return;
    case "status":
      world.statuses.set(`${op.status.channel}/${op.status.threadTs}`, op.status);
      return;
    case "group": {
      const group = world.groups.get(op.id);
      if (group) world.groups.set(op.id, { ...group, users: op.users });
      return;
    }
    case "reset":
      for (const map of [world.messages, world.views, world.homes, world.deliveries, world.hooks, world.reads])
        map.clear();
      world.statuses.clear();
      for (const group of world.seed.groups) world.groups.set(group.id, group);
      return;
  }
}

/** The operations that rebuild this world from nothing. */
export function* snapshot(world: World): Generator<Op> {
  for (const channel of world.messages.values())
    for (const message of channel.values()) yield { op: "message", message };
  for (const view of world.views.values()) yield { op: "view", view };
  for (const home of world.homes.values()) yield { op: "home", home };
  for (const delivery of world.deliveries.values()) yield { op: "delivery", delivery };
  for (const hook of world.hooks.values()) yield { op: "hook", hook };
  for (const [key, ts] of world.reads) {
    const [user = "", place = ""] = key.split(" ");
    yield { op: "read", user, place, ts };
  }
  for (const status of world.statuses.values()) yield { op: "status", status };
  for (const group of world.groups.values()) yield { op: "group", id: group.id, users: group.users };
}

export function findUser(world: World, id: string): SeedUser | undefined {
  return world.seed.users.find((user) => user.id === id);
}

/** Slack's ids of direct messages begin with a D: between one person and the app. */
export const isDirect = (channel: string): boolean => channel.startsWith("D");

export function findChannel(world: World, id: string): SeedChannel | undefined {
  return world.seed.channels.find((channel) => channel.id === id);
}

export function findMessage(world: World, channel: string, ts: string): Message | undefined {
  return world.messages.get(channel)?.get(ts);
}

/** All messages of a channel by time, replies and ephemeral ones included. */
export function messagesOf(world: World, channel: string): Message[] {
  return [...(world.messages.get(channel)?.values() ?? [])].sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

/** One person's open modals, the first one first. */
export function viewsOf(world: World, user: string): OpenView[] {
  return [...world.views.values()].filter((view) => view.user === user);
}
