/** Slack's table of methods and the bot scopes that open them: any one of a list is enough. https://docs.slack.dev/reference/methods */
const READS = ["channels:read", "groups:read", "im:read", "mpim:read"];
const HISTORY = ["channels:history", "groups:history", "im:history", "mpim:history"];

const SCOPES: Readonly<Record<string, readonly string[]>> = {
  "agents.sessions.setStatus": ["chat:write"],
  "assistant.threads.setStatus": ["assistant:write", "chat:write"],
  "bots.info": ["users:read"],
  "chat.appendStream": ["chat:write"],
  "chat.delete": ["chat:write"],
  "chat.postEphemeral": ["chat:write"],
  "chat.postMessage": ["chat:write"],
  "chat.startStream": ["chat:write"],
  "chat.stopStream": ["chat:write"],
  "chat.update": ["chat:write"],
  "conversations.history": HISTORY,
  "conversations.info": READS,
  "conversations.list": READS,
  "conversations.members": READS,
  "conversations.replies": HISTORY,
  "reactions.add": ["reactions:write"],
  "reactions.get": ["reactions:read"],
  "reactions.remove": ["reactions:write"],
  "team.info": ["team:read"],
  "usergroups.list": ["usergroups:read"],
  "usergroups.users.list": ["usergroups:read"],
  "users.info": ["users:read"],
  "users.list": ["users:read"],
  "users.lookupByEmail": ["users:read.email"],
};

/** All that any method here asks for. */
export const EVERY_SCOPE: readonly string[] = [
  ...new Set([...Object.values(SCOPES).flat(), "app_mentions:read", "commands", "im:write"]),
].sort();

/** Slack's refusal of a method that the token was not granted; `null`: it was. */
export function missingScope(method: string, granted: readonly string[]): { needed: string; provided: string } | null {
  const needed = SCOPES[method] ?? [];
  if (needed.length === 0 || needed.some((scope) => granted.includes(scope))) return null;
  return { needed: needed.join(","), provided: granted.join(",") };
}
