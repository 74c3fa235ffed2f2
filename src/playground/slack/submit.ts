import type { House } from "./house.ts";
import { interactive, objects } from "./ids.ts";
import { type Act, actInView, Impossible, type Outcome, person, sendInteraction, viewPayload } from "./interact.ts";
import { closeViews, fill, type GivenValues, openView, replaceView, STACK_MOST } from "./modals.ts";
import type { Triggers } from "./triggers.ts";
import { checkView } from "./validate.ts";
import { isObject, type JsonObject, type OpenView, viewsOf } from "./world.ts";

/** What became of a modal: it stays with errors by block id, or it went (closed, replaced, pushed). */
export type ViewOutcome =
  | { readonly ok: true; readonly response_action: "none" | "clear" | "update" | "push" | "closed" }
  | { readonly ok: false; readonly response_action: "errors"; readonly errors: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly response_action: "failed"; readonly error: string };

interface Shared {
  readonly house: House;
  readonly triggers: Triggers;
}

function openFor(house: House, user: string, viewId: string): OpenView {
  const open = house.world.views.get(viewId);
  if (open?.user === user) return open;
  const mine = viewsOf(house.world, user).map((view) => view.id);
  throw new Impossible(
    `${user} has no open modal "${viewId}". ${mine.length > 0 ? `Open now: ${mine.join(", ")}.` : "Nothing is open; click the button that opens it."}`,
  );
}

/** The answer to a submission, in Slack's words; an empty body closes the modal. */
function applyAnswer(house: House, open: OpenView, outcome: Outcome): ViewOutcome {
  const { user } = open;
  if (!outcome.ok) return { ok: false, response_action: "failed", error: outcome.error ?? "unknown_error" };
  let answer: JsonObject = {};
  if (outcome.body.trim() !== "") {
    try {
      answer = JSON.parse(outcome.body) as JsonObject;
    } catch {
      return { ok: false, response_action: "failed", error: "The app's answer is not JSON." };
    }
  }
  // While the app thought, the modal may have been updated by `views.update`; the newest one counts.
  const current = house.world.views.get(open.id) ?? open;
  const action = answer.response_action;
  if (action === undefined) {
    closeViews(house, user, [current]);
    return { ok: true, response_action: "none" };
  }
  if (action === "clear") {
    closeViews(house, user, viewsOf(house.world, user));
    return { ok: true, response_action: "clear" };
  }
  if (action === "errors" && isObject(answer.errors)) {
    const errors = Object.fromEntries(
      Object.entries(answer.errors).map(([block, message]) => [block, String(message)]),
    );
    const blocks = new Set(objects(current.view.blocks).map((block) => block.block_id));
    const stray = Object.keys(errors).filter((block) => !blocks.has(block));
    if (stray.length > 0)
      return { ok: false, response_action: "failed", error: `No block "${stray.join('", "')}" in the modal.` };
    return { ok: false, response_action: "errors", errors };
  }
  if ((action === "update" || action === "push") && isObject(answer.view)) {
    const problems = checkView(answer.view);
    if (problems.length > 0) return { ok: false, response_action: "failed", error: problems.join("; ") };
    if (action === "update") replaceView(house, current, answer.view);
    else if (viewsOf(house.world, user).length >= STACK_MOST)
      return { ok: false, response_action: "failed", error: "push_limit_reached" };
    else openView(house, { user, view: answer.view, on: current });
    return { ok: true, response_action: action };
  }
  return { ok: false, response_action: "failed", error: `Unknown response_action ${JSON.stringify(action)}.` };
}

/** A person presses the modal's submit button. */
export async function submitView(
  o: Shared,
  given: { user: string; viewId: string; values: GivenValues },
): Promise<ViewOutcome> {
  const user = person(o.house, given.user);
  const open = openFor(o.house, user.id, given.viewId);
  const { values, errors, unknown } = fill(open.view, given.values);
  if (unknown.length > 0) {
    const fields = interactive(objects(open.view.blocks)).map((field) => `${field.blockId}.${field.actionId}`);
    throw new Impossible(`The modal has no field "${unknown.join('", "')}". Fields: ${fields.join(", ") || "none"}.`);
  }
  // Slack's client refuses these itself; the app hears nothing.
  if (Object.keys(errors).length > 0) return { ok: false, response_action: "errors", errors };
  const payload = viewPayload(o, { type: "view_submission", user, open, values, cleared: false });
  const outcome = applyAnswer(o.house, open, await sendInteraction(o.house, payload));
  if (outcome.response_action === "failed") {
    o.house.journal.log("interaction.answer", {
      type: "view_submission",
      user: user.id,
      ok: false,
      error: outcome.error,
    });
  }
  return outcome;
}

/** A person closes the top modal, or with `all` every one of them. The app hears of it only when it asked to. */
export async function closeView(
  o: Shared,
  given: { user: string; viewId: string; all: boolean },
): Promise<ViewOutcome> {
  const user = person(o.house, given.user);
  const open = openFor(o.house, user.id, given.viewId);
  const stack = viewsOf(o.house.world, user.id);
  const closing = given.all || open.view.clear_on_close === true ? stack : stack.slice(stack.indexOf(open));
  closeViews(o.house, user.id, closing);
  for (const view of closing.toReversed()) {
    if (view.view.notify_on_close !== true) continue;
    const { values } = fill(view.view, {});
    await sendInteraction(
      o.house,
      viewPayload(o, { type: "view_closed", user, open: view, values, cleared: given.all }),
    );
  }
  return { ok: true, response_action: "closed" };
}

/** A person uses something inside a modal, or in the app's Home, that tells the app at once. */
export async function useInView(
  o: Shared,
  given: { user: string; viewId: string; act: Act; values: GivenValues },
): Promise<Outcome> {
  const { id: user } = person(o.house, given.user);
  const home = o.house.world.homes.get(user);
  const open = home?.id === given.viewId ? home : openFor(o.house, user, given.viewId);
  const { values } = fill(open.view, given.values);
  const offered = interactive(objects(open.view.blocks));
  return actInView(o, { user: given.user, open, offered, act: given.act, values });
}
