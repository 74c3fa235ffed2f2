import path from "node:path";
import type { AgentEvent, PlanEntry } from "#ports/agent.ts";
import { type Fields, fields, list, text } from "./jsonrpc.ts";

interface Tool {
  kind: string;
  title: string;
  input: Fields;
  /** Output already given out; agents send the whole of it again and again. */
  said: string;
  exitCode: number | null;
  changed: string[];
  started: boolean;
  /** A to-do list kept with a tool: told as a plan, not as a call. */
  plan: boolean;
}

/** Tool calls of one session: turns the protocol's overlapping reports into one start, its output, one end. */
export interface ToolBook {
  update(update: Fields): AgentEvent[];
  /** A permission ask describes the call too, often better than the call itself. */
  asked(call: Fields): {
    events: AgentEvent[];
    ask: Omit<Extract<AgentEvent, { kind: "permission.asked" }>, "kind" | "ask">;
  };
  /** Ends what is still open: the turn is over or the process is gone. */
  interrupt(): AgentEvent[];
}

/** `workdir`: paths below it are told relative to it. */
export function toolBook(workdir: string): ToolBook {
  const open = new Map<string, Tool>();

  function note(id: string, call: Fields): Tool {
    const tool = open.get(id) ?? {
      kind: "other",
      title: "",
      input: {},
      said: "",
      exitCode: null,
      changed: [],
      started: false,
      plan: false,
    };
    tool.kind = text(call.kind) ?? tool.kind;
    tool.input = { ...tool.input, ...fields(call.rawInput) };
    tool.title = titleOf(text(call.title) ?? tool.title, call, tool.input, workdir);
    tool.exitCode = exitCode(call) ?? tool.exitCode;
    for (const diff of diffs(call)) if (!tool.changed.includes(diff.path)) tool.changed.push(diff.path);
    open.set(id, tool);
    return tool;
  }

  function start(id: string, tool: Tool): AgentEvent[] {
    if (tool.started || tool.plan) return [];
    tool.started = true;
    return [{ kind: "tool.started", tool: id, toolKind: tool.kind, title: tool.title, command: command(tool.input) }];
  }

  function end(id: string, tool: Tool, status: "ok" | "failed" | "interrupted"): AgentEvent[] {
    open.delete(id);
    if (tool.plan) return [];
    const changed = status === "ok" ? tool.changed.map((file) => relative(workdir, file)) : [];
    return [
      ...start(id, tool),
      { kind: "tool.ended", tool: id, status, exitCode: tool.exitCode },
      ...changed.map((file): AgentEvent => ({ kind: "file.changed", path: file })),
    ];
  }

  return {
    update(call) {
      const id = text(call.toolCallId);
      if (id === null) return [];
      const tool = note(id, call);
      const status = text(call.status);
      if (Array.isArray(tool.input.todos)) {
        const first = !tool.plan;
        tool.plan = true;
        if (status === "completed" || status === "failed") open.delete(id);
        return first ? [{ kind: "agent.plan", entries: planEntries({ entries: tool.input.todos }) }] : [];
      }
      const done = status === "completed" || status === "failed";
      // A pending call without its input is only the name of a tool: its real title comes with the next update.
      const events = done || status === "in_progress" || described(tool) ? start(id, tool) : [];
      const more = newOutput(tool, call);
      if (more !== "") events.push({ kind: "tool.output", tool: id, text: more });
      if (done) events.push(...end(id, tool, status === "completed" && (tool.exitCode ?? 0) === 0 ? "ok" : "failed"));
      return events;
    },
    asked(call) {
      const id = text(call.toolCallId) ?? "unnamed";
      const tool = note(id, call);
      // Only what the ask itself shows is covered by the digest, or else what the call showed before it.
      const shown = Object.keys(fields(call.rawInput)).length > 0 ? fields(call.rawInput) : tool.input;
      const changes = diffs(call);
      const input = {
        kind: tool.kind,
        ...(Object.keys(shown).length > 0 ? { input: shown } : { title: tool.title }),
        ...(changes.length > 0 ? { changes } : {}),
      };
      const cmd = command(shown) ?? (tool.kind === "execute" && tool.title !== "" ? tool.title : null);
      return {
        events: start(id, tool),
        ask: { tool: id, toolKind: tool.kind, title: tool.title, command: cmd, input },
      };
    },
    interrupt: () => [...open].flatMap(([id, tool]) => end(id, tool, "interrupted")),
  };
}

/** ACP's plan: every update carries the whole list. */
export function planEntries(update: Fields): PlanEntry[] {
  return list(update.entries).map((item) => {
    const entry = fields(item);
    const status = text(entry.status);
    return {
      title: text(entry.content) ?? "",
      status: status === "completed" ? "complete" : status === "in_progress" ? "in_progress" : "pending",
    };
  });
}

/**
 * Some agents call a tool "read" and say only beside it of what, and some say only an address: "Read README.md" and "Fetch
 * https://…" are what people want to see.
 */
function titleOf(title: string, call: Fields, input: Fields, workdir: string): string {
  if (/^https?:\/\/\S+$/.test(title)) return `Fetch ${title}`;
  if (!/^[a-z_]+$/.test(title)) return title;
  const place = text(fields(list(call.locations)[0]).path) ?? text(input.filePath) ?? text(input.path);
  const what = place === null ? (text(input.url) ?? text(input.pattern)) : relative(workdir, place);
  return what === null ? title : `${title.charAt(0).toUpperCase()}${title.slice(1)} ${what}`;
}

/** The text of a content block, "" for pictures and sounds. */
export function blockText(content: unknown): string {
  return text(fields(content).text) ?? "";
}

function described(tool: Tool): boolean {
  return Object.keys(tool.input).some((key) => key !== "cwd");
}

function command(input: Fields): string | null {
  const said = input.command ?? input.cmd;
  if (Array.isArray(said) && said.every((part) => typeof part === "string")) {
    const [shell, flag, script] = said;
    return said.length === 3 && /sh$/.test(shell ?? "") && /^-\w*c$/.test(flag ?? "")
      ? (script ?? null)
      : said.join(" ");
  }
  return text(said);
}

function newOutput(tool: Tool, call: Fields): string {
  const delta = text(fields(fields(call._meta).terminal_output_delta).data);
  if (delta !== null) return delta;
  const whole = list(call.content)
    .map((item) => (text(fields(item).type) === "content" ? blockText(fields(item).content) : ""))
    .join("");
  if (whole === "") return "";
  const more = whole.startsWith(tool.said) ? whole.slice(tool.said.length) : whole;
  tool.said = whole;
  return more;
}

function exitCode(call: Fields): number | null {
  const raw = fields(call.rawOutput);
  const places = [
    raw.exitCode,
    raw.exit_code,
    fields(raw.metadata).exit,
    fields(fields(call._meta).terminal_exit).exit_code,
  ];
  return places.find((value): value is number => typeof value === "number") ?? null;
}

interface Diff {
  readonly path: string;
  readonly oldText: string | null;
  readonly newText: string | null;
}

function diffs(call: Fields): Diff[] {
  return list(call.content)
    .map(fields)
    .filter((item) => item.type === "diff" && typeof item.path === "string")
    .map((item) => ({ path: text(item.path) ?? "", oldText: text(item.oldText), newText: text(item.newText) }));
}

function relative(workdir: string, file: string): string {
  const inside = path.posix.relative(workdir, file);
  return !path.posix.isAbsolute(file) || inside.startsWith("..") ? file : inside;
}
