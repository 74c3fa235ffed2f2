// @ts-check
/** The channels, and what to try first. */

import { byId, focusIn, h } from "./dom.js";
import { icon } from "./icons.js";
import { unread } from "./state.js";

/** @import { State } from "./state.js" */

/** @param {State} state @param {(channel: string) => void} go @param {() => void} goHome */
export function drawSide(state, go, goHome) {
  const side = byId("side");
  const refocus = focusIn(side);
  const mine = [...state.channels.values()].filter((channel) => channel.members.includes(state.me));
  side.replaceChildren(
    h("h2", {}, "Channels"),
    h(
      "ul",
      { class: "channels" },
      ...mine.map((channel) => {
        const news = unread(state, state.me, channel.id);
        const here = !state.home && channel.id === state.channel;
        return h(
          "li",
          {},
          h(
            "a",
            {
              href: `#${channel.id}`,
              class: news.all > 0 ? "fresh" : null,
              "aria-current": here ? "page" : null,
              "data-focus": `channel/${channel.id}`,
              onclick: (/** @type {Event} */ event) => {
                event.preventDefault();
                go(channel.id);
              },
            },
            icon("hash"),
            h("span", { class: "channel-name" }, channel.name),
            news.naming > 0
              ? h(
                  "span",
                  { class: "badge", role: "img", "aria-label": `${news.naming} unread for you` },
                  String(news.naming),
                )
              : news.all > 0
                ? h("span", { class: "dot", role: "img", "aria-label": "unread" })
                : null,
          ),
        );
      }),
    ),
    h("h2", {}, "Apps"),
    h(
      "ul",
      { class: "channels" },
      h(
        "li",
        {},
        h(
          "a",
          {
            href: "#home",
            "aria-current": state.home ? "page" : null,
            "data-focus": "home",
            onclick: (/** @type {Event} */ event) => {
              event.preventDefault();
              goHome();
            },
          },
          icon("check"),
          h("span", { class: "channel-name" }, `${state.users.get(state.space.bot)?.real_name ?? "agent"}: Home`),
        ),
      ),
    ),
    h(
      "section",
      { class: "try", "aria-labelledby": "try-title" },
      h("h2", { id: "try-title" }, "Two minutes"),
      h(
        "ol",
        {},
        h("li", {}, "In #shop, as Ana, press a request and send it."),
        h("li", {}, "Press Approve as Ana. It is refused."),
        h("li", {}, "Switch to Bo, at the top, and approve."),
        h("li", {}, "Watch the plan, open the pull request, merge it."),
      ),
    ),
    h(
      "p",
      { class: "foundation" },
      "A local stand-in for Slack. The app behind it is the real one and talks Slack's protocol.",
    ),
  );
  refocus?.();
}
