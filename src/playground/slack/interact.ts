import { newHook } from "./hook-url.ts";
import type { House } from "./house.ts";
import { objects } from "./ids.ts";
import { channelJson, messageJson, viewJson } from "./shape.ts";
import type { Answer } from "./sign.ts";
import type { Triggers } from "./triggers.ts";
import {
  findChannel,
  findMessage,
  findUser,
  isObject,
  type JsonObject,
  type Message,
  type Offered,
  type OpenView,
  type SeedUser,
} from "./world.ts";

/** People's clicks, as `block_actions` to the app. */

/** A person's act that could not be done. `message` says what to do instead; scripts get it with HTTP 400. */
export class Impossible extends Error {
  override readonly name = "Impossible";
}

/** What the app made of an act: `ok` when it answered 200 in time. Slack's client shows a warning otherwise. */
export interface Outcome {
  readonly ok: boolean;
  readonly status: number | null;
  readonly body: string;
  readonly error: string | null;
}

export interface Act {
  readonly type: string;
  readonly actionId: string;
  readonly blockId: string | null;
  readonly value: string | null;
}

export function person(house: House, user: string): SeedUser {
  const found = findUser(house.world, user);
  if (!found) {
    const known = house.world.seed.users.filter((candidate) => !candidate.isBot).map((candidate) => candidate.id);
    throw new Impossible(`No user "${user}". Use one of ${known.join(", ")}.`);
  }
  if (found.isBot) throw new Impossible(`"${user}" is the app itself. Act as a person.`);
  return found;
}

const userPart = (house: House, user: SeedUser): JsonObject => ({
  id: user.id,
  username: user.name,
  name: user.name,
  team_id: house.world.seed.team.id,
});

const common = (house: House, user: SeedUser): JsonObject => ({
  user: userPart(house, user),
  api_app_id: house.world.seed.app.id,
  token: "playground",
  team: { id: house.world.seed.team.id, domain: house.world.seed.team.domain },
  enterprise: null,
  is_enterprise_install: false,
});

/** Sends one interaction and waits, at most as long as Slack does. Interactions are never repeated. */
export async function sendInteraction(house: House, payload: JsonObject): Promise<Outcome> {
  const about = { type: payload.type, user: isObject(payload.user) ? payload.user.id : null };
  house.journal.log("interaction", { ...about, payload });
  const answer = await house.wire.send({ kind: "interactive", payload });
  const outcome = outcomeOf(answer);
  const { ok, error } = outcome;
  house.journal.log("interaction.answer", { ...about, ok, ms: answer.ms, ...(ok ? {} : { error }) });
  return outcome;
}

/** An answer that is not 200, or none at all, is a failure that Slack's client shows. */
export function outcomeOf(answer: Answer): Outcome {
  const ok = answer.ok && answer.status === 200;
  const error = ok ? null : answer.ok ? `http ${answer.status}` : answer.reason;
  return { ok, status: answer.ok ? answer.status : null, body: answer.ok ? answer.body : "", error };
}

function find(offered: readonly Offered[], act: Act): Offered | null {
  const named = offered.filter(
    (offer) =>
      offer.actionId === act.actionId &&
      offer.element.type === act.type &&
      (act.blockId === null || offer.blockId === act.blockId),
  );
  if (act.type !== "button" || act.value === null) return named[0] ?? null;
  return named.find((offer) => (offer.element.value ?? "") === act.value) ?? null;
}

/** The one entry of `actions`, as Slack sends it for this kind of element. */
function actionPart(offer: Offered, act: Act, ts: string): JsonObject {
  const { element } = offer;
  const base = { action_id: offer.actionId, block_id: offer.blockId, type: element.type, action_ts: ts };
  const options = [
    ...objects(element.options),
    ...objects(element.option_groups).flatMap((group) => objects(group.options)),
  ];
  if (act.type === "button") {
    const { text, value, style } = element;
    return { ...base, text, ...(value === undefined ? {} : { value }), ...(style === undefined ? {} : { style }) };
  }
  if (act.type === "users_select") return { ...base, selected_user: act.value };
  if (options.length > 0) {
    const chosen = options.find((option) => option.value === act.value);
    if (!chosen) throw new Impossible(`"${act.value ?? ""}" is not one of the options of "${act.actionId}".`);
    return act.type === "checkboxes" ? { ...base, selected_options: [chosen] } : { ...base, selected_option: chosen };
  }
  return { ...base, ...(act.value === null ? {} : { value: act.value }) };
}

/** A message this person can see, or a sentence saying why not. */
export function seenBy(house: House, user: SeedUser, channelId: string, ts: string): Message {
  const channel = findChannel(house.world, channelId);
  if (!channel) {
    throw new Impossible(
      `No channel "${channelId}". Use one of ${house.world.seed.channels.map((c) => c.id).join(", ")}.`,
    );
  }
  if (!channel.members.includes(user.id)) throw new Impossible(`${user.realName} is not in #${channel.name}.`);
  const message = findMessage(house.world, channelId, ts);
  if (!message)
    throw new Impossible(`No message ${ts} in #${channel.name}. GET /_control/messages/${channelId} lists them.`);
  if (message.visibleTo !== null && message.visibleTo !== user.id) {
    throw new Impossible(`Message ${ts} is ephemeral and ${user.realName} does not see it.`);
  }
  return message;
}

/** A person uses a button or menu of a message, perhaps of a version that has been edited since. */
export async function actOnMessage(
  o: { house: House; triggers: Triggers; hookUrl: (hook: string) => string },
  given: { user: string; channel: string; ts: string; act: Act },
): Promise<Outcome> {
  const { house } = o;
  const user = person(house, given.user);
  const message = seenBy(house, user, given.channel, given.ts);
  const offer = find(message.offered, given.act);
  if (!offer) {
    const names = message.offered.map(
      (known) => `${String(known.element.type)} "${known.actionId}" in "${known.blockId}"`,
    );
    throw new Impossible(
      names.length === 0
        ? `Message ${given.ts} has nothing to act on.`
        : `Message ${given.ts} has no ${given.act.type} "${given.act.actionId}" with this value. It has: ${names.join(", ")}.`,
    );
  }
  const channel = findChannel(house.world, given.channel);
  const ephemeral = message.visibleTo !== null;
  const payload: JsonObject = {
    type: "block_actions",
    ...common(house, user),
    container: {
      type: "message",
      message_ts: message.ts,
      channel_id: message.channel,
      is_ephemeral: ephemeral,
      ...(message.threadTs ? { thread_ts: message.threadTs } : {}),
    },
    trigger_id: o.triggers.issue(user.id, null),
    channel: { id: message.channel, name: channel ? (channelJson(house.world, channel).name ?? "") : "" },
    ...(ephemeral ? {} : { message: messageJson(house.world, message, { metadata: true }) }),
    state: { values: {} },
    response_url: o.hookUrl(
      newHook(house, {
        channel: message.channel,
        user: user.id,
        messageTs: message.ts,
        threadTs: message.threadTs,
      }),
    ),
    actions: [actionPart(offer, given.act, house.journal.nextTs())],
  };
  return sendInteraction(house, payload);
}

/** A person uses a button or a dispatching input inside a modal. `values` is the state of the whole form. */
export async function actInView(
  o: { house: House; triggers: Triggers },
  given: { user: string; open: OpenView; offered: readonly Offered[]; act: Act; values: JsonObject },
): Promise<Outcome> {
  const user = person(o.house, given.user);
  const offer = find(given.offered, given.act);
  if (!offer) throw new Impossible(`The modal has no ${given.act.type} "${given.act.actionId}".`);
  return sendInteraction(o.house, {
    type: "block_actions",
    ...common(o.house, user),
    container: { type: "view", view_id: given.open.id },
    trigger_id: o.triggers.issue(user.id, given.open.id),
    view: viewJson(o.house.world, given.open, given.values),
    actions: [actionPart(offer, given.act, o.house.journal.nextTs())],
  });
}

export function viewPayload(
  o: { house: House; triggers: Triggers },
  given: {
    type: "view_submission" | "view_closed";
    user: SeedUser;
    open: OpenView;
    values: JsonObject;
    cleared: boolean;
  },
): JsonObject {
  return {
    type: given.type,
    ...common(o.house, given.user),
    view: viewJson(o.house.world, given.open, given.values),
    ...(given.type === "view_closed"
      ? { is_cleared: given.cleared }
      : { trigger_id: o.triggers.issue(given.user.id, given.open.id), response_urls: [] }),
  };
}
