import { array, type Body, type Dialect, goesOn, item, pieces, plain, type Reply, record, string } from "./dialect.ts";

/** OpenAI Responses, as Codex speaks it. */
export const responses: Dialect = {
  path: /\/responses$/,
  read(body) {
    const input =
      typeof body.input === "string" ? [{ role: "user", content: body.input }] : array(body.input).map(record);
    return {
      model: string(body.model),
      stream: body.stream === true,
      tools: array(body.tools).map((it) => {
        const tool = record(it);
        const keys = Object.keys(record(record(tool.parameters).properties));
        return { name: string(tool.name) || string(tool.type), keys, custom: tool.type === "custom" };
      }),
      // Codex tells its working directory in a message, not in the instructions.
      system: [string(body.instructions), ...input.map((it: Body) => plain(it.content))].join("\n"),
      items: input.flatMap((it: Body) => {
        if (/_output$/.test(string(it.type))) return [item("tool", plain(it.output))];
        if (it.role !== "user" && it.role !== "assistant") return [];
        return [item(it.role, plain(it.content))];
      }),
    };
  },
  *stream(reply) {
    const { id, model, step } = reply;
    let number = 0;
    const event = (type: string, more: Body) => {
      number += 1;
      return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, ...more })}\n\n`;
    };
    yield event("response.created", { response: { id, object: "response", status: "in_progress", model, output: [] } });
    const output: Body[] = [];
    if (step.text) {
      const words = message(reply);
      const at = { output_index: 0, content_index: 0, item_id: words.id };
      yield event("response.output_item.added", {
        output_index: 0,
        item: { ...words, status: "in_progress", content: [] },
      });
      yield event("response.content_part.added", { ...at, part: { type: "output_text", text: "", annotations: [] } });
      for (const piece of pieces(step.text)) yield event("response.output_text.delta", { ...at, delta: piece });
      if (!goesOn(reply)) return;
      yield event("response.output_text.done", { ...at, text: step.text });
      yield event("response.output_item.done", { output_index: 0, item: words });
      output.push(words);
    }
    const call = callItem(reply);
    if (call) {
      const blank = call.type === "custom_tool_call" ? { input: "" } : { arguments: "" };
      yield event("response.output_item.added", {
        output_index: output.length,
        item: { ...call, status: "in_progress", ...blank },
      });
      yield event("response.output_item.done", { output_index: output.length, item: call });
      output.push(call);
    }
    yield event("response.completed", {
      response: { id, object: "response", status: "completed", model, output, usage: usage(reply) },
    });
  },
  whole(reply) {
    const call = callItem(reply);
    const output = [...(reply.step.text ? [message(reply)] : []), ...(call ? [call] : [])];
    return { id: reply.id, object: "response", status: "completed", model: reply.model, output, usage: usage(reply) };
  },
};

function message({ id, step }: Reply): Body {
  const content = [{ type: "output_text", text: step.text ?? "", annotations: [] }];
  return { type: "message", id: `msg_${id}`, role: "assistant", status: "completed", content };
}

function callItem({ id, call }: Reply): Body | null {
  if (!call) return null;
  const common = { call_id: `call_${id}`, name: call.name, status: "completed" };
  return call.custom
    ? { type: "custom_tool_call", id: `ctc_${id}`, ...common, input: call.args }
    : { type: "function_call", id: `fc_${id}`, ...common, arguments: call.args };
}

function usage({ tokens }: Reply): Body {
  return {
    input_tokens: tokens.input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: tokens.output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: tokens.input + tokens.output,
  };
}
