// @ts-check
/** Block Kit, as far as the product uses it and a little further. */

import { h } from "./dom.js";
import { actionElement } from "./elements.js";
import { icon } from "./icons.js";
import { link, markdown, mrkdwn, richText, textNodes } from "./mrkdwn.js";

/** @import { Host } from "./elements.js" */
/** @import { State } from "./state.js" */
/** @import { Block } from "./types.js" */

/** @typedef {Host["act"]} Act */

/** @type {Record<string, { icon: string, word: string }>} */
const TASK = {
  pending: { icon: "dot", word: "waiting" },
  in_progress: { icon: "clock", word: "working" },
  complete: { icon: "check", word: "done" },
  error: { icon: "cross", word: "failed" },
};

/** @type {Record<string, { icon: string, word: string }>} */
const LEVEL = {
  default: { icon: "info", word: "Note" },
  info: { icon: "info", word: "Note" },
  warning: { icon: "alert", word: "Warning" },
  error: { icon: "cross", word: "Problem" },
  success: { icon: "check", word: "Done" },
};

/** @param {State} state @param {Block} task */
function taskCard(state, task) {
  const mark = TASK[task.status ?? "pending"] ?? { icon: "dot", word: task.status ?? "" };
  const body = [task.details, task.output].flatMap((rich) => (rich?.elements ? richText(state, rich.elements) : []));
  const sources = (task.sources ?? []).map((source) => link(source.url, source.text));
  const title = [
    h("span", { class: `task-mark task-${task.status}` }, icon(mark.icon, mark.word)),
    h("span", { class: "task-title" }, String(task.title ?? "")),
  ];
  if (body.length === 0 && sources.length === 0)
    return h("li", { class: "task" }, h("div", { class: "task-head" }, ...title));
  return h(
    "li",
    { class: "task" },
    h(
      "details",
      { "data-fold": task.task_id ?? "", open: task.status === "in_progress" || task.status === "error" },
      h("summary", { class: "task-head", "data-focus": `task/${task.task_id}` }, ...title, icon("fold")),
      h(
        "div",
        { class: "task-body" },
        ...body,
        sources.length > 0
          ? h("p", { class: "sources" }, ...sources.flatMap((node, i) => (i > 0 ? [", ", node] : [node])))
          : null,
      ),
    ),
  );
}

/** @param {State} state @param {Block} block */
function plan(state, block) {
  const tasks = block.tasks ?? [];
  const done = tasks.filter((task) => task.status === "complete").length;
  const title = typeof block.title === "string" ? block.title : (block.title?.text ?? "");
  return h(
    "div",
    { class: "plan" },
    h(
      "div",
      { class: "plan-head" },
      h("span", {}, title),
      tasks.length > 0 ? h("span", { class: "count" }, `${done} of ${tasks.length}`) : null,
    ),
    h("ol", { class: "tasks" }, ...tasks.map((task) => taskCard(state, task))),
  );
}

/** @param {State} state @param {Block} block */
function table(state, block) {
  const cell = (/** @type {any} */ value, /** @type {"td" | "th"} */ tag) =>
    h(
      tag,
      { class: value.type === "raw_number" ? "n" : null },
      ...(value.type === "rich_text" ? richText(state, value.elements) : [String(value.text ?? "")]),
    );
  const [head, ...rows] = block.rows ?? [];
  return h(
    "div",
    { class: "scroll", tabindex: 0 },
    h(
      "table",
      {},
      block.caption ? h("caption", {}, block.caption) : null,
      h("thead", {}, h("tr", {}, ...(head ?? []).map((value) => cell(value, "th")))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((value) => cell(value, "td"))))),
    ),
  );
}

/** @param {State} state @param {Block} block @param {Act} act @returns {Node[]} */
function content(state, block, act) {
  const host = { blockId: block.block_id ?? "", act };
  switch (block.type) {
    case "header":
      return [h("h3", {}, ...textNodes(state, block.text))];
    case "section":
      return [
        h(
          "div",
          { class: "section" },
          h(
            "div",
            { class: "section-text" },
            ...textNodes(state, block.text),
            block.fields
              ? h("div", { class: "fields" }, ...block.fields.map((field) => h("div", {}, ...textNodes(state, field))))
              : null,
          ),
          block.accessory ? h("div", { class: "accessory" }, ...actionElement(block.accessory, host)) : null,
        ),
      ];
    case "context":
      return (block.elements ?? []).map((element) =>
        h("span", {}, ...(element.type === "image" ? [element.alt_text ?? ""] : textNodes(state, element))),
      );
    case "actions":
    case "context_actions":
      return (block.elements ?? []).flatMap((element) => actionElement(element, host));
    case "divider":
      return [h("hr")];
    case "alert": {
      const level = LEVEL[block.level ?? "default"] ?? { icon: "info", word: "Note" };
      return [
        h(
          "div",
          { class: `alert alert-${block.level ?? "default"}`, role: "note" },
          icon(level.icon, level.word),
          h("div", {}, ...textNodes(state, block.text)),
        ),
      ];
    }
    case "plan":
      return [plan(state, block)];
    case "task_card":
      return [h("ol", { class: "tasks" }, taskCard(state, block))];
    case "rich_text":
      return richText(state, block.elements ?? []);
    case "markdown":
      return markdown(state, String(block.text ?? ""));
    case "container": {
      const title = [
        ...textNodes(state, block.title),
        ...(block.rich_text_title?.elements ? richText(state, block.rich_text_title.elements) : []),
      ];
      const sub = block.subtitle ? h("small", {}, ...textNodes(state, block.subtitle)) : null;
      const children = (block.child_blocks ?? []).map((child) => renderBlock(state, child, act));
      if (!block.is_collapsible)
        return [h("div", { class: "container" }, h("div", { class: "container-head" }, ...title, sub), ...children)];
      return [
        h(
          "details",
          { class: "container", "data-fold": block.block_id ?? "", open: block.default_collapsed !== true },
          h(
            "summary",
            { class: "container-head", "data-focus": `fold/${block.block_id}` },
            h("span", {}, ...title, sub),
            icon("fold"),
          ),
          ...children,
        ),
      ];
    }
    case "card":
      return [
        h(
          "div",
          { class: "container" },
          block.title ? h("div", { class: "container-head" }, ...textNodes(state, block.title)) : null,
          block.subtitle ? h("div", { class: "soft" }, ...textNodes(state, block.subtitle)) : null,
          block.body ? h("div", {}, ...textNodes(state, block.body)) : null,
          block.actions
            ? h(
                "div",
                { class: "block block-actions" },
                ...block.actions.flatMap((element) => actionElement(element, host)),
              )
            : null,
        ),
      ];
    case "table":
    case "data_table":
      return [table(state, block)];
    case "image":
      return [h("span", { class: "missing" }, block.alt_text ?? "image")];
    default:
      return [h("span", { class: "missing" }, `${block.type} is not drawn here`)];
  }
}

/** @param {State} state @param {Block} block @param {Act} act @returns {HTMLElement} */
function renderBlock(state, block, act) {
  return h("div", { class: `block block-${block.type}` }, ...content(state, block, act));
}

/** @param {State} state @param {Block[]} blocks @param {Act} act @returns {HTMLElement[]} */
export function renderBlocks(state, blocks, act) {
  return blocks.map((block) => renderBlock(state, block, act));
}

/** @param {State} state @param {string} text */
export const renderText = (state, text) => h("div", { class: "block block-text" }, ...mrkdwn(state, text));
