// @ts-check
/** The acting person's modals. The top one is shown; what was typed survives an update of the same modal. */

import { renderBlocks } from "./blocks.js";
import { h } from "./dom.js";
import { inputElement } from "./elements.js";
import { icon } from "./icons.js";
import { ask } from "./state.js";

/** @import { State } from "./state.js" */
/** @import { Block, View } from "./types.js" */

/** @type {{ dialog: HTMLDialogElement, key: string } | null} */
let shown = null;

/** @param {State} state */
export function showModals(state) {
  const mine = [...state.views.values()].filter((open) => open.user === state.me);
  const top = mine.at(-1)?.view ?? null;
  const key = top ? `${state.me}/${top.id}/${top.hash}` : "";
  if (shown?.key === key) return;
  if (shown) {
    shown.dialog.remove();
    shown = null;
  }
  if (!top) return;
  const dialog = draw(state, top);
  shown = { dialog, key };
  document.body.append(dialog);
  dialog.showModal();
  const first = dialog.querySelector("textarea, input, select");
  if (first instanceof HTMLElement) first.focus();
}

/** @param {State} state @param {View} view */
function draw(state, view) {
  /** @type {Map<string, { actionId: string, value: () => string | string[], error: HTMLElement, focusable: HTMLElement }>} */
  const fields = new Map();
  const people = [...state.users.values()].filter((user) => !user.is_bot);
  const values = () =>
    Object.fromEntries([...fields].map(([block, field]) => [block, { [field.actionId]: field.value() }]));

  const field = (/** @type {Block} */ block) => {
    const element = block.element;
    if (!element) return h("div");
    const id = `f-${view.id}-${block.block_id}`;
    const error = h("p", { class: "oops", id: `${id}-error`, role: "alert", hidden: true });
    const input = inputElement(element, { id, describedBy: `${id}-hint ${id}-error`, people });
    fields.set(block.block_id ?? "", {
      actionId: element.action_id ?? "",
      value: input.value,
      error,
      focusable: input.focusable,
    });
    const grouped = ["radio_buttons", "checkboxes", "multi_static_select"].includes(element.type);
    const label = [block.label?.text ?? "", block.optional ? h("small", {}, " optional") : null];
    return h(
      grouped ? "fieldset" : "div",
      { class: "form-row" },
      grouped ? h("legend", {}, ...label) : h("label", { for: id }, ...label),
      input.node,
      block.hint ? h("p", { class: "soft", id: `${id}-hint` }, block.hint.text) : null,
      error,
    );
  };

  const act = async (/** @type {object} */ action) => {
    const answer = await ask("interact", { view_id: view.id, user: state.me, action, values: values() });
    return answer.ok ? null : `That did not work: ${answer.error}`;
  };
  const close = () => void ask("view", { user: state.me, view_id: view.id, close: true });
  const failed = h("p", { class: "oops", role: "alert", hidden: true });
  const submit = h("button", { type: "submit", class: "btn btn-primary" }, view.submit?.text ?? "Submit");
  const dialog = h(
    "dialog",
    { class: "modal", "aria-labelledby": "modal-title" },
    h(
      "form",
      {
        novalidate: true,
        onsubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          if (submit.getAttribute("aria-busy") === "true") return;
          submit.setAttribute("aria-busy", "true");
          const answer = await ask("view", { user: state.me, view_id: view.id, values: values() });
          submit.removeAttribute("aria-busy");
          tell(answer);
        },
      },
      h(
        "div",
        { class: "modal-head" },
        h("h2", { id: "modal-title" }, view.title.text),
        h("button", { type: "button", class: "tool", "aria-label": "Close", onclick: close }, icon("cross")),
      ),
      h(
        "div",
        { class: "modal-body" },
        ...view.blocks.flatMap((block) =>
          block.type === "input" ? [field(block)] : renderBlocks(state, [block], act),
        ),
      ),
      failed,
      h(
        "div",
        { class: "foot" },
        h("button", { type: "button", class: "btn", onclick: close }, view.close?.text ?? "Cancel"),
        view.submit ? submit : null,
      ),
    ),
  );
  /** @param {Record<string, any>} answer */
  function tell(answer) {
    /** @type {Record<string, string>} */
    const errors = answer.errors ?? {};
    let first = true;
    for (const [block, { error, focusable }] of fields) {
      error.textContent = errors[block] ?? "";
      error.hidden = errors[block] === undefined;
      if (errors[block] === undefined) focusable.removeAttribute("aria-invalid");
      else {
        focusable.setAttribute("aria-invalid", "true");
        if (first) focusable.focus();
        first = false;
      }
    }
    const other = answer.ok || answer.errors ? "" : "We had some trouble connecting. Try again.";
    failed.hidden = other === "";
    failed.textContent = other;
    if (other) failed.title = String(answer.error ?? "");
  }
  // Escape asks the server too, so that the app hears of it when it wants to.
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  return dialog;
}
