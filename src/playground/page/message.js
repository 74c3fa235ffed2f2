// @ts-check
/** One message as a row: who, when, what, and what one can do with it. */

import { renderBlocks, renderText } from "./blocks.js";
import { h } from "./dom.js";
import { icon, REACTIONS } from "./icons.js";
import { ask, isRoot, threadUnread } from "./state.js";

/** @import { State } from "./state.js" */
/** @import { Message, User } from "./types.js" */

/** @param {string} ts */
const when = (ts) => new Date(Number(ts) * 1_000);

/** @param {string} ts */
export const clock = (ts) => when(ts).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

/** @param {string} ts */
export function day(ts) {
  const date = when(ts);
  if (date.toDateString() === new Date().toDateString()) return "Today";
  return date.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
}

/** @param {User | undefined} user @param {string} [size] */
export function avatar(user, size = "") {
  const name = user?.real_name ?? "?";
  return h(
    "span",
    { class: `avatar avatar-${user?.is_bot ? "bot" : (user?.name ?? "none")} ${size}`, "aria-hidden": "true" },
    user?.is_bot ? icon("check") : name.slice(0, 1),
  );
}

/** Offered in the small menu; any other reaction is for scripts. */
const OFFERED = ["eyes", "white_check_mark", "+1", "x"];

/** @param {State} state @param {Message} message */
function reactions(state, message) {
  const list = message.reactions ?? [];
  if (list.length === 0) return null;
  return h(
    "div",
    { class: "reactions" },
    ...list.map(({ name, users }) => {
      const mine = users.includes(state.me);
      const known = REACTIONS[name];
      const names = users.map((user) => state.users.get(user)?.real_name ?? user).join(", ");
      return h(
        "button",
        {
          type: "button",
          class: `reaction${mine ? " mine" : ""}`,
          title: `${names}: ${known?.word ?? name}`,
          "aria-label": `${known?.word ?? name}, ${names}${mine ? ". Take yours back." : ". Add yours."}`,
          "aria-pressed": mine ? "true" : "false",
          "data-focus": `reaction/${name}`,
          onclick: () =>
            ask("reaction", { channel: message.channel, ts: message.ts, user: state.me, name, remove: mine }),
        },
        known ? icon(known.icon) : `:${name}:`,
        h("span", { class: "count" }, String(users.length)),
      );
    }),
  );
}

/** @param {State} state @param {Message} message @param {((ts: string) => void) | null} openThread */
function tools(state, message, openThread) {
  if (message.is_ephemeral) return null;
  const mine = (/** @type {string} */ name) =>
    (message.reactions ?? []).some((r) => r.name === name && r.users.includes(state.me));
  return h(
    "div",
    { class: "tools" },
    ...OFFERED.map((name) =>
      h(
        "button",
        {
          type: "button",
          class: "tool",
          title: `React: ${REACTIONS[name]?.word ?? name}`,
          "aria-label": `React: ${REACTIONS[name]?.word ?? name}`,
          "data-focus": `react/${name}`,
          onclick: () =>
            ask("reaction", { channel: message.channel, ts: message.ts, user: state.me, name, remove: mine(name) }),
        },
        icon(REACTIONS[name]?.icon ?? "dot"),
      ),
    ),
    openThread
      ? h(
          "button",
          {
            type: "button",
            class: "tool",
            title: "Reply in thread",
            "aria-label": "Reply in thread",
            "data-focus": "thread",
            onclick: () => openThread(message.ts),
          },
          icon("reply"),
        )
      : null,
  );
}

/** @param {State} state @param {Message} message @param {(ts: string) => void} openThread */
function threadLine(state, message, openThread) {
  const count = message.reply_count ?? 0;
  const status = state.statuses.get(`${message.channel}/${message.ts}`);
  const working = status?.session === "processing" || Boolean(status?.text);
  if (count === 0 && !working) return null;
  const fresh = threadUnread(state, message.ts);
  return h(
    "button",
    {
      type: "button",
      class: `thread-line${fresh ? " fresh" : ""}`,
      "data-focus": "replies",
      onclick: () => openThread(message.ts),
    },
    ...(message.reply_users ?? []).slice(0, 4).map((id) => avatar(state.users.get(id), "tiny")),
    h("b", {}, count === 0 ? "Open thread" : count === 1 ? "1 reply" : `${count} replies`),
    working
      ? h("span", { class: "working" }, h("span", { class: "pulse", "aria-hidden": "true" }), "working")
      : h("span", { class: "soft" }, message.latest_reply ? `last at ${clock(message.latest_reply)}` : ""),
    fresh ? h("span", { class: "dot", role: "img", "aria-label": "unread" }) : null,
  );
}

/** @param {State} state @param {Message} message @returns {HTMLElement[]} */
function body(state, message) {
  const bot = message.user === state.space.bot;
  const blocks = bot ? (message.blocks ?? []) : [];
  const act = async (/** @type {object} */ action) => {
    const answer = await ask("interact", { channel: message.channel, messageTs: message.ts, user: state.me, action });
    if (answer.ok) return null;
    return answer.error === "http_timeout"
      ? "The app did not answer in 3 seconds. Try again."
      : `That did not work: ${answer.error}`;
  };
  if (blocks.length === 0) return [renderText(state, message.text)];
  const isCard = blocks.some((block) => !["section", "context", "rich_text", "markdown"].includes(block.type));
  return [h("div", { class: isCard ? "card" : "plainblocks" }, ...renderBlocks(state, blocks, act))];
}

/**
 * @param {State} state
 * @param {Message} message
 * @param {{ compact: boolean, openThread: ((ts: string) => void) | null, dismiss: (message: Message) => void }} o
 */
export function renderMessage(state, message, o) {
  const user = state.users.get(message.user);
  const name = user?.real_name ?? message.user;
  const time = h(
    "time",
    {
      class: "when",
      datetime: when(message.ts).toISOString(),
      title: `${when(message.ts)}${message.edited ? `, edited at ${clock(message.edited.ts)}` : ""}`,
    },
    clock(message.ts),
  );
  const edited = message.edited
    ? h("span", { class: "edited", title: `Edited at ${clock(message.edited.ts)}` }, "edited")
    : null;
  const head = o.compact
    ? null
    : h(
        "div",
        { class: "head" },
        h("b", { class: "name" }, name),
        user?.is_bot ? h("span", { class: "app" }, "app") : null,
        time,
        edited,
      );
  return h(
    "article",
    {
      class: `message${o.compact ? " compact" : ""}${message.is_ephemeral ? " whisper" : ""}`,
      tabindex: -1,
      "aria-label": `${name}, ${clock(message.ts)}`,
    },
    h("div", { class: "gutter" }, o.compact ? time : avatar(user)),
    h(
      "div",
      { class: "body" },
      message.is_ephemeral
        ? h(
            "div",
            { class: "only" },
            icon("eye"),
            h("span", {}, "Only visible to you"),
            h(
              "button",
              { type: "button", class: "linkish", "data-focus": "dismiss", onclick: () => o.dismiss(message) },
              "Dismiss",
            ),
          )
        : null,
      head,
      ...body(state, message),
      message.streaming ? h("span", { class: "edited" }, "writing") : null,
      reactions(state, message),
      o.openThread && isRoot(message) ? threadLine(state, message, o.openThread) : null,
    ),
    tools(state, message, o.openThread),
  );
}
