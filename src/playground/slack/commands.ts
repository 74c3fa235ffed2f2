import { newHook } from "./hook-url.ts";
import type { House } from "./house.ts";
import { objects } from "./ids.ts";
import { Impossible, type Outcome, outcomeOf, person } from "./interact.ts";
import { channelFor } from "./person.ts";
import { post } from "./posting.ts";
import { asSlackText } from "./text.ts";
import type { Triggers } from "./triggers.ts";
import { checkBlocks } from "./validate.ts";
import { isObject, type JsonObject } from "./world.ts";

/** Slack's composer sends no longer one. */
const TYPED_MOST = 8_000;

/**
 * A person types a slash command in a channel: Slack asks the app at once, repeats nothing, and shows what it answers to the
 * person alone, unless the answer says `in_channel`. Throws `Impossible`.
 */
export async function runCommand(
  o: { house: House; triggers: Triggers; hookUrl: (hook: string) => string },
  given: { user: string; channel: string; command: string; text: string },
): Promise<Outcome> {
  const { house } = o;
  const { world } = house;
  const user = person(house, given.user);
  const channel = channelFor(house, user, given.channel);
  const known = world.seed.app.commands ?? [];
  if (!known.includes(given.command))
    throw new Impossible(`${given.command} is not a command of this workspace. Use one of ${known.join(", ")}.`);
  if (given.text.length > TYPED_MOST) throw new Impossible(`The text is longer than ${TYPED_MOST} characters.`);
  const place = { channel: channel.id, user: user.id, messageTs: "", threadTs: null };
  const payload: JsonObject = {
    token: "playground",
    team_id: world.seed.team.id,
    team_domain: world.seed.team.domain,
    channel_id: channel.id,
    channel_name: channel.name,
    user_id: user.id,
    user_name: user.name,
    command: given.command,
    text: asSlackText(world, given.text),
    api_app_id: world.seed.app.id,
    is_enterprise_install: "false",
    response_url: o.hookUrl(newHook(house, place)),
    trigger_id: o.triggers.issue(user.id, null),
  };
  house.journal.log("command", { user: user.id, channel: channel.id, command: given.command, text: given.text });
  const outcome = outcomeOf(await house.wire.send({ kind: "slash_commands", payload }));
  const answer = outcome.ok ? readAnswer(outcome.body) : null;
  const problems = answer === null ? [] : checkBlocks(answer.blocks);
  const error = problems.length > 0 ? problems.join("; ") : outcome.error;
  house.journal.log("command.answer", { user: user.id, ok: error === null, ...(error === null ? {} : { error }) });
  if (error !== null) return { ...outcome, ok: false, error };
  if (answer !== null) {
    const { text, blocks, everybody } = answer;
    post(house, {
      channel: channel.id,
      user: world.seed.app.botUser,
      text,
      blocks,
      visibleTo: everybody ? null : user.id,
    });
  }
  return outcome;
}

/** `null`: the app answered with nothing to show. */
function readAnswer(body: string): { text: string; blocks: readonly JsonObject[]; everybody: boolean } | null {
  if (body.trim() === "") return null;
  try {
    const given = JSON.parse(body) as JsonObject;
    if (!isObject(given)) return null;
    const text = typeof given.text === "string" ? given.text : "";
    const blocks = objects(given.blocks);
    if (text === "" && blocks.length === 0) return null;
    return { text, blocks, everybody: given.response_type === "in_channel" };
  } catch {
    // A plain text is the whole answer.
    return { text: body, blocks: [], everybody: false };
  }
}
