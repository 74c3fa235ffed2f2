// @ts-check
/** The app's Home: what the app has published for the person who looks. */

import { renderBlocks } from "./blocks.js";
import { byId, h, keyed } from "./dom.js";
import { icon } from "./icons.js";
import { ask } from "./state.js";

/** @import { State } from "./state.js" */

/** @type {{ key: string, list: HTMLElement } | null} */
let shown = null;

/** The room draws itself anew after this. */
export function leaveHome() {
  shown = null;
}

/** @param {State} state */
export function drawHome(state) {
  const node = byId("room");
  const name = state.users.get(state.space.bot)?.real_name ?? "agent";
  if (shown?.key !== state.me) {
    const list = h("div", { class: "list home", "aria-label": `Home of ${name}` });
    shown = { key: state.me, list };
    node.replaceChildren(
      h(
        "header",
        { class: "room-head" },
        h("h1", {}, icon("check"), `${name}: Home`),
        h("p", { class: "topic" }, `Only ${state.users.get(state.me)?.real_name ?? "you"} sees this page.`),
      ),
      h("div", { class: "scroller" }, list),
    );
  }
  const view = state.homes.get(state.me);
  if (!view) {
    keyed(shown.list, [
      { key: "empty", version: "", make: () => h("p", { class: "soft" }, "The app has published nothing here yet.") },
    ]);
    return;
  }
  const act = async (/** @type {object} */ action) => {
    const answer = await ask("interact", { view_id: view.id, user: state.me, action });
    return answer.ok ? null : `That did not work: ${answer.error}`;
  };
  keyed(
    shown.list,
    view.blocks.map((block) => ({
      key: block.block_id ?? "",
      version: JSON.stringify(block),
      make: () => h("div", { class: "home-block" }, ...renderBlocks(state, [block], act)),
    })),
  );
}
