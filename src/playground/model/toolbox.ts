import { quoted } from "./fulfil.ts";
import type { Action } from "./step.ts";

export interface OfferedTool {
  readonly name: string;
  /** Names of its arguments. */
  readonly keys: readonly string[];
  /** Takes free text instead of JSON. */
  readonly custom?: boolean;
}

export interface Call {
  readonly name: string;
  /** JSON, or free text for a custom tool. */
  readonly args: string;
  readonly custom: boolean;
}

export interface Place {
  readonly tools: readonly OfferedTool[];
  /** Absolute; "" when the agent did not say. */
  readonly workdir: string;
}

/** An action in the words of the tools the calling agent offers; `null` when none of them can do it. */
export function callFor(action: Action, place: Place): Call | null {
  const named = (...names: string[]) =>
    names.map((name) => place.tools.find((tool) => tool.name === name)).find(Boolean);
  const full = (path: string) => (path.startsWith("/") || place.workdir === "" ? path : `${place.workdir}/${path}`);
  const call = (tool: OfferedTool | undefined, args: object): Call | null =>
    tool ? { name: tool.name, args: JSON.stringify(args), custom: false } : null;

  switch (action.kind) {
    case "raw":
      return { name: action.name, args: action.args, custom: false };
    case "shell":
      return shellCall(
        action.command,
        named("bash", "Bash", "exec_command", "shell_command", "shell", "run_shell_command"),
      );
    case "plan":
      return planCall(action.items, named("todo", "todowrite", "TodoWrite", "update_plan"));
    case "read": {
      const tool = named("read", "Read", "read_file");
      return (
        call(tool, { [pathKey(tool)]: full(action.path) }) ??
        callFor({ kind: "shell", command: `cat -- ${quoted(action.path)}` }, place)
      );
    }
    case "write": {
      const tool = named("write", "Write", "write_file");
      const command = `mkdir -p -- ${quoted(folder(action.path))} && printf %s ${quoted(action.content)} > ${quoted(action.path)}`;
      return (
        call(tool, { [pathKey(tool)]: full(action.path), content: action.content }) ??
        callFor({ kind: "shell", command }, place)
      );
    }
    case "edit":
      return editCall(action, named("edit", "Edit", "replace", "apply_patch"), full);
    case "fetch": {
      const tool = named("fetch", "webfetch");
      const args = tool?.keys.includes("format") ? { url: action.url, format: "text" } : { url: action.url };
      return call(tool, args) ?? callFor({ kind: "shell", command: `curl -sS -i -m 20 ${quoted(action.url)}` }, place);
    }
    case "ask":
      return askCall(action.question, named("ask", "question", "AskUserQuestion"));
    case "task":
      return call(named("task", "Task", "Agent"), {
        description: "scripted",
        prompt: action.prompt,
        subagent_type: named("task") ? "general" : "general-purpose",
      });
  }
}

function pathKey(tool: OfferedTool | undefined): string {
  return ["path", "filePath", "file_path"].find((key) => tool?.keys.includes(key)) ?? "path";
}

const folder = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/"))) || ".";

function json(tool: OfferedTool, args: object): Call {
  return { name: tool.name, args: JSON.stringify(args), custom: false };
}

function shellCall(command: string, tool: OfferedTool | undefined): Call | null {
  if (!tool) return null;
  if (tool.name === "exec_command") return json(tool, { cmd: command });
  if (tool.name === "shell") return json(tool, { command: ["bash", "-lc", command] });
  return json(tool, { command, ...(tool.keys.includes("description") ? { description: command.slice(0, 60) } : {}) });
}

function planCall(items: Extract<Action, { kind: "plan" }>["items"], tool: OfferedTool | undefined): Call | null {
  if (!tool) return null;
  if (tool.name === "todo")
    return json(tool, { entries: items.map(({ title, status }) => ({ content: title, status })) });
  if (tool.name === "update_plan")
    return json(tool, { plan: items.map(({ title, status }) => ({ step: title, status })) });
  const todos = items.map(({ title, status }, at) =>
    tool.name === "TodoWrite"
      ? { content: title, activeForm: title, status }
      : { id: `${at + 1}`, content: title, status, priority: "medium" },
  );
  return json(tool, { todos });
}

function editCall(
  action: Extract<Action, { kind: "edit" }>,
  tool: OfferedTool | undefined,
  full: (path: string) => string,
): Call | null {
  if (!tool) return null;
  const path = full(action.path);
  if (tool.name === "apply_patch") {
    const lines = (text: string, sign: string) => text.split("\n").map((line) => `${sign}${line}`);
    const patch = [
      "*** Begin Patch",
      `*** Update File: ${action.path}`,
      "@@",
      ...lines(action.find, "-"),
      ...lines(action.put, "+"),
      "*** End Patch",
    ].join("\n");
    return tool.custom
      ? { name: tool.name, args: patch, custom: true }
      : json(tool, tool.keys.includes("patchText") ? { patchText: patch } : { input: patch });
  }
  const file = { [pathKey(tool)]: path };
  if (tool.keys.includes("oldText"))
    return json(tool, { ...file, oldText: action.find, newText: action.put, ...(action.all ? { all: true } : {}) });
  if (tool.keys.includes("oldString")) {
    return json(tool, {
      ...file,
      oldString: action.find,
      newString: action.put,
      ...(action.all ? { replaceAll: true } : {}),
    });
  }
  return json(tool, {
    ...file,
    old_string: action.find,
    new_string: action.put,
    ...(action.all ? { replace_all: true } : {}),
  });
}

function askCall(question: string, tool: OfferedTool | undefined): Call | null {
  if (!tool) return null;
  if (tool.name === "ask") return json(tool, { question });
  const options = [
    { label: "yes", description: "Yes" },
    { label: "no", description: "No" },
  ];
  return json(tool, {
    questions: [
      { question, header: "Question", options, ...(tool.name === "AskUserQuestion" ? { multiSelect: false } : {}) },
    ],
  });
}
