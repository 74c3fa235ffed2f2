import { array, type Body, type Dialect, goesOn, item, pieces, plain, record, string } from "./dialect.ts";

/** Anthropic Messages, as Claude Code speaks it. */
export const messages: Dialect = {
  path: /\/messages$/,
  read(body) {
    const said = array(body.messages).map(record);
    return {
      model: string(body.model),
      stream: body.stream === true,
      tools: array(body.tools).map((it) => ({
        name: string(record(it).name),
        keys: Object.keys(record(record(record(it).input_schema).properties)),
      })),
      system: [plain(body.system), ...said.map((it) => plain(it.content))].join("\n"),
      items: said.flatMap((it) => {
        const role = it.role === "assistant" ? "assistant" : "user";
        if (typeof it.content === "string") return [item(role, it.content)];
        return array(it.content).map((part) =>
          record(part).type === "tool_result"
            ? item("tool", plain(record(part).content))
            : item(role, string(record(part).text)),
        );
      }),
    };
  },
  *stream(reply) {
    const { id, model, step, call, tokens } = reply;
    const event = (type: string, more: Body) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
    yield event("message_start", {
      message: {
        ...shell(id, model),
        content: [],
        stop_reason: null,
        usage: { input_tokens: tokens.input, output_tokens: 1 },
      },
    });
    let index = 0;
    if (step.text) {
      yield event("content_block_start", { index, content_block: { type: "text", text: "" } });
      for (const piece of pieces(step.text))
        yield event("content_block_delta", { index, delta: { type: "text_delta", text: piece } });
      if (!goesOn(reply)) return;
      yield event("content_block_stop", { index });
      index += 1;
    }
    if (call) {
      yield event("content_block_start", {
        index,
        content_block: { type: "tool_use", id: `toolu_${id}`, name: call.name, input: {} },
      });
      for (const piece of pieces(call.args)) {
        yield event("content_block_delta", { index, delta: { type: "input_json_delta", partial_json: piece } });
      }
      yield event("content_block_stop", { index });
    }
    const stop = { stop_reason: call ? "tool_use" : "end_turn", stop_sequence: null };
    yield event("message_delta", { delta: stop, usage: { output_tokens: tokens.output } });
    yield event("message_stop", {});
  },
  whole(reply) {
    const { id, model, step, call, tokens } = reply;
    const words = step.text ? [{ type: "text", text: step.text }] : [];
    const use = call ? [{ type: "tool_use", id: `toolu_${id}`, name: call.name, input: parsed(call.args) }] : [];
    return {
      ...shell(id, model),
      content: [...words, ...use],
      stop_reason: call ? "tool_use" : "end_turn",
      usage: { input_tokens: tokens.input, output_tokens: tokens.output },
    };
  },
};

const shell = (id: string, model: string): Body => ({
  id: `msg_${id}`,
  type: "message",
  role: "assistant",
  model,
  stop_sequence: null,
});

/** A script may send broken arguments; this dialect has no place for them outside a stream. */
function parsed(args: string): unknown {
  try {
    return JSON.parse(args);
  } catch {
    return {};
  }
}
