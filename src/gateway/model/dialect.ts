export type ModelApi = "chat" | "responses" | "messages";

/** What a client may say in one dialect. The rest is left out: a server may take a field we do not know for a bound. */
interface Dialect {
  /** Where the answer's length is bounded; the first is ours to write, all are read. */
  readonly limits: readonly string[];
  readonly fields: ReadonlySet<string>;
  /** The list that grows from turn to turn. */
  readonly turns: "messages" | "input";
}

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/**
 * Left out on purpose: other price tiers ("service_tier", "speed", "inference_geo"), answers in sound or pictures
 * ("modalities", "audio"), other models to fall back to ("models", "fallbacks"), work that is billed beside the answer
 * ("prediction", "context_management", "plugins", "search_parameters"), and the engines' own bounds ("n_predict",
 * "min_tokens", "best_of").
 */
export const DIALECTS: Readonly<Record<ModelApi, Dialect>> = {
  chat: {
    limits: ["max_tokens", "max_completion_tokens"],
    fields: words(`
      model messages stream tools tool_choice parallel_tool_calls functions function_call response_format
      temperature top_p top_k min_p seed stop frequency_penalty presence_penalty repetition_penalty logit_bias
      logprobs top_logprobs reasoning_effort reasoning include_reasoning reasoning_format thinking enable_thinking
      chat_template_kwargs verbosity user metadata store safety_identifier prompt_cache_key prompt_cache_retention
    `),
    turns: "messages",
  },
  responses: {
    limits: ["max_output_tokens"],
    fields: words(`
      model input instructions stream stream_options tools tool_choice parallel_tool_calls max_tool_calls text include
      reasoning temperature top_p top_logprobs truncation user metadata store safety_identifier prompt_cache_key
      prompt_cache_retention
    `),
    turns: "input",
  },
  messages: {
    limits: ["max_tokens"],
    fields: words(`
      model messages system stream tools tool_choice temperature top_p top_k stop_sequences thinking metadata
      cache_control output_config output_format
    `),
    turns: "messages",
  },
};

/** OpenAI's models that think: their chat refuses "max_tokens", and what they think counts as answer. */
export const thinks = (model: string): boolean => /^(?:o\d|gpt-(?:[5-9]|\d\d))/.test(bareName(model));

/** A router's prefix ("openai/gpt-5") is not part of the name. */
export const bareName = (model: string): string => model.slice(model.lastIndexOf("/") + 1);
