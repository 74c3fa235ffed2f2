import { describe, expect, test } from "vitest";
import type { RpcMessage } from "#adapters/agent/jsonrpc.ts";
import { optionFor, type SessionFold, sessionFold, turnId } from "#adapters/agent/session.ts";
import type { AgentEvent } from "#ports/agent.ts";

const profile = { onReject: "turn-ends" as const };

const request = (id: string, method: string, params = {}): RpcMessage => ({ kind: "request", id, method, params });
const notice = (method: string, params = {}): RpcMessage => ({ kind: "notification", method, params });
const result = (id: string | number, value: object): RpcMessage => ({
  kind: "response",
  id,
  result: { ...value },
  error: null,
});

/** A fold with an open session "s", as every live one begins. */
function openFold(more: { onReject?: "model-continues" | "turn-ends"; errorPattern?: string } = {}): SessionFold {
  const fold = sessionFold({ procId: "p", workdir: "/workspace", profile: { ...profile, ...more } });
  fold.sent(request("init", "initialize"));
  fold.sent(request("session", "session/new"));
  fold.received(result("init", { agentInfo: { name: "a", version: "1" } }));
  fold.received(result("session", { sessionId: "s" }));
  return fold;
}

const update = (fields: object): RpcMessage => notice("session/update", { sessionId: "s", update: fields });
const says = (text: string) => update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text } });
const asks = (id: number, command: string): RpcMessage => ({
  kind: "request",
  id,
  method: "session/request_permission",
  params: {
    sessionId: "s",
    toolCall: { toolCallId: `c${id}`, title: command, kind: "execute", status: "pending", rawInput: { command } },
    options: [
      { optionId: "once", kind: "allow_once" },
      { optionId: "always", kind: "allow_always" },
      { optionId: "no", kind: "reject_once" },
    ],
  },
});
const chooses = (id: number, optionId: string): RpcMessage =>
  result(id, { outcome: { outcome: "selected", optionId } });

function prompt(fold: SessionFold, turn: string): void {
  fold.sent(request(turnId(turn), "session/prompt"));
}

function endOf(fold: SessionFold, turn: string, answer: RpcMessage): AgentEvent | undefined {
  return fold.received(answer).find((event) => event.kind === "turn.ended" && event.turn === turn);
}

describe("the end of a turn", () => {
  const enders: readonly [
    sentence: string,
    answer: object,
    end: string,
    detail: string | null,
    more?: { errorPattern: string },
  ][] = [
    ["end_turn with usage is done", { stopReason: "end_turn", usage: { inputTokens: 1 } }, "done", null],
    ["end_turn without any word of usage is done", { stopReason: "end_turn" }, "done", null],
    [
      "end_turn with a null usage is a model that never answered",
      { stopReason: "end_turn", usage: null },
      "failed",
      "the last words",
    ],
    [
      "end_turn with a typed failure is failed",
      {
        stopReason: "end_turn",
        usage: {},
        _meta: { jetbrains: { air: { sessionFailure: { message: "model gone" } } } },
      },
      "failed",
      "model gone",
    ],
    [
      "end_turn after words that the profile knows as an error is failed",
      { stopReason: "end_turn" },
      "failed",
      "the last words",
      { errorPattern: "^the last" },
    ],
    ["max_tokens is a limit", { stopReason: "max_tokens" }, "limit", "max_tokens"],
    ["max_turn_requests is a limit", { stopReason: "max_turn_requests" }, "limit", "max_turn_requests"],
    ["refusal is refused", { stopReason: "refusal" }, "refused", "the last words"],
    ["cancelled without our asking is cancelled", { stopReason: "cancelled" }, "cancelled", null],
    [
      "an unknown reason is failed, never done",
      { stopReason: "vibes" },
      "failed",
      "the agent gave an unknown stop reason: vibes",
    ],
    ["no reason at all is failed", {}, "failed", "the agent gave an unknown stop reason: none"],
  ];
  test.each(enders)("%s", (_, answer, end, detail, more) => {
    const fold = openFold(more ?? {});
    prompt(fold, "t");
    fold.received(says("the last words"));
    expect(endOf(fold, "t", result(turnId("t"), answer))).toEqual({ kind: "turn.ended", turn: "t", end, detail });
  });

  test("a JSON-RPC error fails the turn with all its words", () => {
    const fold = openFold();
    prompt(fold, "t");
    const error = {
      code: -32603,
      message: "Internal error",
      data: { message: "countersign: The run's budget is spent." },
    };
    const end = endOf(fold, "t", { kind: "response", id: turnId("t"), result: {}, error });
    expect(end).toMatchObject({ end: "failed", detail: "Internal error: countersign: The run's budget is spent." });
  });

  test("an error after our cancel is a cancel", () => {
    const fold = openFold();
    prompt(fold, "t");
    fold.sent(notice("session/cancel"));
    expect(
      endOf(fold, "t", { kind: "response", id: turnId("t"), result: {}, error: { code: 1, message: "aborted" } }),
    ).toMatchObject({
      end: "cancelled",
    });
  });

  test.each([
    ["turn-ends", "end_turn", "rejected"],
    ["turn-ends", "cancelled", "rejected"],
    ["model-continues", "end_turn", "done"],
    ["model-continues", "cancelled", "rejected"],
  ] as const)("after a refusal, %s and %s is %s", (onReject, stopReason, end) => {
    const fold = openFold({ onReject });
    prompt(fold, "t");
    fold.received(asks(0, "rm x"));
    fold.sent(chooses(0, "no"));
    expect(endOf(fold, "t", result(turnId("t"), { stopReason }))).toMatchObject({ end });
  });

  test("a refusal in an earlier turn says nothing about this one", () => {
    const fold = openFold();
    prompt(fold, "t1");
    fold.received(asks(0, "rm x"));
    fold.sent(chooses(0, "no"));
    fold.received(result(turnId("t1"), { stopReason: "end_turn" }));
    prompt(fold, "t2");
    expect(endOf(fold, "t2", result(turnId("t2"), { stopReason: "end_turn" }))).toMatchObject({ end: "done" });
  });

  test("a process that ends in a turn interrupts it, and its open tools with it", () => {
    const fold = openFold();
    prompt(fold, "t");
    fold.received(
      update({
        sessionUpdate: "tool_call",
        toolCallId: "c",
        status: "in_progress",
        kind: "execute",
        rawInput: { command: "x" },
      }),
    );
    expect(fold.exited({ code: null, signal: "SIGKILL" })).toEqual([
      { kind: "tool.ended", tool: "c", status: "interrupted", exitCode: null },
      { kind: "turn.ended", turn: "t", end: "interrupted", detail: "the agent was ended by SIGKILL" },
      { kind: "agent.exited", code: null, signal: "SIGKILL" },
    ]);
  });

  test("a process that ends after our cancel was cancelled", () => {
    const fold = openFold();
    prompt(fold, "t");
    fold.sent(notice("session/cancel"));
    expect(fold.exited({ code: 0, signal: null })).toContainEqual({
      kind: "turn.ended",
      turn: "t",
      end: "cancelled",
      detail: null,
    });
  });
});

describe("what is told", () => {
  test("the replay of a restored session is not told again", () => {
    const fold = sessionFold({ procId: "p", workdir: "/workspace", profile });
    fold.sent(request("init", "initialize"));
    fold.sent(request("session", "session/load", { sessionId: "s" }));
    fold.received(result("init", {}));
    expect(fold.received(says("from long ago"))).toEqual([]);
    expect(fold.received(result("session", {}))).toMatchObject([{ kind: "agent.started", session: "s" }]);
    expect(fold.received(says("now"))).toEqual([{ kind: "agent.message", text: "now" }]);
  });

  test("the talk of another session is not ours, but its asks are", () => {
    const fold = openFold();
    prompt(fold, "t");
    expect(
      fold.received(
        notice("session/update", {
          sessionId: "child",
          update: { sessionUpdate: "agent_message_chunk", content: { text: "x" } },
        }),
      ),
    ).toEqual([]);
    expect(fold.received(asks(3, "rm y"))).toContainEqual(
      expect.objectContaining({ kind: "permission.asked", command: "rm y" }),
    );
  });

  test("a to-do list kept with a tool is a plan and no tool", () => {
    const fold = openFold();
    prompt(fold, "t");
    const call = {
      sessionUpdate: "tool_call",
      toolCallId: "c",
      title: "todowrite",
      kind: "other",
      status: "pending",
      rawInput: {},
    };
    const todos = [
      { content: "one", status: "completed" },
      { content: "two", status: "in_progress" },
    ];
    const events = [
      call,
      { ...call, status: "in_progress", rawInput: { todos } },
      { ...call, status: "completed" },
    ].flatMap((it) => fold.received(update(it)));
    expect(events).toEqual([
      {
        kind: "agent.plan",
        entries: [
          { title: "one", status: "complete" },
          { title: "two", status: "in_progress" },
        ],
      },
    ]);
  });

  test("a diff is a changed file, below the work tree by its relative path, and only when the edit went well", () => {
    const fold = openFold();
    const edit = (status: string, file: string) =>
      update({
        sessionUpdate: "tool_call_update",
        toolCallId: file,
        kind: "edit",
        title: "edit",
        status,
        content: [{ type: "diff", path: file, newText: "x" }],
      });
    const changed = (message: RpcMessage) => fold.received(message).filter((event) => event.kind === "file.changed");
    expect(changed(edit("completed", "/workspace/src/a.ts"))).toEqual([{ kind: "file.changed", path: "src/a.ts" }]);
    expect(changed(edit("completed", "/etc/b"))).toEqual([{ kind: "file.changed", path: "/etc/b" }]);
    expect(changed(edit("failed", "/workspace/c"))).toEqual([]);
  });

  test("the digest of a permission covers the diff it shows and not the name of the call", () => {
    const fold = openFold();
    const ask = (id: number): RpcMessage => ({
      kind: "request",
      id,
      method: "session/request_permission",
      params: {
        toolCall: {
          toolCallId: `call-${id}`,
          kind: "edit",
          title: "Write a",
          rawInput: { path: "a" },
          content: [{ type: "diff", path: "/workspace/a", oldText: null, newText: "x" }],
        },
        options: [],
      },
    });
    const inputs = [1, 2].map((id) => fold.received(ask(id)).find((event) => event.kind === "permission.asked")?.input);
    expect(inputs[0]).toEqual({
      kind: "edit",
      input: { path: "a" },
      changes: [{ path: "/workspace/a", oldText: null, newText: "x" }],
    });
    expect(inputs[1]).toEqual(inputs[0]);
  });

  test("requests of the agent that we cannot serve are known until they are answered", () => {
    const fold = openFold();
    fold.received({ kind: "request", id: 7, method: "fs/write_text_file", params: {} });
    expect(fold.foreignRequests()).toEqual([{ id: 7, method: "fs/write_text_file" }]);
    fold.sent({ kind: "response", id: 7, result: {}, error: { code: -32601, message: "no" } });
    expect(fold.foreignRequests()).toEqual([]);
  });
});

describe("an ask", () => {
  test("is pending until it is answered, its turn ends, or the process does", () => {
    const fold = openFold();
    prompt(fold, "t1");
    fold.received(asks(0, "a"));
    fold.received(asks(1, "b"));
    fold.sent(chooses(0, "once"));
    expect(fold.pendingAsks().map((it) => it.ask)).toEqual(["p/1"]);
    fold.received(result(turnId("t1"), { stopReason: "end_turn" }));
    expect(fold.pendingAsks()).toEqual([]);
    prompt(fold, "t2");
    fold.received(asks(2, "c"));
    fold.exited({ code: 0, signal: null });
    expect(fold.pendingAsks()).toEqual([]);
  });

  test("is allowed once and never for ever", () => {
    expect(optionFor([{ optionId: "a", kind: "allow_always" }], "allow")).toBeNull();
    expect(optionFor([{ optionId: "a", kind: "allow_once" }], "allow")).toBe("a");
    expect(optionFor([{ optionId: "r", kind: "reject_always" }], "reject")).toBe("r");
    expect(optionFor([], "reject")).toBeNull();
  });
});
