// @ts-check
/** Buttons, menus and inputs. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** @import { Confirm, Element, Option } from "./types.js" */

/**
 * @typedef {object} Host Where an element is, and what using it does.
 * @property {string} blockId
 * @property {(action: { type: string, action_id: string, block_id: string, value?: string }) => Promise<string | null>} act resolves to what went wrong, or null
 */

/** @param {Confirm} confirm @returns {Promise<boolean>} */
export function confirmed(confirm) {
  const { promise, resolve } = Promise.withResolvers();
  const yes = h(
    "button",
    { class: `btn ${confirm.style === "danger" ? "btn-danger" : "btn-primary"}`, value: "yes" },
    confirm.confirm?.text ?? "Yes",
  );
  const no = h("button", { class: "btn", value: "no" }, confirm.deny?.text ?? "Cancel");
  const dialog = h(
    "dialog",
    { class: "confirm", "aria-labelledby": "confirm-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "confirm-title" }, confirm.title?.text ?? "Are you sure?"),
      h("p", {}, confirm.text.text.replace(/[*_`]/g, "")),
      h("div", { class: "foot" }, no, yes),
    ),
  );
  dialog.addEventListener("close", () => {
    resolve(dialog.returnValue === "yes");
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  yes.focus();
  return promise;
}

/** Does it once, shows that it is being done, and says when it could not be. @param {HTMLElement} node @param {() => Promise<string | null>} work */
async function busy(node, work) {
  if (node.getAttribute("aria-busy") === "true") return;
  node.setAttribute("aria-busy", "true");
  const error = await work();
  node.removeAttribute("aria-busy");
  const box = node.closest(".block") ?? node.parentElement;
  box?.querySelector(".oops")?.remove();
  if (error) box?.append(h("p", { class: "oops", role: "alert" }, icon("alert"), " ", error));
}

/** @param {Element} element @param {Host} host */
function button(element, host) {
  const name = `${host.blockId}/${element.action_id}`;
  const style = element.style === "primary" ? " btn-primary" : element.style === "danger" ? " btn-danger" : "";
  const use = async (/** @type {Event} */ event) => {
    const node = /** @type {HTMLElement} */ (event.currentTarget);
    if (element.confirm && !(await confirmed(element.confirm))) return;
    await busy(node, () =>
      host.act({
        type: element.type,
        action_id: element.action_id ?? "",
        block_id: host.blockId,
        ...(element.value === undefined ? {} : { value: element.value }),
      }),
    );
  };
  const props = {
    class: `btn${style}`,
    "data-focus": name,
    "aria-label": element.accessibility_label ?? null,
    onclick: use,
  };
  const label = element.text?.text ?? "";
  return element.url && /^https?:/.test(element.url)
    ? h("a", { ...props, href: element.url, target: "_blank", rel: "noopener noreferrer" }, label)
    : h("button", { ...props, type: "button" }, label);
}

/** @param {Element} element @returns {Option[]} */
const optionsOf = (element) => [
  ...(element.options ?? []),
  ...(element.option_groups ?? []).flatMap((group) => group.options),
];

/** @param {Element} element @param {Host} host */
function menu(element, host) {
  const initial = element.initial_option?.value ?? "";
  const placeholder = element.placeholder?.text ?? "Choose";
  return h(
    "select",
    {
      class: "field",
      "aria-label": element.accessibility_label ?? placeholder,
      "data-focus": `${host.blockId}/${element.action_id}`,
      onchange: (/** @type {Event} */ event) => {
        const node = /** @type {HTMLSelectElement} */ (event.currentTarget);
        if (node.value === "") return;
        void busy(node, () =>
          host.act({
            type: element.type,
            action_id: element.action_id ?? "",
            block_id: host.blockId,
            value: node.value,
          }),
        );
      },
    },
    h("option", { value: "" }, placeholder),
    ...optionsOf(element).map((option) =>
      h("option", { value: option.value ?? "", selected: option.value === initial }, option.text.text),
    ),
  );
}

/** @param {Element} element @param {Host} host */
function feedback(element, host) {
  return [element.positive_button, element.negative_button].flatMap((choice) =>
    choice
      ? [
          button(
            { type: element.type, action_id: element.action_id ?? "", text: choice.text, value: choice.value },
            host,
          ),
        ]
      : [],
  );
}

/** An element of an actions block or an accessory. @param {Element} element @param {Host} host @returns {HTMLElement[]} */
export function actionElement(element, host) {
  switch (element.type) {
    case "button":
    case "workflow_button":
    case "icon_button":
      return [button(element, host)];
    case "static_select":
    case "overflow":
    case "radio_buttons":
      return [menu(element, host)];
    case "feedback_buttons":
      return feedback(element, host);
    case "image":
      return [h("span", { class: "missing" }, element.alt_text ?? "image")];
    default:
      return [h("span", { class: "missing" }, `${element.type} is not drawn here`)];
  }
}

/**
 * A field of a modal. `value()` is what the person has put in: a text, or several.
 * @param {Element} element
 * @param {{ id: string, describedBy: string, people: { id: string, real_name: string }[] }} o
 * @returns {{ node: HTMLElement, value: () => string | string[], focusable: HTMLElement }}
 */
export function inputElement(element, o) {
  const common = { id: o.id, class: "field", "aria-describedby": o.describedBy, "data-focus": o.id };
  const placeholder = element.placeholder?.text ?? null;
  const choices = (/** @type {"radio" | "checkbox"} */ type) => {
    const chosen = new Set([element.initial_option, ...(element.initial_options ?? [])].map((option) => option?.value));
    const inputs = optionsOf(element).map((option) => ({
      option,
      input: h("input", { type, name: o.id, value: option.value ?? "", checked: chosen.has(option.value) }),
    }));
    const rows = inputs.map(({ option, input }) =>
      h(
        "label",
        { class: "choice" },
        input,
        h("span", {}, option.text.text, option.description ? h("small", {}, option.description.text) : null),
      ),
    );
    const node = h("div", { role: "group", "aria-describedby": o.describedBy }, ...rows);
    const picked = () => inputs.filter(({ input }) => input.checked).map(({ option }) => option.value ?? "");
    return {
      node,
      value: () => (type === "radio" ? (picked()[0] ?? "") : picked()),
      focusable: inputs[0]?.input ?? node,
    };
  };
  switch (element.type) {
    case "static_select":
    case "users_select": {
      const options =
        element.type === "users_select"
          ? o.people.map((user) => ({ value: user.id, label: user.real_name }))
          : optionsOf(element).map((option) => ({ value: option.value ?? "", label: option.text.text }));
      const initial = element.initial_option?.value ?? element.initial_user ?? "";
      const node = h(
        "select",
        common,
        h("option", { value: "" }, placeholder ?? "Choose"),
        ...options.map((option) =>
          h("option", { value: option.value, selected: option.value === initial }, option.label),
        ),
      );
      return { node, value: () => node.value, focusable: node };
    }
    case "radio_buttons":
      return choices("radio");
    case "checkboxes":
    case "multi_static_select":
      return choices("checkbox");
    case "plain_text_input":
      if (element.multiline) {
        const node = h(
          "textarea",
          { ...common, rows: 4, placeholder, maxlength: element.max_length ?? null },
          element.initial_value ?? "",
        );
        return { node, value: () => node.value, focusable: node };
      }
  }
  const types = /** @type {Record<string, string>} */ ({
    datepicker: "date",
    timepicker: "time",
    email_text_input: "email",
    url_text_input: "url",
    number_input: "number",
  });
  const value = element.initial_value ?? element.initial_date ?? element.initial_time ?? "";
  const node = h("input", {
    ...common,
    type: types[element.type] ?? "text",
    placeholder,
    value,
    maxlength: element.max_length ?? null,
    autocomplete: "off",
  });
  return { node, value: () => node.value, focusable: node };
}
