import { publishHome } from "#playground/slack/homes.ts";
import { openView, replaceView, STACK_MOST } from "#playground/slack/modals.ts";
import { viewJson } from "#playground/slack/shape.ts";
import type { Triggers } from "#playground/slack/triggers.ts";
import { isObject, type JsonObject, viewsOf } from "#playground/slack/world.ts";
import { type Call, knownUser, type Method, refuse, str } from "./call.ts";

const viewOf = (call: Call): JsonObject => (isObject(call.args.view) ? call.args.view : {});

const onlyType = (type: string): JsonObject => ({
  response_metadata: { messages: [`[ERROR] must be "${type}" [json-pointer:/view/type]`] },
});

/** `views.*`. A trigger is used up by the first call that brings it, also when that call is refused later. */
export function viewMethods(triggers: Triggers): Readonly<Record<string, Method>> {
  const open: Method = (call) => {
    if (viewOf(call).type !== "modal") return refuse("invalid_arguments", onlyType("modal"));
    const trigger = triggers.use(str(call, "trigger_id"));
    if (typeof trigger === "string") return refuse(trigger);
    const made = openView(call.house, { user: trigger.user, view: viewOf(call), on: null });
    return { ok: true, view: viewJson(call.house.world, made, {}) };
  };

  const push: Method = (call) => {
    const trigger = triggers.use(str(call, "trigger_id"));
    if (typeof trigger === "string") return refuse(trigger);
    const stack = viewsOf(call.house.world, trigger.user);
    if (trigger.viewId === null) return refuse("invalid_trigger_id");
    if (stack.length >= STACK_MOST) return refuse("push_limit_reached");
    const made = openView(call.house, { user: trigger.user, view: viewOf(call), on: stack.at(-1) ?? null });
    return { ok: true, view: viewJson(call.house.world, made, {}) };
  };

  const update: Method = (call) => {
    const { world } = call.house;
    const externalId = str(call, "external_id");
    const known =
      world.views.get(str(call, "view_id")) ??
      (externalId ? [...world.views.values()].find((view) => view.view.external_id === externalId) : undefined);
    if (!known) return refuse("not_found");
    const hash = str(call, "hash");
    if (hash !== "" && hash !== known.hash) return refuse("hash_conflict");
    return { ok: true, view: viewJson(world, replaceView(call.house, known, viewOf(call)), {}) };
  };

  const publish: Method = (call) => {
    const { world } = call.house;
    if (viewOf(call).type !== "home") return refuse("invalid_arguments", onlyType("home"));
    const user = knownUser(call, str(call, "user_id"));
    if (!user || user.isBot) return refuse("user_not_found");
    const hash = str(call, "hash");
    if (hash !== "" && hash !== world.homes.get(user.id)?.hash) return refuse("hash_conflict");
    return { ok: true, view: viewJson(world, publishHome(call.house, user.id, viewOf(call)), {}) };
  };

  return { "views.publish": publish, "views.open": open, "views.push": push, "views.update": update };
}
