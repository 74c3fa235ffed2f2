import type { AgentEvent } from "#ports/agent.ts";
import type { EventBody } from "./event.ts";

/** An agent's event with the cursor that stands behind it. */
export interface Heard {
  readonly cursor: number;
  readonly event: AgentEvent;
}

/** Text arrives in crumbs; this much is put together before it is recorded all the same. */
const TEXT_HELD = 8_000;

type Text = Extract<AgentEvent, { kind: "agent.message" | "agent.thought" | "tool.output" }>;

const isText = (event: AgentEvent): event is Text =>
  event.kind === "agent.message" || event.kind === "agent.thought" || event.kind === "tool.output";

const sameText = (a: AgentEvent, b: AgentEvent): boolean =>
  a.kind === b.kind && (a.kind !== "tool.output" || b.kind !== "tool.output" || a.tool === b.tool);

/**
 * What of the heard may be recorded now. Held back: a message that is still being said, and output whose end may be
 * the beginning of a secret. What is held is neither recorded nor passed by the cursor, so a crash hears it again.
 */
export function settle(
  heard: readonly Heard[],
  o: { readonly final: boolean; readonly open: (text: string) => boolean },
): { readonly ready: readonly Heard[]; readonly held: readonly Heard[] } {
  if (o.final) return { ready: heard, held: [] };
  const last = heard.at(-1);
  if (!last || !isText(last.event)) return { ready: heard, held: [] };
  let start = heard.length - 1;
  while (start > 0) {
    const before = heard[start - 1];
    if (!before || !sameText(before.event, last.event)) break;
    start -= 1;
  }
  const tail = heard.slice(start);
  const text = tail.map(({ event }) => (isText(event) ? event.text : "")).join("");
  const hold = text.length < TEXT_HELD && (last.event.kind !== "tool.output" || o.open(text));
  return hold ? { ready: heard.slice(0, start), held: tail } : { ready: heard, held: [] };
}

/** The events as the record keeps them; adjacent crumbs of one text become one. */
export function bodiesOf(heard: readonly Heard[]): EventBody[] {
  const bodies: EventBody[] = [];
  let text = null as Text | null;
  const flush = () => {
    if (text?.kind === "agent.message" && text.text.trim() !== "")
      bodies.push({ kind: "agent.said", text: text.text.trim() });
    if (text?.kind === "tool.output") bodies.push({ kind: "tool.output", tool: text.tool, text: text.text });
    text = null;
  };
  for (const { event } of heard) {
    if (isText(event)) {
      if (text !== null && sameText(text, event)) text = { ...text, text: text.text + event.text };
      else {
        flush();
        text = event;
      }
      continue;
    }
    flush();
    const body = bodyOf(event);
    if (body) bodies.push(body);
  }
  flush();
  return bodies;
}

/** `null` for what is recorded elsewhere: a permission by its decision, a turn's end by whoever ends it. */
function bodyOf(event: Exclude<AgentEvent, Text>): EventBody | null {
  switch (event.kind) {
    case "agent.started":
      return { kind: "agent.started", session: event.session, name: event.name, version: event.version };
    case "agent.plan":
      return { kind: "agent.planned", tasks: event.entries.map(({ title, status }) => ({ title, status })) };
    case "tool.started":
      return {
        kind: "tool.started",
        tool: event.tool,
        toolKind: event.toolKind,
        title: event.title,
        command: event.command,
      };
    case "tool.ended":
      return { kind: "tool.ended", tool: event.tool, status: event.status, exitCode: event.exitCode };
    case "agent.exited":
      return { kind: "agent.exited", code: event.code, signal: event.signal };
    case "file.changed":
    case "permission.asked":
    case "turn.ended":
      return null;
    default:
      return event satisfies never;
  }
}
