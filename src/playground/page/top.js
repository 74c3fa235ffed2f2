// @ts-check
/** The bar over everything: whose workspace, and who you are. */

import { byId, focusIn, h } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./message.js";
import { unread } from "./state.js";

/** @import { State } from "./state.js" */

/** @param {State} state @param {{ become: (user: string) => void, menu: () => void }} o */
export function drawTop(state, o) {
  const top = byId("top");
  const refocus = focusIn(top);
  const people = [...state.users.values()].filter((user) => !user.is_bot);
  const me = state.users.get(state.me);
  top.replaceChildren(
    h(
      "button",
      { type: "button", class: "tool menu", "aria-label": "Channels", "data-focus": "menu", onclick: o.menu },
      icon("menu"),
    ),
    h(
      "div",
      { class: "space" },
      h("span", { class: "space-mark", "aria-hidden": "true" }, icon("check")),
      h("b", {}, state.space.team.name),
    ),
    h(
      "fieldset",
      { class: "you" },
      h("legend", {}, "You are"),
      ...people.map((user) => {
        const mine = user.id === state.me;
        const { all, naming } = mine ? { all: 0, naming: 0 } : unread(state, user.id);
        const label = `${naming || ""} unread for ${user.real_name}`.trim();
        const news =
          naming > 0
            ? h("span", { class: "badge", role: "img", "aria-label": label }, String(naming))
            : all > 0
              ? h("span", { class: "dot", role: "img", "aria-label": label })
              : null;
        return h(
          "label",
          { class: `person${mine ? " chosen" : ""}`, title: user.can },
          h("input", {
            type: "radio",
            name: "you",
            value: user.id,
            checked: mine,
            "data-focus": `you/${user.id}`,
            onchange: () => o.become(user.id),
          }),
          avatar(user, "small"),
          h("span", { class: "person-name" }, user.real_name),
          h("span", { class: "person-role" }, user.role),
          news,
        );
      }),
    ),
    h("p", { class: "can" }, me?.can ?? ""),
  );
  refocus?.();
}

/** @param {State} state */
export function drawTrouble(state) {
  const node = byId("trouble");
  const text = !state.connected
    ? "The server does not answer. This page tries again by itself."
    : state.waiting > 0
      ? `The app has not answered ${state.waiting === 1 ? "one event" : `${state.waiting} events`}. Slack tries again.`
      : "";
  node.hidden = text === "";
  if (node.textContent !== text) node.replaceChildren(text === "" ? "" : icon("alert"), ` ${text}`);
}
