// @ts-check
/** Where a person writes. One per channel and thread; a draft stays where it was begun. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { ask } from "./state.js";

/** @import { State } from "./state.js" */

/** @type {Map<string, string>} */
const drafts = new Map();

/** What the app hears: a mention, or nothing but a word for stop. */
const HEARD = /@agent\b|^\/agent\b|^\s*(?:stop|cancel|kill)\s*[.!]*\s*$/i;

/**
 * @param {State} state
 * @param {{ id: string, place: string, label: string, hint: string, unheard: string, thread: string | null, sent: (ts: string, text: string) => void }} o
 * @returns {{ node: HTMLElement, fill: (text: string) => void, focus: () => void }}
 */
export function composer(state, o) {
  const area = h(
    "textarea",
    {
      id: o.id,
      rows: 1,
      "aria-label": o.label,
      placeholder: o.label,
      "aria-describedby": `${o.id}-hint`,
      "data-focus": o.id,
    },
    drafts.get(o.place) ?? "",
  );
  const send = h("button", { type: "submit", class: "send", "aria-label": "Send", title: "Send" }, icon("send"));
  const problem = h("p", { class: "oops", role: "alert", hidden: true });
  const hint = h("span", { class: "hint", id: `${o.id}-hint` }, o.hint);
  const grow = () => {
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 220)}px`;
    send.disabled = area.value.trim() === "";
    const unheard = area.value.trim() !== "" && !HEARD.test(area.value);
    hint.textContent = unheard ? o.unheard : o.hint;
    hint.classList.toggle("unheard", unheard);
    if (area.value === "") drafts.delete(o.place);
    else drafts.set(o.place, area.value);
  };
  const submit = async () => {
    const text = area.value.trim();
    if (text === "" || send.getAttribute("aria-busy") === "true") return;
    send.setAttribute("aria-busy", "true");
    const [word = ""] = text.split(/\s/);
    const command = state.space.commands.includes(word) ? word : null;
    const from = { channel: state.channel, user: state.me };
    // Slack takes no slash command in a thread either.
    const answer =
      command !== null && o.thread !== null
        ? { ok: false, error: `${command} does not work in threads. Type it in the channel, or mention @agent here.` }
        : command !== null
          ? await ask("command", { ...from, command, text: text.slice(command.length).trim() })
          : await ask("message", { ...from, text, ...(o.thread === null ? {} : { thread_ts: o.thread }) });
    send.removeAttribute("aria-busy");
    problem.hidden = answer.ok === true;
    problem.textContent = answer.ok === true ? "" : String(answer.error);
    if (answer.ok !== true) return;
    area.value = "";
    grow();
    if (command === null) o.sent(String(answer.ts), text);
  };
  const mention = h(
    "button",
    {
      type: "button",
      class: "chip",
      title: "Begin with @agent",
      onclick: () => {
        if (!area.value.startsWith("@agent")) area.value = `@agent ${area.value}`;
        grow();
        area.focus();
      },
    },
    "@agent",
  );
  const form = h(
    "form",
    {
      class: "composer",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void submit();
      },
    },
    area,
    h("div", { class: "composer-foot" }, mention, hint, send),
    problem,
  );
  area.addEventListener("input", grow);
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void submit();
  });
  requestAnimationFrame(grow);
  return {
    node: form,
    fill(text) {
      area.value = text;
      grow();
      area.focus();
      area.setSelectionRange(text.length, text.length);
    },
    focus: () => area.focus(),
  };
}
