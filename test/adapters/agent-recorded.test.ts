import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { lineCutter, parseMessage, type RpcMessage } from "#adapters/agent/jsonrpc.ts";
import { sessionFold, turnId } from "#adapters/agent/session.ts";
import type { AgentEvent } from "#ports/agent.ts";

const fixtures = path.resolve(import.meta.dirname, "..", "fixtures", "acp");
const profile = { onReject: "turn-ends" as const };

const request = (id: string, method: string): RpcMessage => ({ kind: "request", id, method, params: {} });
const result = (id: number, value: object): RpcMessage => ({ kind: "response", id, result: { ...value }, error: null });

function recorded(name: string): AgentEvent[] {
  const fold = sessionFold({ procId: "p", workdir: "/repo", profile });
  for (const sent of [request("init", "initialize"), request("session", "session/new")]) fold.sent(sent);
  for (const turn of ["run-1", "run-2"]) fold.sent(request(turnId(turn), "session/prompt"));
  fold.sent(result(0, { outcome: { outcome: "selected", optionId: name === "opencode" ? "once" : "allow_once" } }));
  const lines = lineCutter().feed(readFileSync(path.join(fixtures, `${name}.jsonl`)));
  return lines.flatMap((line) => {
    const message = parseMessage(line.text);
    return message ? fold.received(message) : [];
  });
}

describe("recorded agents", () => {
  test("OpenCode's repeated reports of one command become one start, its output once, and one end", () => {
    const command = "rm -rf build && echo removed";
    expect(recorded("opencode").slice(0, 5)).toEqual([
      { kind: "agent.started", session: "ses_e0463b237ffeyDNiqzG3hZwJpA", name: "OpenCode", version: "1.18.33" },
      { kind: "tool.started", tool: "call_id84", toolKind: "execute", title: command, command },
      {
        kind: "permission.asked",
        ask: "p/0",
        tool: "call_id84",
        toolKind: "execute",
        title: command,
        command,
        input: { kind: "execute", input: { command } },
      },
      { kind: "tool.output", tool: "call_id84", text: "removed\n" },
      { kind: "tool.ended", tool: "call_id84", status: "ok", exitCode: 0 },
    ]);
  });

  test("OpenCode's turn ends done, and the ask of the next turn belongs to that one", () => {
    const events = recorded("opencode");
    expect(events.filter((event) => event.kind === "turn.ended")).toEqual([
      { kind: "turn.ended", turn: "run-1", end: "done", detail: null },
    ]);
    expect(events.findLast((event) => event.kind === "permission.asked")).toMatchObject({
      ask: "p/1",
      tool: "call_id86",
    });
  });

  test("Codex tells output and exit beside the call, and both are found", () => {
    const tools = recorded("codex").filter((event) => event.kind.startsWith("tool."));
    expect(tools).toEqual([
      {
        kind: "tool.started",
        tool: "call_id87",
        toolKind: "execute",
        title: "rm -rf build && echo removed",
        command: "rm -rf build && echo removed",
      },
      { kind: "tool.output", tool: "call_id87", text: "removed\n" },
      { kind: "tool.ended", tool: "call_id87", status: "ok", exitCode: 0 },
    ]);
  });
});

describe("the wire", () => {
  test("a character cut in two by a chunk arrives whole, and lines know their first byte", () => {
    const cutter = lineCutter();
    const bytes = Buffer.from('{"a":"é"}\n{"b":1}\nrest');
    const lines = [...cutter.feed(bytes.subarray(0, 7)), ...cutter.feed(bytes.subarray(7))];
    expect(lines).toEqual([
      { at: 0, text: '{"a":"é"}' },
      { at: 11, text: '{"b":1}' },
    ]);
    expect([cutter.at(), cutter.rest()]).toEqual([bytes.length, 4]);
  });

  test.each([
    "",
    "Warning: update available",
    "[1,2]",
    "null",
    '{"id":1}',
    '{"jsonrpc":"2.0"}',
    '{"id":{"a":1},"result":{}}',
  ])("a line that is no message is left alone: %s", (line) => {
    expect(parseMessage(line)).toBeNull();
  });
});
