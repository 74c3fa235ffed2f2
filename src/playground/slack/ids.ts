import { createHash, randomBytes } from "node:crypto";
import { isObject, type Json, type JsonObject, type Offered } from "./world.ts";

/** An id as Slack's look, e.g. `id("Ev")` → "Ev0A1B2C3D4E". */
export function id(prefix: string): string {
  return `${prefix}0${randomBytes(5).toString("hex").toUpperCase()}`;
}

export const objects = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? value.filter(isObject) : [];

const INTERACTIVE = new Set([
  "button",
  "checkboxes",
  "datepicker",
  "datetimepicker",
  "email_text_input",
  "external_select",
  "feedback_buttons",
  "icon_button",
  "multi_static_select",
  "multi_users_select",
  "number_input",
  "overflow",
  "plain_text_input",
  "radio_buttons",
  "static_select",
  "timepicker",
  "url_text_input",
  "users_select",
  "channels_select",
  "conversations_select",
  "workflow_button",
]);

function short(seed: string): string {
  return createHash("sha256").update(seed).digest("base64url").slice(0, 5);
}

/** Gives every block and interactive element an id, as Slack does. The same blocks at the same place get the same ids. */
export function withIds(blocks: readonly JsonObject[], seed = ""): JsonObject[] {
  const element = (value: Json | undefined, place: string): Json | undefined =>
    isObject(value) && INTERACTIVE.has(String(value.type)) && value.action_id === undefined
      ? { ...value, action_id: short(place) }
      : value;
  return blocks.map((block, i) => {
    const place = `${seed}/${i}/${String(block.type)}`;
    const out: Record<string, Json | undefined> = { ...block, block_id: block.block_id || short(place) };
    if (Array.isArray(block.elements) && block.type !== "rich_text") {
      out.elements = block.elements.map((item, j) => element(item, `${place}/${j}`) ?? null);
    }
    if (block.accessory !== undefined) out.accessory = element(block.accessory, `${place}/accessory`);
    if (block.element !== undefined) out.element = element(block.element, `${place}/element`);
    if (Array.isArray(block.actions))
      out.actions = block.actions.map((item, j) => element(item, `${place}/${j}`) ?? null);
    if (Array.isArray(block.child_blocks)) out.child_blocks = withIds(objects(block.child_blocks), place);
    return out;
  });
}

/** Every element of these blocks that a person can use. */
export function interactive(blocks: readonly JsonObject[]): Offered[] {
  return blocks.flatMap((block) => {
    const blockId = String(block.block_id ?? "");
    const own = [...objects(block.elements), ...objects(block.actions), block.accessory, block.element]
      .filter(isObject)
      .filter((element) => INTERACTIVE.has(String(element.type)))
      .map((element) => ({ blockId, actionId: String(element.action_id ?? ""), element }));
    return [...own, ...interactive(objects(block.child_blocks))];
  });
}
