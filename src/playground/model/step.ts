export interface PlanItem {
  readonly title: string;
  readonly status: "pending" | "in_progress" | "completed";
}

/** What the model wants done, in no agent's words yet. */
export type Action =
  | { readonly kind: "plan"; readonly items: readonly PlanItem[] }
  | { readonly kind: "read"; readonly path: string }
  | { readonly kind: "write"; readonly path: string; readonly content: string }
  | { readonly kind: "edit"; readonly path: string; readonly find: string; readonly put: string; readonly all: boolean }
  | { readonly kind: "shell"; readonly command: string }
  | { readonly kind: "fetch"; readonly url: string }
  | { readonly kind: "ask"; readonly question: string }
  | { readonly kind: "task"; readonly prompt: string }
  /** A call as it is, however wrong. `args` is sent unparsed. */
  | { readonly kind: "raw"; readonly name: string; readonly args: string };

/** One answer of the model: words, and perhaps one tool call. */
export interface Step {
  readonly text?: string;
  readonly thought?: string;
  readonly action?: Action;
  /** The words end the turn and the next thing the person says is the answer. */
  readonly awaits?: "person";
  /** HTTP status to fail with instead. */
  readonly error?: number;
  /** After the words: "stall" says nothing more and keeps the line open, "cut" closes it. */
  readonly fault?: "stall" | "cut";
  /** Between two pieces of text, in ms. */
  readonly slowly?: number;
}

/** What became of an action, read from what the agent reports back. */
export type Outcome =
  | { readonly kind: "done"; readonly text: string; readonly exitCode: number | null }
  | { readonly kind: "failed"; readonly text: string; readonly exitCode: number | null }
  /** The way out refused. `text` is the gateway's sentence. */
  | { readonly kind: "blocked"; readonly text: string }
  | { readonly kind: "refused" | "cancelled" | "interrupted" | "unsupported" }
  | { readonly kind: "answer"; readonly text: string };

/** Understands the results of the agents we know: the demo agent, OpenCode, Codex, Claude Code. */
export function outcomeOf(action: Action, result: string): Outcome {
  const text = result.trim();
  if (/^Interrupted before it ran/i.test(text)) return { kind: "interrupted" };
  if (
    /^(?:Interrupted: the outcome|\[Tool execution was interrupted)|^aborted by user|^The outcome of this tool is unknown/i.test(
      text,
    )
  ) {
    return { kind: "interrupted" };
  }
  if (/^(?:Error: )?Cancelled by the user|^Tool execution aborted|^(?:Error: )?User aborted the command/i.test(text))
    return { kind: "cancelled" };
  if (
    /(?:the )?user (?:has )?rejected|rejected permission|user doesn't want to proceed|rejected by user/i.test(
      text.slice(0, 200),
    )
  )
    return { kind: "refused" };
  if (action.kind === "fetch") return fetched(text);
  const exit =
    /^exit (?:code:? )?(\d+)(?:\n|$)/i.exec(text) ??
    /(?:Exit code:? |exited with code )(\d+)/i.exec(text.slice(0, 200));
  if (action.kind === "shell" && exit) {
    const exitCode = Number(exit[1]);
    const output = text.startsWith(exit[0]) ? text.slice(exit[0].length).trim() : text;
    return { kind: exitCode === 0 ? "done" : "failed", text: output, exitCode };
  }
  if (
    /^(?:<[\w-]+>)?(?:error|fatal)\b[: ]/i.test(text) ||
    /^(?:File not found|ENOENT|Could not find oldString|oldString not found|No such file)/i.test(text)
  ) {
    return { kind: "failed", text: text.replace(/^error:\s*/i, ""), exitCode: null };
  }
  return { kind: "done", text: result, exitCode: null };
}

function fetched(text: string): Outcome {
  const [head = "", ...rest] = text.split("\n");
  const body = rest.join("\n").trim();
  const refused = refusalIn(text);
  if (refused !== null) return { kind: "blocked", text: refused };
  const blocked = /^blocked (\d+)/.exec(head);
  if (blocked) return { kind: "blocked", text: body.split("\n")[0] || `refused with ${blocked[1]}` };
  const status = Number(/^status (\d+)/.exec(head)?.[1] ?? 0);
  if (status >= 400) return { kind: "failed", text: `it answered ${status}`, exitCode: null };
  if (status > 0) return { kind: "done", text: body, exitCode: null };
  const either = /status code:? \(?(40[37])\b/i.exec(text);
  if (either)
    return {
      kind: "failed",
      text: `it answered ${either[1]}, from the gateway or from the host itself`,
      exitCode: null,
    };
  const tunnel = /(?:CONNECT tunnel failed, response|Proxy[^\n]*?) *\(?(403|407)\b/i.exec(text);
  if (tunnel) return { kind: "blocked", text: `the proxy answered ${tunnel[1]}` };
  if (/^(?:error\b|exit [1-9]|curl: \()/i.test(text))
    return { kind: "failed", text: head.replace(/^error:\s*/i, ""), exitCode: null };
  return { kind: "done", text, exitCode: null };
}

/** The gateway's own words: its JSON names the reason and says it in a sentence. */
function refusalIn(text: string): string | null {
  const json = /\{"reason":[^\n]*\}/.exec(text)?.[0];
  if (json === undefined) return null;
  try {
    const said = JSON.parse(json) as { reason?: unknown; rule?: unknown; message?: unknown };
    if (typeof said.message !== "string") return null;
    return typeof said.rule === "string" ? `${said.message} (${said.rule})` : said.message;
  } catch {
    return null;
  }
}

/** The text of a file as a tool gave it, line numbers and wrappers taken off. `cut`: there is more than was shown. */
export function fileText(result: string): { text: string; cut: boolean } {
  const inner = /<(?:content|file)>\n([\s\S]*?)\n?<\/(?:content|file)>/.exec(result)?.[1];
  const cut = /File has more lines|\(Output (?:capped|truncated)|Use 'offset'|\[truncated\]/i.test(result);
  if (inner === undefined) return { text: result, cut };
  const lines = inner.split("\n").filter((line) => !/^\((?:End of file|File has more lines)/.test(line));
  while (lines.length > 0 && lines.at(-1)?.trim() === "") lines.pop();
  const numbered = lines.every((line) => /^\s*\d+[|:\t]/.test(line));
  return {
    text: numbered ? lines.map((line) => line.replace(/^\s*\d+(?:\| ?|: ?|\t)/, "")).join("\n") : lines.join("\n"),
    cut,
  };
}
