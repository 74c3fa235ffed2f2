import type { House } from "./house.ts";
import { objects } from "./ids.ts";
import { edit, post, remove } from "./posting.ts";
import { checkBlocks } from "./validate.ts";
import { findMessage, type JsonObject } from "./world.ts";

/** What Slack answers to a call of a `response_url`. */
export interface HookAnswer {
  readonly status: number;
  readonly body: JsonObject | "ok";
}

const no = (status: number, error: string, more: JsonObject = {}): HookAnswer => ({
  status,
  body: { ok: false, error, ...more },
});

/**
 * A `response_url`: five uses in thirty minutes, and the only way to change or remove an ephemeral message. Without
 * `replace_original` it posts anew: for the clicker alone, or for all with `response_type: "in_channel"`.
 */
export function useHook(house: House, hookId: string, body: JsonObject): HookAnswer {
  const hook = house.world.hooks.get(hookId);
  const answer = hook ? run(house, hookId, body) : no(404, "no_such_url");
  house.journal.log("hook", { hook: hookId, body, status: answer.status, ok: answer.status === 200 });
  return answer;
}

function run(house: House, hookId: string, body: JsonObject): HookAnswer {
  const hook = house.world.hooks.get(hookId);
  if (!hook) return no(404, "no_such_url");
  if (hook.uses <= 0) return no(404, "used_url");
  if (house.now() > hook.expires) return no(404, "expired_url");
  const blocks = objects(body.blocks);
  const problems = blocks.length > 0 ? checkBlocks(blocks) : [];
  if (problems.length > 0) return no(400, "invalid_blocks", { response_metadata: { messages: problems } });
  house.journal.commit({ op: "hook", hook: { ...hook, uses: hook.uses - 1 } });

  const original = findMessage(house.world, hook.channel, hook.messageTs);
  if (body.delete_original === true) {
    if (!original) return no(404, "message_not_found");
    remove(house, original);
    return { status: 200, body: "ok" };
  }
  const text = typeof body.text === "string" ? body.text : "";
  if (text === "" && blocks.length === 0) return no(400, "no_text");
  if (body.replace_original === true) {
    if (!original) return no(404, "message_not_found");
    edit(house, original, { text, blocks });
    return { status: 200, body: "ok" };
  }
  post(house, {
    channel: hook.channel,
    user: house.world.seed.app.botUser,
    text,
    blocks,
    // Slack puts it in the channel unless the app names the thread.
    threadTs: typeof body.thread_ts === "string" ? body.thread_ts : null,
    visibleTo: body.response_type === "in_channel" ? null : hook.user,
  });
  return { status: 200, body: "ok" };
}
