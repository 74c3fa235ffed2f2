// @ts-check
/** The channel in the middle, and the thread beside it. */

import { composer } from "./composer.js";
import { byId, h, keyed } from "./dom.js";
import { icon } from "./icons.js";
import { avatar, day, renderMessage } from "./message.js";
import { ask, isRoot, threadUnread, visible } from "./state.js";

/** @import { State } from "./state.js" */
/** @import { Message } from "./types.js" */

/**
 * @typedef {object} Hooks
 * @property {(ts: string) => void} openThread
 * @property {(ts: string) => void} expectAnswer opens the thread once an answer is in it
 * @property {() => void} closeThread
 * @property {(message: Message) => void} dismiss
 */

/** Messages by one person within this many seconds stand together. */
const TOGETHER_SECONDS = 300;

/** @param {State} state @param {Message[]} messages @param {{ days: boolean, openThread: ((ts: string) => void) | null, dismiss: Hooks["dismiss"] }} o */
function rows(state, messages, o) {
  /** @type {{ key: string, version: string, make: () => HTMLElement }[]} */
  const items = [];
  let before = /** @type {Message | null} */ (null);
  for (const message of messages) {
    if (o.days && (before === null || day(before.ts) !== day(message.ts))) {
      const label = day(message.ts);
      items.push({
        key: `day ${label}`,
        version: label,
        make: () => h("div", { class: "day", role: "separator" }, h("span", {}, label)),
      });
      before = null;
    }
    const compact =
      before !== null &&
      before.user === message.user &&
      !message.is_ephemeral &&
      !before.is_ephemeral &&
      Number(message.ts) - Number(before.ts) < TOGETHER_SECONDS &&
      !before.reply_count;
    const status = o.openThread ? state.statuses.get(`${message.channel}/${message.ts}`) : undefined;
    items.push({
      key: message.ts,
      version: JSON.stringify([
        message,
        state.me,
        compact,
        status,
        o.openThread ? threadUnread(state, message.ts) : false,
      ]),
      make: () => renderMessage(state, message, { compact, openThread: o.openThread, dismiss: o.dismiss }),
    });
    before = message;
  }
  return items;
}

/** Lists whose reader is at the end. @type {WeakSet<HTMLElement>} */
const followed = new WeakSet();

/** @param {HTMLElement} list */
const isAtEnd = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 60;

/** @param {HTMLElement} list */
function toEnd(list) {
  followed.add(list);
  list.scrollTop = list.scrollHeight;
}

/** Whoever reads the end goes on reading it when the list, or what is in it, changes its size: a thread opens beside it. @param {HTMLElement} list */
function follow(list) {
  const size = () => `${list.clientWidth} ${list.clientHeight} ${list.scrollHeight}`;
  let seen = "";
  list.addEventListener("scroll", () => {
    // The browser's own, since sizes have changed, is not the reader's.
    if (size() !== seen) return;
    if (isAtEnd(list)) followed.add(list);
    else followed.delete(list);
  });
  const sizes = new ResizeObserver(() => {
    seen = size();
    if (followed.has(list)) list.scrollTop = list.scrollHeight;
  });
  for (const node of [list, ...list.children]) sizes.observe(node);
  return list;
}

/** Keeps the end in view when it was in view; otherwise leaves the reader where they are. @param {HTMLElement} list @param {boolean} jump @param {() => void} draw */
function stayAtEnd(list, jump, draw) {
  draw();
  if (jump || followed.has(list)) toEnd(list);
}

/** @param {State} state @param {(text: string) => void} fill @param {boolean} large */
function examples(state, fill, large) {
  const channel = state.channels.get(state.channel);
  if (!channel || channel.examples.length === 0) return null;
  return h(
    "div",
    { class: large ? "examples large" : "examples", role: "group", "aria-label": "Requests to try" },
    large ? null : h("span", { class: "soft" }, "Try"),
    ...channel.examples.map((example) =>
      h(
        "button",
        { type: "button", class: "example", title: example.text, onclick: () => fill(example.text) },
        h("b", {}, example.label),
        large ? h("span", { class: "note" }, example.note) : null,
        large ? h("span", { class: "words" }, example.text) : null,
      ),
    ),
  );
}

/** @type {{ key: string, list: HTMLElement, welcome: HTMLElement, tips: HTMLElement, focus: () => void, fill: (text: string) => void } | null} */
let room = null;

/** Something else stands in the room's place: it draws itself anew after this. */
export function leaveRoom() {
  room = null;
}

/** @param {State} state @param {Hooks} hooks */
export function drawRoom(state, hooks) {
  const channel = state.channels.get(state.channel);
  const node = byId("room");
  const key = `${state.me}/${state.channel}`;
  const fresh = room?.key !== key;
  if (fresh) {
    const write = composer(state, {
      id: "composer-text",
      place: key,
      label: `Message #${channel?.name ?? ""} as ${state.users.get(state.me)?.real_name ?? ""}`,
      hint: "Enter sends. Shift and Enter starts a line.",
      unheard: "Only people read this. Begin with @agent to ask for work.",
      thread: null,
      sent(ts, text) {
        toEnd(/** @type {HTMLElement} */ (list.parentElement));
        // The answer comes in the thread, so that is where to look; a refusal for one person comes here.
        if (/@agent\b/i.test(text)) hooks.expectAnswer(ts);
      },
    });
    const list = h("div", {
      class: "list",
      role: "log",
      "aria-label": `Messages in #${channel?.name ?? ""}`,
      "aria-live": "off",
      tabindex: 0,
    });
    const welcome = h("div", { class: "welcome" });
    const tips = h("div", { class: "tips" });
    room = { key, list, welcome, tips, focus: write.focus, fill: write.fill };
    node.replaceChildren(
      h(
        "header",
        { class: "room-head" },
        h("h1", {}, icon("hash"), channel?.name ?? ""),
        h("p", { class: "topic" }, channel?.topic.value ?? ""),
        state.space.banner ? h("span", { class: "banner" }, icon("info"), state.space.banner) : null,
        h(
          "span",
          {
            class: "members",
            title: (channel?.members ?? []).map((id) => state.users.get(id)?.real_name ?? id).join(", "),
          },
          ...(channel?.members ?? []).map((id) => avatar(state.users.get(id), "tiny")),
        ),
      ),
      follow(h("div", { class: "scroller" }, welcome, list)),
      h("div", { class: "write" }, tips, write.node),
    );
  }
  if (!room) return;
  const { list, welcome, tips, fill } = room;
  const roots = visible(state, state.channel, state.me).filter((m) => isRoot(m) || m.subtype === "thread_broadcast");
  const empty = roots.length === 0;
  const scroller = /** @type {HTMLElement} */ (list.parentElement);
  if (welcome.classList.contains("short") === empty || fresh) {
    welcome.classList.toggle("short", !empty);
    const large = empty ? examples(state, fill, true) : null;
    welcome.replaceChildren(
      h("span", { class: "welcome-mark", "aria-hidden": "true" }, icon("hash")),
      h("h2", {}, `This is #${channel?.name ?? ""}`),
      h(
        "p",
        {},
        "Ask @agent in plain words. Policy decides what the request may touch, a person approves where policy says so, and the answer comes in the thread.",
      ),
      ...(large ? [h("p", { class: "lead" }, "Press a request. It fills the box below. Then send it."), large] : []),
    );
    const small = empty ? null : examples(state, fill, false);
    tips.replaceChildren(...(small ? [small] : []));
  }
  stayAtEnd(scroller, fresh, () =>
    keyed(list, rows(state, roots, { days: true, openThread: hooks.openThread, dismiss: hooks.dismiss })),
  );
}

/** @type {{ key: string, list: HTMLElement, status: HTMLElement, drawn: string } | null} */
let side = null;

/** @param {State} state @param {HTMLElement} node @param {string} root @param {Hooks} hooks */
function frameThread(state, node, root, hooks) {
  const write = composer(state, {
    id: "thread-text",
    place: `${state.me}/${state.channel}/${root}`,
    label: `Reply as ${state.users.get(state.me)?.real_name ?? ""}`,
    hint: "Mention @agent to steer the run.",
    unheard: "Only people read this. Mention @agent to steer the run.",
    thread: root,
    sent: () => toEnd(/** @type {HTMLElement} */ (list.parentElement)),
  });
  const list = h("div", { class: "list", role: "log", "aria-label": "Thread", "aria-live": "off", tabindex: 0 });
  const status = h("div", { class: "status", role: "status" });
  node.replaceChildren(
    h(
      "header",
      { class: "room-head" },
      h("h2", {}, icon("thread"), "Thread"),
      h("p", { class: "topic" }, `#${state.channels.get(state.channel)?.name ?? ""}`),
      h(
        "button",
        {
          type: "button",
          class: "tool",
          "aria-label": "Close thread",
          title: "Close thread (Escape)",
          onclick: hooks.closeThread,
        },
        icon("cross"),
      ),
    ),
    follow(h("div", { class: "scroller" }, list)),
    status,
    h("div", { class: "write" }, write.node),
  );
  return { list, status };
}

/** @param {State} state @param {string} root @param {HTMLElement} node */
function drawStatus(state, root, node) {
  const status = state.statuses.get(`${state.channel}/${root}`);
  const text =
    status?.text ||
    (status?.session === "processing" ? "is working" : status?.session === "suspended" ? "waits for a person" : "");
  node.hidden = text === "";
  node.classList.toggle("waits", status?.session === "suspended");
  if (text === "") return node.replaceChildren();
  const stop = async () => {
    const answer = await ask("stop", { channel: state.channel, thread_ts: root, user: state.me });
    if (!answer.ok) node.append(h("p", { class: "oops", role: "alert" }, String(answer.error)));
  };
  node.replaceChildren(
    h("span", { class: status?.session === "suspended" ? "pulse still" : "pulse", "aria-hidden": "true" }),
    h("span", {}, `agent ${text}`),
    ...(status?.session === "processing"
      ? [h("button", { type: "button", class: "btn btn-small", onclick: stop }, icon("stop"), "Stop")]
      : []),
  );
}

/** @param {State} state @param {Hooks} hooks */
export function drawThread(state, hooks) {
  const node = byId("thread");
  const root = state.thread;
  node.hidden = root === null;
  byId("desk").classList.toggle("with-thread", root !== null);
  if (root === null) {
    node.replaceChildren();
    side = null;
    return;
  }
  const key = `${state.me}/${state.channel}/${root}`;
  const fresh = side?.key !== key;
  if (fresh || side === null) side = { key, drawn: "", ...frameThread(state, node, root, hooks) };
  const frame = side;
  const messages = visible(state, state.channel, state.me).filter(
    (message) => message.ts === root || message.thread_ts === root,
  );
  const [first, ...replies] = messages;
  const items = rows(state, first ? [first] : [], { days: false, openThread: null, dismiss: hooks.dismiss });
  const count = replies.filter((message) => !message.is_ephemeral).length;
  const label = count === 1 ? "1 reply" : `${count} replies`;
  if (replies.length > 0)
    items.push({ key: "count", version: label, make: () => h("div", { class: "day replies" }, h("span", {}, label)) });
  items.push(...rows(state, replies, { days: false, openThread: null, dismiss: hooks.dismiss }));
  stayAtEnd(/** @type {HTMLElement} */ (frame.list.parentElement), fresh, () => keyed(frame.list, items));
  const status = JSON.stringify([state.statuses.get(`${state.channel}/${root}`) ?? null, state.me]);
  if (status !== frame.drawn) drawStatus(state, root, frame.status);
  frame.drawn = status;
}

/** Puts the cursor where one writes. @param {"room" | "thread"} where */
export function focusComposer(where) {
  const node = document.getElementById(where === "room" ? "composer-text" : "thread-text");
  node?.focus({ preventScroll: true });
}
