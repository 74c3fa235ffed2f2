/**
 * Slack's text as a person typed it: entities decoded, `<…>` forms undone, mentions of us removed. One pass, so that
 * a typed "&amp;lt;" stays "&lt;". https://docs.slack.dev/messaging/formatting-message-text
 */
export function speech(text: string, botUserId: string): string {
  return text
    .replace(/<([^<>]*)>|&(amp|lt|gt);/g, (_all, inside: string | undefined, entity: string | undefined) =>
      inside === undefined ? ENTITIES[entity as keyof typeof ENTITIES] : undone(inside, botUserId),
    )
    .replaceAll("\u00a0", " ")
    .trim();
}

const ENTITIES = { amp: "&", lt: "<", gt: ">" } as const;

const plain = (text: string) =>
  text.replace(/&(amp|lt|gt);/g, (_all, entity: keyof typeof ENTITIES) => ENTITIES[entity]);

function undone(inside: string, botUserId: string): string {
  const bar = inside.indexOf("|");
  const target = plain(bar === -1 ? inside : inside.slice(0, bar));
  const label = bar === -1 ? null : plain(inside.slice(bar + 1));
  switch (target[0]) {
    case "@":
      return target.slice(1) === botUserId ? "" : `@${label ?? target.slice(1)}`;
    case "#":
      return `#${label || target.slice(1)}`;
    case "!":
      return label ?? `@${target.slice(1)}`;
    default:
      break;
  }
  if (label === null) return target.replace(/^mailto:/, "");
  // Slack links what looks like an address by itself; then the label is what was typed.
  const typed = [`http://${label}`, `https://${label}`, `mailto:${label}`, label].includes(target);
  return typed ? label : `${label} (${target})`;
}

/** A message that is nothing but a word for stop. Only this is heard without a mention. */
export const isStopWord = (text: string): boolean => /^\s*(stop|cancel|kill)\s*[.!]*\s*$/i.test(text);
