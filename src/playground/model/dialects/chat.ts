import { array, type Body, type Dialect, goesOn, item, pieces, plain, type Reply, record, string } from "./dialect.ts";

/** OpenAI chat completions. */
export const chat: Dialect = {
  path: /\/chat\/completions$/,
  read(body) {
    const messages = array(body.messages).map(record);
    return {
      model: string(body.model),
      stream: body.stream === true,
      tools: array(body.tools).map((tool) => {
        const spec = record(record(tool).function);
        return { name: string(spec.name), keys: Object.keys(record(record(spec.parameters).properties)) };
      }),
      system: messages
        .filter((it) => it.role === "system" || it.role === "developer")
        .map((it) => plain(it.content))
        .join("\n"),
      items: messages.flatMap((it) => {
        const role =
          it.role === "tool" ? "tool" : it.role === "assistant" ? "assistant" : it.role === "user" ? "user" : null;
        return role === null ? [] : [item(role, plain(it.content))];
      }),
    };
  },
  *stream(reply) {
    const { id, model, step, call } = reply;
    const frame = (more: Body) =>
      `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: 1, model, ...more })}\n\n`;
    const delta = (it: Body, finish: string | null = null) =>
      frame({ choices: [{ index: 0, delta: it, finish_reason: finish }] });
    yield delta({ role: "assistant", content: "" });
    if (step.thought) yield delta({ reasoning_content: step.thought });
    for (const piece of pieces(step.text ?? "")) yield delta({ content: piece });
    if (!goesOn(reply)) return;
    if (call) {
      yield delta({
        tool_calls: [{ index: 0, id: `call_${id}`, type: "function", function: { name: call.name, arguments: "" } }],
      });
      for (const piece of pieces(call.args))
        yield delta({ tool_calls: [{ index: 0, function: { arguments: piece } }] });
    }
    yield delta({}, call ? "tool_calls" : "stop");
    yield frame({ choices: [], usage: usage(reply) });
    yield "data: [DONE]\n\n";
  },
  whole(reply) {
    const { id, model, step, call } = reply;
    const calls = call
      ? [{ id: `call_${id}`, type: "function", function: { name: call.name, arguments: call.args } }]
      : [];
    const message = { role: "assistant", content: step.text ?? null, ...(call ? { tool_calls: calls } : {}) };
    const choice = { index: 0, finish_reason: call ? "tool_calls" : "stop", message };
    return { id, object: "chat.completion", created: 1, model, choices: [choice], usage: usage(reply) };
  },
};

function usage({ tokens }: Reply): Body {
  return {
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
    prompt_tokens_details: { cached_tokens: 0 },
  };
}
