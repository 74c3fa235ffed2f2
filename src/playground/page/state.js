// @ts-check
/** What the page knows, how it asks, and how it hears of changes. */

/** @import { Channel, Group, Message, Status, User, View, Workspace } from "./types.js" */

/**
 * @typedef {object} State
 * @property {Workspace} space
 * @property {Map<string, User>} users
 * @property {Map<string, Channel>} channels
 * @property {Map<string, Group>} groups
 * @property {Map<string, Map<string, Message>>} messages by channel, then ts
 * @property {Map<string, { user: string, view: View }>} views
 * @property {Map<string, View>} homes the app's Home, by person
 * @property {boolean} home it is open, in place of the channel
 * @property {Map<string, string>} reads
 * @property {Map<string, Status>} statuses
 * @property {Set<string>} dismissed ephemeral notes put away, by channel and ts
 * @property {number} waiting events the app has not answered
 * @property {boolean} connected
 * @property {string} me
 * @property {string} channel
 * @property {string | null} thread
 */

const PERSON_COOKIE = "playground_user";

/** @param {string} path @param {object} body @returns {Promise<Record<string, any>>} `ok` is false when it could not be done */
export async function ask(path, body) {
  try {
    const response = await fetch(`/_control/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return await response.json();
  } catch {
    return { ok: false, error: "The server does not answer. Is it still running?" };
  }
}

function personFromCookie() {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${PERSON_COOKIE}=`));
  return found?.slice(PERSON_COOKIE.length + 1) ?? "";
}

/** @param {string} user */
export function rememberPerson(user) {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser, and other local pages read this
  document.cookie = `${PERSON_COOKIE}=${user}; path=/; SameSite=Strict`;
}

/** Channel and thread from the address: `/archives/C0SITE/p1760000000000100`, or `#C0SITE/1760000000.000100`. */
function placeFromAddress() {
  const [, channel, digits] = /^\/archives\/([A-Z0-9]+)\/p(\d{16})$/.exec(location.pathname) ?? [];
  if (channel && digits) {
    const ts = `${digits.slice(0, 10)}.${digits.slice(10)}`;
    return { channel, thread: new URLSearchParams(location.search).get("thread_ts") ?? ts };
  }
  const [inHash = "", thread] = location.hash.slice(1).split("/");
  return { channel: inHash, thread: thread ?? null };
}

/** @returns {Promise<State>} */
export async function load() {
  const response = await fetch("/playground/state");
  if (!response.ok) throw new Error(`The server answered ${response.status}. Open the address that npm start printed.`);
  /** @type {Workspace} */
  const space = await response.json();
  /** @type {Map<string, Map<string, Message>>} */
  const messages = new Map(space.channels.map((channel) => [channel.id, new Map()]));
  for (const message of space.messages) messages.get(message.channel)?.set(message.ts, message);
  const people = space.users.filter((user) => !user.is_bot);
  const me = people.find((user) => user.id === personFromCookie())?.id ?? people[0]?.id ?? "";
  const place = placeFromAddress();
  const channels = new Map(space.channels.map((channel) => [channel.id, channel]));
  const mine = space.channels.filter((channel) => channel.members.includes(me));
  const channel = channels.get(place.channel)?.members.includes(me) ? place.channel : (mine[0]?.id ?? "");
  const root = place.thread === null ? null : (messages.get(channel)?.get(place.thread) ?? null);
  return {
    space,
    users: new Map(space.users.map((user) => [user.id, user])),
    channels,
    groups: new Map(space.groups.map((group) => [group.id, group])),
    messages,
    views: new Map(space.views.map((open) => [open.view.id, open])),
    homes: new Map(space.homes.map((home) => [home.user, home.view])),
    home: location.hash === "#home",
    reads: new Map(Object.entries(space.reads)),
    statuses: new Map(space.statuses.map((status) => [`${status.channel}/${status.threadTs}`, status])),
    dismissed: new Set(),
    waiting: space.trouble.waiting,
    connected: true,
    me,
    channel,
    thread: root && isRoot(root) ? root.ts : (root?.thread_ts ?? null),
  };
}

/** @param {Message} message */
export const isRoot = (message) => !message.thread_ts || message.thread_ts === message.ts;

/**
 * @param {State} state
 * @param {(message: Message | null) => void} changed after each change, with the message that is new, if one is
 * @param {() => void} reload when everything must be asked for again
 */
export function listen(state, changed, reload) {
  const stream = new EventSource("/playground/live");
  let first = true;
  stream.addEventListener("hello", () => {
    // What happened while we were away is not told again.
    if (!first) reload();
    first = false;
  });
  stream.addEventListener("error", () => {
    state.connected = false;
    changed(null);
  });
  stream.addEventListener("message", (event) => {
    const change = JSON.parse(event.data);
    if (change.kind === "reload") return reload();
    changed(applyChange(state, change));
  });
}

/** @param {State} state @param {any} change @returns {Message | null} */
function applyChange(state, change) {
  switch (change.kind) {
    case "message": {
      const channel = state.messages.get(change.message.channel);
      const isNew = channel !== undefined && !channel.has(change.message.ts);
      channel?.set(change.message.ts, change.message);
      return isNew ? change.message : null;
    }
    case "gone":
      state.messages.get(change.channel)?.delete(change.ts);
      return null;
    case "view":
      state.views.set(change.view.id, { user: change.user, view: change.view });
      return null;
    case "home":
      state.homes.set(change.user, change.view);
      return null;
    case "view.closed":
      for (const id of change.ids) state.views.delete(id);
      return null;
    case "read":
      state.reads.set(`${change.user} ${change.place}`, change.ts);
      return null;
    case "status":
      state.statuses.set(`${change.status.channel}/${change.status.threadTs}`, change.status);
      return null;
    case "trouble":
      state.waiting = change.waiting;
      return null;
    default:
      return null;
  }
}

/** Messages of a channel that this person may see, by time. @param {State} state @param {string} channel @param {string} user */
export function visible(state, channel, user) {
  return [...(state.messages.get(channel)?.values() ?? [])]
    .filter((message) => message.visible_to === null || message.visible_to.includes(user))
    .filter((message) => !state.dismissed.has(`${message.channel}/${message.ts}`))
    .sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

/** @param {State} state @param {Message} message @param {string} user */
function isUnread(state, message, user) {
  if (message.user === user) return false;
  const place = isRoot(message) ? message.channel : `${message.channel}/${message.thread_ts}`;
  return message.ts > (state.reads.get(`${user} ${place}`) ?? "");
}

/** @param {State} state @param {Message} message @param {string} user */
function concerns(state, message, user) {
  if (message.is_ephemeral) return true;
  const said = message.text + JSON.stringify(message.blocks ?? []);
  if (said.includes(`<@${user}>`) || said.includes(`"user_id":"${user}"`)) return true;
  return [...state.groups.values()].some(
    (group) => group.users.includes(user) && said.includes(`<!subteam^${group.id}`),
  );
}

/**
 * What a person has not read: all of it, and what names them or a group of theirs.
 * @param {State} state @param {string} user @param {string} [channel] everywhere when left out
 */
export function unread(state, user, channel) {
  const channels = [...state.channels.values()].filter(
    (c) => c.members.includes(user) && (!channel || c.id === channel),
  );
  const messages = channels
    .flatMap((c) => visible(state, c.id, user))
    .filter((message) => isUnread(state, message, user));
  return { all: messages.length, naming: messages.filter((message) => concerns(state, message, user)).length };
}

/** @param {State} state @param {string} root @returns {boolean} */
export function threadUnread(state, root) {
  return visible(state, state.channel, state.me).some(
    (m) => m.thread_ts === root && m.ts !== root && isUnread(state, m, state.me),
  );
}

/** Tells the server what the person has now in front of them. @param {State} state */
export function markSeen(state) {
  if (document.visibilityState !== "visible") return;
  const shown = visible(state, state.channel, state.me);
  const places = [
    { place: state.channel, thread: null, newest: shown.filter(isRoot).at(-1)?.ts },
    ...(state.thread === null
      ? []
      : [
          {
            place: `${state.channel}/${state.thread}`,
            thread: state.thread,
            newest: shown.filter((message) => message.thread_ts === state.thread && message.ts !== state.thread).at(-1)
              ?.ts,
          },
        ]),
  ];
  for (const { place, thread, newest } of places) {
    const key = `${state.me} ${place}`;
    if (newest === undefined || newest <= (state.reads.get(key) ?? "")) continue;
    state.reads.set(key, newest);
    void ask("read", {
      channel: state.channel,
      user: state.me,
      ts: newest,
      ...(thread === null ? {} : { thread_ts: thread }),
    });
  }
}
