import { callModel, type ToolCall } from "./model.ts";
import { client, type Fields } from "./rpc.ts";
import { TOOL_SCHEMAS, TOOLS, type Tool, type ToolResult } from "./tools.ts";
import { type Session, save } from "./transcript.ts";

/** More model calls than this in one turn is a model that goes round in circles. */
const MAX_CALLS = 60;

const OPTIONS = [
  { optionId: "once", name: "Allow once", kind: "allow_once" },
  { optionId: "no", name: "Reject", kind: "reject_once" },
];

export type StopReason = "end_turn" | "cancelled" | "max_turn_requests";

/** Plays one turn: the model speaks, its tools run, until it has nothing more to do. */
export async function playTurn(
  session: Session,
  settings: { baseUrl: string; token: string; model: string },
): Promise<StopReason> {
  for (let calls = 0; calls < MAX_CALLS; calls += 1) {
    const reply = await callModel({
      ...settings,
      tools: TOOL_SCHEMAS,
      messages: [
        { role: "system", content: `You are a coding agent. Working directory: ${session.cwd}` },
        ...session.messages,
      ],
      signal: session.abort.signal,
      onText: (text) => update(session, { sessionUpdate: "agent_message_chunk", content: { type: "text", text } }),
    });
    update(session, { sessionUpdate: "usage_update", used: reply.usage.input + reply.usage.output, size: 128_000 });
    session.messages.push({
      role: "assistant",
      content: reply.text === "" ? null : reply.text,
      ...(reply.calls.length > 0
        ? {
            tool_calls: reply.calls.map((call) => ({
              id: call.id,
              type: "function",
              function: { name: call.name, arguments: call.args },
            })),
          }
        : {}),
    });
    save(session);
    if (reply.calls.length === 0) return "end_turn";
    for (const call of reply.calls) {
      const content = await playCall(session, call);
      session.running = null;
      session.messages.push({ role: "tool", tool_call_id: call.id, content: content ?? "Cancelled by the user." });
      save(session);
      if (content === null || session.abort.signal.aborted) return "cancelled";
    }
  }
  return "max_turn_requests";
}

/** The text for the model, or `null` when the turn was cancelled. */
async function playCall(session: Session, call: ToolCall): Promise<string | null> {
  const tool = TOOLS[call.name];
  if (!tool) return `error: there is no tool named "${call.name}". Tools: ${Object.keys(TOOLS).join(", ")}`;
  let input: Fields;
  let title: string;
  let asks: boolean;
  try {
    input = JSON.parse(call.args) as Fields;
    title = tool.title(input);
    asks = tool.asks(input);
  } catch (error) {
    return `error: the arguments of ${call.name} are no good: ${(error as Error).message}`;
  }
  if (call.name === "todo") {
    const entries = (input.entries as { content: string; status: string }[]).map((entry) => ({
      ...entry,
      priority: "medium",
    }));
    update(session, { sessionUpdate: "plan", entries });
    return "noted";
  }
  if (call.name === "ask" && canElicit) return elicit(session, String(input.question));
  const about = { toolCallId: call.id, title, kind: tool.kind, rawInput: input };
  update(session, { sessionUpdate: "tool_call", status: "pending", ...about });
  if (asks) {
    const answer = await client.request("session/request_permission", {
      sessionId: session.id,
      toolCall: { status: "pending", ...about },
      options: OPTIONS,
    });
    const outcome = answer.outcome as { outcome?: string; optionId?: string } | undefined;
    if (session.abort.signal.aborted || outcome?.outcome !== "selected") return null;
    if (outcome.optionId !== "once")
      return ended(session, call.id, { ok: false, text: "The user rejected this command." });
  }
  session.running = call.id;
  save(session);
  update(session, { sessionUpdate: "tool_call_update", toolCallId: call.id, status: "in_progress" });
  return ended(session, call.id, await runTool(session, tool, input, call.id));
}

async function runTool(session: Session, tool: Tool, input: Fields, id: string): Promise<ToolResult> {
  try {
    return await tool.run(session, input, (whole) => {
      update(session, {
        sessionUpdate: "tool_call_update",
        toolCallId: id,
        status: "in_progress",
        content: [textBlock(whole)],
      });
    });
  } catch (error) {
    return { ok: false, text: `error: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function ended(session: Session, id: string, result: ToolResult): string {
  const output = result.exitCode === undefined ? result.text : result.text.slice(result.text.indexOf("\n") + 1);
  update(session, {
    sessionUpdate: "tool_call_update",
    toolCallId: id,
    status: result.ok ? "completed" : "failed",
    content: [
      ...(output === "" ? [] : [textBlock(output)]),
      ...(result.diff ? [{ type: "diff", ...result.diff }] : []),
    ],
    ...(result.exitCode === undefined ? {} : { rawOutput: { exitCode: result.exitCode } }),
  });
  return result.text;
}

const textBlock = (text: string) => ({ type: "content", content: { type: "text", text } });

export function update(session: Session, fields: Fields): void {
  client.notify("session/update", { sessionId: session.id, update: fields });
}

let canElicit = false;

/** Whether the client said it can put a form before a person. */
export function setElicitation(able: boolean): void {
  canElicit = able;
}

async function elicit(session: Session, question: string): Promise<string | null> {
  const answer = await client.request("elicitation/create", {
    sessionId: session.id,
    mode: "form",
    message: question,
    requestedSchema: {
      type: "object",
      properties: { answer: { type: "string", title: question } },
      required: ["answer"],
    },
  });
  if (session.abort.signal.aborted) return null;
  const content = answer.content as { answer?: string } | undefined;
  return answer.action === "accept" ? `answer: ${content?.answer ?? ""}` : "The person gave no answer.";
}
