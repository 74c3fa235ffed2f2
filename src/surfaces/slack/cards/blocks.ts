import type { Button, KnownBlock, StaticSelect, TaskCardBlock } from "@slack/types";
import type { Task } from "#runs/task.ts";
import { bare, cut, safeUrl, wholeLines } from "./text.ts";

/** What Slack shows: blocks for the screen, `text` for notifications and screen readers. */
export interface Card {
  readonly text: string;
  readonly blocks: KnownBlock[];
}

/** Slack's own limits: https://docs.slack.dev/reference/block-kit. */
const SECTION_MOST = 3_000;
const TEXT_MOST = 300;
const BLOCKS_MOST = 50;
const TASKS_MOST = 20;
const TITLE_MOST = 150;
const OPTIONS_MOST = 100;

/** `text` is one plain sentence: actor, object, state, next step. It is not markup, but Slack parses it: escaped. */
export function card(text: string, blocks: readonly (KnownBlock | null)[]): Card {
  const shown = blocks.filter((block) => block !== null).slice(0, BLOCKS_MOST);
  return { text: cutSentence(text), blocks: shown };
}

const cutSentence = (text: string) => cut(text.replace(/\s+/g, " ").trim(), TEXT_MOST);

const mrkdwn = (text: string) => ({ type: "mrkdwn" as const, text: wholeLines(text, SECTION_MOST), verbatim: true });
const plain = (text: string, most: number) => ({ type: "plain_text" as const, text: cut(text, most), emoji: false });

/** Lines of mrkdwn; `null` when there are none. */
export function section(...lines: readonly (string | null)[]): KnownBlock | null {
  const text = lines.filter((line) => line !== null && line !== "").join("\n");
  return text === "" ? null : { type: "section", text: mrkdwn(text) };
}

/** Small print: one line of parts. */
export function context(...parts: readonly (string | null)[]): KnownBlock | null {
  const text = parts.filter((part) => part !== null && part !== "").join(" · ");
  return text === "" ? null : { type: "context", elements: [mrkdwn(text)] };
}

export function actions(...buttons: readonly (Button | StaticSelect | null)[]): KnownBlock | null {
  const elements = buttons.filter((button) => button !== null);
  return elements.length === 0 ? null : { type: "actions", elements };
}

/** `label` is what a screen reader says; it holds on its own. */
export function button(of: {
  readonly action: string;
  readonly text: string;
  readonly label: string;
  readonly value: string;
  readonly style?: "primary" | "danger";
  readonly confirm?: { readonly title: string; readonly text: string; readonly yes: string; readonly no: string };
}): Button {
  return {
    type: "button",
    action_id: of.action,
    text: plain(of.text, 75),
    accessibility_label: bare(of.label, 75),
    value: of.value,
    ...(of.style === undefined ? {} : { style: of.style }),
    ...(of.confirm === undefined
      ? {}
      : {
          confirm: {
            title: plain(of.confirm.title, 100),
            text: plain(of.confirm.text, 300),
            confirm: plain(of.confirm.yes, 30),
            deny: plain(of.confirm.no, 30),
          },
        }),
  };
}

/** A menu that is sent as soon as something is chosen. Slack takes up to 100 options. */
export function menu(of: {
  readonly action: string;
  readonly placeholder: string;
  readonly options: readonly { readonly text: string; readonly value: string }[];
}): StaticSelect {
  return {
    type: "static_select",
    action_id: of.action,
    placeholder: plain(of.placeholder, 150),
    options: of.options
      .slice(0, OPTIONS_MOST)
      .map(({ text, value }) => ({ text: plain(bare(text, 75) || "(no name)", 75), value })),
  };
}

/** `null` when the address is none that a browser should open. */
export function linkButton(of: {
  readonly action: string;
  readonly text: string;
  readonly label: string;
  readonly url: string;
  readonly style?: "primary";
}): Button | null {
  const url = safeUrl(of.url);
  if (url === null) return null;
  return {
    type: "button",
    action_id: of.action,
    text: plain(of.text, 75),
    accessibility_label: bare(of.label, 75),
    url,
    ...(of.style === undefined ? {} : { style: of.style }),
  };
}

/** Steps as Slack draws them. Titles are plain text: nothing in them can become markup. */
export function plan(title: string, tasks: readonly Task[]): KnownBlock {
  const shown = tasks.slice(0, TASKS_MOST);
  const more = tasks.length - shown.length;
  const cards: TaskCardBlock[] = shown.map((task, index) => ({
    type: "task_card",
    task_id: `task_${index}`,
    // Plain text: a backtick would stand there as itself.
    title: bare(task.title.replaceAll("`", ""), TITLE_MOST) || "(no title)",
    status: task.status,
  }));
  return { type: "plan", title: cut(more > 0 ? `${title} (${more} more steps)` : title, TITLE_MOST), tasks: cards };
}
