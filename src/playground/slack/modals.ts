import type { House } from "./house.ts";
import { id, interactive, objects, withIds } from "./ids.ts";
import { isObject, type JsonObject, type OpenView, viewsOf } from "./world.ts";

/** Open modals: a stack of at most three per person. */
export const STACK_MOST = 3;

const newHash = (house: House) => `${Math.floor(house.now() / 1_000)}.${id("")}`;

const withViewIds = (view: JsonObject): JsonObject => ({ ...view, blocks: withIds(objects(view.blocks), "view") });

/** Shows a modal to a person: alone, or on top of the one it was pushed from. */
export function openView(house: House, o: { user: string; view: JsonObject; on: OpenView | null }): OpenView {
  const viewId = id("V");
  const { on } = o;
  if (!on) closeViews(house, o.user, viewsOf(house.world, o.user));
  const open: OpenView = {
    id: viewId,
    user: o.user,
    hash: newHash(house),
    rootId: on?.rootId ?? viewId,
    previousId: on?.id ?? null,
    view: withViewIds(o.view),
  };
  house.journal.commit({ op: "view", view: open });
  return open;
}

export function replaceView(house: House, before: OpenView, view: JsonObject): OpenView {
  const after: OpenView = { ...before, hash: newHash(house), view: withViewIds(view) };
  house.journal.commit({ op: "view", view: after });
  return after;
}

export function closeViews(house: House, user: string, views: readonly OpenView[]): void {
  if (views.length > 0) house.journal.commit({ op: "view.closed", user, ids: views.map((view) => view.id) });
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

function option(element: JsonObject, wanted: string): JsonObject | null {
  const groups = objects(element.option_groups).flatMap((group) => objects(group.options));
  return [...objects(element.options), ...groups].find((candidate) => candidate.value === wanted) ?? null;
}

/** What one element holds after a person set it to `given` (a text, or several), in the words of `view.state.values`. */
function elementState(element: JsonObject, given: unknown): JsonObject | string {
  const type = text(element.type);
  // A script may send Slack's own form back to us.
  if (isObject(given) && given.type === type) return given;
  const many = Array.isArray(given) ? given.map(String) : given === undefined || given === "" ? [] : [String(given)];
  const [one] = many;
  switch (type) {
    case "static_select":
    case "radio_buttons":
    case "external_select": {
      if (given === undefined) return { type, selected_option: element.initial_option ?? null };
      const chosen = one === undefined ? null : option(element, one);
      return one !== undefined && chosen === null
        ? `"${one}" is not one of the options`
        : { type, selected_option: chosen };
    }
    case "checkboxes":
    case "multi_static_select": {
      if (given === undefined) return { type, selected_options: element.initial_options ?? [] };
      const chosen = many.map((value) => option(element, value));
      const missing = many.find((_, i) => chosen[i] === null);
      return missing !== undefined ? `"${missing}" is not one of the options` : { type, selected_options: chosen };
    }
    case "users_select":
      return { type, selected_user: one ?? (given === undefined ? (element.initial_user ?? null) : null) };
    case "channels_select":
      return { type, selected_channel: one ?? (given === undefined ? (element.initial_channel ?? null) : null) };
    case "conversations_select":
      return {
        type,
        selected_conversation: one ?? (given === undefined ? (element.initial_conversation ?? null) : null),
      };
    case "datepicker":
      return { type, selected_date: one ?? (given === undefined ? (element.initial_date ?? null) : null) };
    case "timepicker":
      return { type, selected_time: one ?? (given === undefined ? (element.initial_time ?? null) : null) };
    default:
      return { type, value: one ?? (given === undefined ? (element.initial_value ?? null) : null) };
  }
}

const isEmpty = (state: JsonObject): boolean =>
  Object.entries(state).every(
    ([name, value]) =>
      name === "type" || value === null || value === "" || (Array.isArray(value) && value.length === 0),
  );

function lengthError(element: JsonObject, state: JsonObject): string | null {
  const value = text(state.value);
  const { min_length: least, max_length: most } = element;
  if (typeof least === "number" && value.length < least) return `Use at least ${least} characters.`;
  if (typeof most === "number" && value.length > most) return `Use at most ${most} characters.`;
  return null;
}

/** What the person typed: by block id and action id, or by either alone. */
export type GivenValues = Readonly<Record<string, unknown>>;

/**
 * The state of a modal as Slack would send it. `errors` is what Slack's own client refuses before it asks the app:
 * required fields left empty, texts too short or long, by block id. `unknown`: names that fit no field.
 */
export function fill(
  view: JsonObject,
  given: GivenValues,
): { values: JsonObject; errors: Record<string, string>; unknown: string[] } {
  const blocks = objects(view.blocks);
  const values: Record<string, Record<string, JsonObject>> = {};
  const errors: Record<string, string> = {};
  const used = new Set<string>();
  for (const { blockId, actionId, element } of interactive(blocks)) {
    if (element.type === "button" || element.type === "overflow" || element.type === "workflow_button") continue;
    const byBlock = given[blockId];
    const nested = isObject(byBlock) && !("type" in byBlock) ? byBlock : null;
    const value = nested ? nested[actionId] : (byBlock ?? given[actionId]);
    if (byBlock !== undefined) used.add(blockId);
    if (given[actionId] !== undefined) used.add(actionId);
    const state = elementState(element, value);
    if (typeof state === "string") {
      errors[blockId] = state;
      continue;
    }
    values[blockId] = { ...values[blockId], [actionId]: state };
    const block = blocks.find((candidate) => candidate.block_id === blockId);
    if (block?.type !== "input") continue;
    const empty = isEmpty(state);
    if (empty && block.optional !== true) errors[blockId] = "Please complete this required field.";
    const length = empty ? null : lengthError(element, state);
    if (length) errors[blockId] = length;
  }
  return { values, errors, unknown: Object.keys(given).filter((name) => !used.has(name)) };
}
