import type { JsonObject, World } from "./world.ts";

const TOKEN =
  /<(?:@[UW][A-Z0-9]+|#C[A-Z0-9]+(?:\|[^>]*)?|!subteam\^S[A-Z0-9]+(?:\|[^>]*)?|!here|!channel|https?:\/\/[^>\s]+)>/g;

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** One stretch of plain typing: handles become mentions, addresses become links, the rest is escaped. */
function encode(world: World, text: string): string {
  const handles = new Map<string, string>([
    ...world.seed.users.map((user) => [`@${user.name}`, `<@${user.id}>`] as const),
    ...[...world.groups.values()].map((group) => [`@${group.handle}`, `<!subteam^${group.id}>`] as const),
    ...world.seed.channels.map((channel) => [`#${channel.name}`, `<#${channel.id}|${channel.name}>`] as const),
  ]);
  return text
    .split(/(https?:\/\/[^\s<>"`]*[^\s<>"`.,;:!?)\]}'])/)
    .map((part, i) =>
      i % 2 === 1
        ? `<${escaped(part)}>`
        : escaped(part).replace(/(?<![\w/`.])[@#][\w-]+/g, (handle) => handles.get(handle.toLowerCase()) ?? handle),
    )
    .join("");
}

/**
 * What a person typed, as Slack sends it to apps: "@agent" is `<@U0AGENT>`, `&<>` are escaped, addresses are wrapped.
 * Mentions already in Slack's form stay. Bare domains are left alone, where Slack's own client links some of them.
 */
export function asSlackText(world: World, typed: string): string {
  let out = "";
  let last = 0;
  for (const match of typed.matchAll(TOKEN)) {
    out += encode(world, typed.slice(last, match.index)) + match[0];
    last = match.index + match[0].length;
  }
  return out + encode(world, typed.slice(last));
}

const unescaped = (text: string) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

/** The rich text block that Slack's composer sends along with a person's message. */
export function asRichText(text: string): JsonObject {
  const elements: JsonObject[] = [];
  const plain = (part: string) => {
    part.split(/(`[^`\n]+`)/).forEach((piece, i) => {
      if (piece === "") return;
      if (i % 2 === 1) elements.push({ type: "text", text: unescaped(piece.slice(1, -1)), style: { code: true } });
      else elements.push({ type: "text", text: unescaped(piece) });
    });
  };
  let last = 0;
  for (const match of text.matchAll(TOKEN)) {
    plain(text.slice(last, match.index));
    last = match.index + match[0].length;
    const inner = match[0].slice(1, -1);
    const [target = "", label] = inner.split("|");
    if (target.startsWith("@")) elements.push({ type: "user", user_id: target.slice(1) });
    else if (target.startsWith("#")) elements.push({ type: "channel", channel_id: target.slice(1) });
    else if (target.startsWith("!subteam^")) elements.push({ type: "usergroup", usergroup_id: target.slice(9) });
    else if (target.startsWith("!")) elements.push({ type: "broadcast", range: target.slice(1) });
    else elements.push({ type: "link", url: unescaped(target), ...(label ? { text: label } : {}) });
  }
  plain(text.slice(last));
  return { type: "rich_text", elements: [{ type: "rich_text_section", elements }] };
}

/** Whether a text mentions this user. */
export function mentions(text: string, user: string): boolean {
  return text.includes(`<@${user}>`) || text.includes(`<@${user}|`);
}
