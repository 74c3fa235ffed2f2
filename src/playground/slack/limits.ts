import { isObject, type Json, type JsonObject } from "./world.ts";

/**
 * Slack's length limits, which its types do not carry. From Slack's Block Kit reference; the table is by the `type` of
 * the object and then by property: characters of a text (or of a text object), items of a list.
 */
interface Limit {
  readonly chars?: number;
  readonly items?: number;
  /** Slack refuses an empty text or list here. */
  readonly atLeastOne?: boolean;
}

const TEXT_MESSAGE = 40_000;
const BLOCKS_PER_MESSAGE = 50;
const BLOCKS_PER_VIEW = 100;
/** Before JSON escaping; Slack counts all table cells, or all markdown, of one message together. */
const TABLE_TEXT = 10_000;
const MARKDOWN_TEXT = 12_000;

export const LIMITS = { TEXT_MESSAGE, BLOCKS_PER_MESSAGE, BLOCKS_PER_VIEW, TABLE_TEXT, MARKDOWN_TEXT } as const;

const OPTIONS = { items: 100, atLeastOne: true } as const;
const PLACEHOLDER = { chars: 150 } as const;

const BY_TYPE: Readonly<Record<string, Readonly<Record<string, Limit>>>> = {
  section: { text: { chars: 3_000, atLeastOne: true }, fields: { items: 10, atLeastOne: true } },
  header: { text: { chars: 150, atLeastOne: true } },
  context: { elements: { items: 10, atLeastOne: true } },
  actions: { elements: { items: 25, atLeastOne: true } },
  context_actions: { elements: { items: 5, atLeastOne: true } },
  markdown: { text: { chars: MARKDOWN_TEXT, atLeastOne: true } },
  image: { image_url: { chars: 3_000 }, alt_text: { chars: 2_000 }, title: { chars: 2_000 } },
  input: { label: { chars: 2_000, atLeastOne: true }, hint: { chars: 2_000 } },
  alert: { text: { chars: 3_000, atLeastOne: true } },
  card: { title: { chars: 150 }, subtitle: { chars: 150 }, body: { chars: 200 } },
  carousel: { elements: { items: 10, atLeastOne: true } },
  container: { child_blocks: { items: 10, atLeastOne: true }, title: { chars: 150 } },
  table: { rows: { items: 100, atLeastOne: true }, column_settings: { items: 20 } },
  button: {
    text: { chars: 75, atLeastOne: true },
    value: { chars: 2_000 },
    url: { chars: 3_000 },
    accessibility_label: { chars: 75 },
  },
  workflow_button: { text: { chars: 75, atLeastOne: true }, accessibility_label: { chars: 75 } },
  overflow: { options: { items: 5, atLeastOne: true } },
  checkboxes: { options: { items: 10, atLeastOne: true } },
  radio_buttons: { options: { items: 10, atLeastOne: true } },
  static_select: { options: OPTIONS, option_groups: OPTIONS, placeholder: PLACEHOLDER },
  multi_static_select: { options: OPTIONS, option_groups: OPTIONS, placeholder: PLACEHOLDER },
  users_select: { placeholder: PLACEHOLDER },
  plain_text_input: { placeholder: PLACEHOLDER, initial_value: { chars: 3_000 } },
  modal: {
    title: { chars: 24, atLeastOne: true },
    submit: { chars: 24 },
    close: { chars: 24 },
    private_metadata: { chars: 3_000 },
    callback_id: { chars: 255 },
    external_id: { chars: 255 },
  },
};

/** Of any object that has them, whatever its type. */
const EVERYWHERE: Readonly<Record<string, Limit>> = { action_id: { chars: 255 }, block_id: { chars: 255 } };

const CONFIRM: Readonly<Record<string, Limit>> = {
  title: { chars: 100 },
  text: { chars: 300 },
  confirm: { chars: 30 },
  deny: { chars: 30 },
};
const OPTION: Readonly<Record<string, Limit>> = {
  text: { chars: 75, atLeastOne: true },
  value: { chars: 150 },
  description: { chars: 75 },
};
const FIELD: Limit = { chars: 2_000 };

/** A text, or the text inside a text object. */
function textOf(value: Json | undefined): string | null {
  if (typeof value === "string") return value;
  return isObject(value) && typeof value.text === "string" ? value.text : null;
}

function exceeded(value: Json | undefined, limit: Limit, pointer: string): string[] {
  const found: string[] = [];
  if (Array.isArray(value)) {
    if (limit.items !== undefined && value.length > limit.items) {
      found.push(`no more than ${limit.items} items allowed [json-pointer:${pointer}]`);
    }
    if (limit.atLeastOne && value.length === 0) found.push(`no less than 1 items allowed [json-pointer:${pointer}]`);
    return found;
  }
  const text = textOf(value);
  const at = isObject(value) ? `${pointer}/text` : pointer;
  if (text === null) return found;
  if (limit.chars !== undefined && text.length > limit.chars) {
    found.push(`must be less than ${limit.chars + 1} characters [json-pointer:${at}]`);
  }
  if (limit.atLeastOne && text.length === 0) found.push(`must be more than 0 characters [json-pointer:${at}]`);
  return found;
}

function tableFor(value: JsonObject, place: string): Readonly<Record<string, Limit>> {
  if (place === "confirm") return CONFIRM;
  if (place === "options" || place === "initial_option") return OPTION;
  return BY_TYPE[typeof value.type === "string" ? value.type : ""] ?? {};
}

function walk(value: Json | undefined, pointer: string, place: string): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => [
      ...(place === "fields" ? exceeded(item, FIELD, `${pointer}/${i}`) : []),
      ...walk(item, `${pointer}/${i}`, place),
    ]);
  }
  if (!isObject(value)) return [];
  const table = { ...EVERYWHERE, ...tableFor(value, place) };
  return Object.entries(value).flatMap(([name, inner]) => {
    const limit = table[name];
    return [...(limit ? exceeded(inner, limit, `${pointer}/${name}`) : []), ...walk(inner, `${pointer}/${name}`, name)];
  });
}

function idsUnique(blocks: readonly JsonObject[], pointer: string): string[] {
  const found: string[] = [];
  const blockIds = new Set<string>();
  blocks.forEach((block, i) => {
    if (typeof block.block_id === "string" && block.block_id !== "") {
      if (blockIds.has(block.block_id)) {
        found.push(
          `block_id \`${block.block_id}\` already exists for another block [json-pointer:${pointer}/${i}/block_id]`,
        );
      }
      blockIds.add(block.block_id);
    }
    const actionIds = new Set<string>();
    const elements = Array.isArray(block.elements) ? block.elements : [];
    elements.forEach((element, j) => {
      if (!isObject(element) || typeof element.action_id !== "string") return;
      if (actionIds.has(element.action_id)) {
        found.push(
          `\`action_id\` \`${element.action_id}\` already exists for another element [json-pointer:${pointer}/${i}/elements/${j}/action_id]`,
        );
      }
      actionIds.add(element.action_id);
    });
    if (block.type === "section" && block.text === undefined && block.fields === undefined) {
      found.push(`missing required field: text or fields [json-pointer:${pointer}/${i}]`);
    }
  });
  return found;
}

function lengthOf(blocks: readonly JsonObject[], type: string): number {
  const cells = (value: Json | undefined): number => {
    if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + cells(item), 0);
    if (!isObject(value)) return 0;
    return Object.entries(value).reduce(
      (sum, [name, inner]) => sum + (name === "text" && typeof inner === "string" ? inner.length : cells(inner)),
      0,
    );
  };
  return blocks.filter((block) => block.type === type).reduce((sum, block) => sum + cells(block), 0);
}

/**
 * What Slack's types cannot say about blocks that already fit them: lengths, counts, unique ids. Returns Slack's own
 * sentences with JSON pointers; empty when all is well.
 */
export function blockProblems(blocks: readonly JsonObject[], pointer: string, most: number): string[] {
  return [
    ...(blocks.length > most ? [`no more than ${most} items allowed [json-pointer:${pointer}]`] : []),
    ...(lengthOf(blocks, "markdown") > MARKDOWN_TEXT
      ? [`must be less than ${MARKDOWN_TEXT + 1} characters [json-pointer:${pointer}]`]
      : []),
    ...(lengthOf(blocks, "table") > TABLE_TEXT
      ? [`must be less than ${TABLE_TEXT + 1} characters [json-pointer:${pointer}]`]
      : []),
    ...idsUnique(blocks, pointer),
    ...walk(blocks, pointer, "blocks"),
  ];
}

/** The same for a modal: its own texts, its blocks, and a submit button when there is something to submit. */
export function viewProblems(view: JsonObject, pointer: string): string[] {
  const blocks = Array.isArray(view.blocks) ? view.blocks.filter(isObject) : [];
  const { blocks: _, ...own } = view;
  const needsSubmit =
    view.type === "modal" && view.submit === undefined && blocks.some((block) => block.type === "input");
  return [
    ...walk(own, pointer, "view"),
    ...(needsSubmit ? [`missing required field: submit [json-pointer:${pointer}]`] : []),
    ...blockProblems(blocks, `${pointer}/blocks`, BLOCKS_PER_VIEW),
  ];
}
