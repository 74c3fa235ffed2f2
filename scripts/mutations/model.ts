import type { Mutation, Red } from "./mutation.ts";

const budget = (test: string): Red => ({ file: "test/gateway/budget.int.test.ts", test });
const calls = (test: string): Red => ({ file: "test/gateway/model-call.test.ts", test });
const stopped = (test: string): Red => ({ file: "test/gateway/stopped-run.int.test.ts", test });
const unfinished = (test: string): Red => ({ file: "test/gateway/unfinished.int.test.ts", test });

/** What a model call may cost, and who is told. */
export const MODEL: readonly Mutation[] = [
  {
    name: "a model's answer goes out without the bound that was reserved for it",
    file: "src/gateway/model/call.ts",
    find: "[boundField(call, openai)]: maxOutput };",
    replace: "...(maxOutput === call.maxOutput ? { [boundField(call, openai)]: maxOutput } : {}) };",
    red: budget("a chat stream that only reasons"),
  },
  {
    name: "of two bounds the first counts",
    file: "src/gateway/model/call.ts",
    find: "Math.ceil(Math.max(0, ...given)) || null",
    replace: "Math.ceil(Math.max(0, ...given.slice(0, 1))) || null",
    red: calls("the bound that a client gives is the largest of those its dialect has, and of no other"),
  },
  {
    name: "another dialect's bound counts",
    file: "src/gateway/model/call.ts",
    find: "const given = limits.map(",
    replace: 'const given = [...limits, "max_output_tokens"].map(',
    red: calls("the bound that a client gives is the largest of those its dialect has, and of no other"),
  },
  {
    name: "fields that nobody knows go out with a model call",
    file: "src/gateway/model/call.ts",
    find: ".filter(([name]) => fields.has(name))",
    replace: '.filter(([name]) => fields.size > 0 || name !== "")',
    red: calls("fields that the dialect does not have, or that cost otherwise, do not go out"),
  },
  {
    name: "several answers are held as one",
    file: "src/gateway/model/purse.ts",
    find: "let reservedOutput = bound * call.answers;",
    replace: "let reservedOutput = bound;",
    red: budget("several answers at once"),
  },
  {
    name: "a call's input is held at what it likely is",
    file: "src/gateway/model/purse.ts",
    find: "const inputUsd = input.most * inputPerToken;",
    replace: "const inputUsd = input.likely * inputPerToken;",
    red: budget("a long text that looks like an inlined image"),
  },
  {
    name: "a model call is admitted by the grant with which it began",
    file: "src/gateway/model/broker.ts",
    find: "const { grant } = still;",
    replace: "const { grant } = admission;",
    red: stopped("a model call is held to the budget that stands when its body is there, not when it began"),
  },
  {
    name: "a model call whose run was stopped meanwhile goes out",
    file: "src/gateway/model/broker.ts",
    find: "const still = admit(wall, token, carrier);",
    replace: "const still = admission;",
    red: stopped("a model call whose body comes after the run was stopped does not go out"),
  },
  {
    name: "a tool that nobody knows is taken for the client's own",
    file: "src/gateway/model/reach.ts",
    find: "!CLIENT_TOOLS.test(type)",
    replace: "/^web_search/.test(type)",
    red: calls("a second model behind a tool"),
  },
  {
    name: "a conversation that the service keeps is billed unseen",
    file: "src/gateway/model/reach.ts",
    find: "for (const field of KEPT) if (isSaid(asked[field])) return field;",
    replace: "void KEPT;",
    red: calls("a kept conversation"),
  },
  {
    name: "a call that is broken off holds nothing of what it may have cost",
    file: "src/gateway/model/purse.ts",
    find: "if (rest.input + rest.output === 0) return;",
    replace: "if (rest.input + rest.output >= 0) return;",
    red: unfinished("calls that are broken off before their answer are held at what they may have cost"),
  },
  {
    name: "a message that is broken off costs the token it began with",
    file: "src/gateway/model/meter.ts",
    find: 'streamed && event.type !== "message_delta" ? undefined',
    replace: "streamed && event.type === undefined ? undefined",
    red: unfinished("a message that is broken off is charged at its text, not at the token it began with"),
  },
  {
    name: "a service that gave up waiting cost nothing",
    file: "src/gateway/model/stream.ts",
    find: "(incoming.statusCode ?? 200) < 400 || GAVE_UP.has(incoming.statusCode ?? 200)",
    replace: "(incoming.statusCode ?? 200) < 400 && GAVE_UP.size > 0",
    red: unfinished("a service that gave up waiting"),
  },
  {
    name: "a compressed answer is passed on unmetered",
    file: "src/gateway/model/answer.ts",
    find: "steps.push(decode());",
    replace: "void decode;",
    red: unfinished("is metered and passed on in plain bytes"),
  },
  {
    name: "the real key comes back with an answer",
    file: "src/gateway/model/answer.ts",
    find: "if (scrub) steps.push(scrub.body());",
    replace: "",
    red: unfinished(
      "the real key does not come back, neither in an error nor in a stream, a header or a list of models",
    ),
  },
  {
    name: "calls go out while earlier ones cannot be recorded",
    file: "src/gateway/model/broker.ts",
    find: "if (!(await bills.areWritten()))",
    replace: "if ((await bills.areWritten()) === null)",
    red: unfinished("a call whose line cannot be written ends as refused, and no other goes out before it is"),
  },
  {
    name: "a model that nobody knows is cheap",
    file: "src/gateway/model/prices.ts",
    find: "const each = found(model) ?? HIGHEST;",
    replace: 'const each = found(model) ?? found("scripted") ?? HIGHEST;',
    red: {
      file: "test/gateway/meter.test.ts",
      test: "a model that the table does not know costs as much as the dearest",
    },
  },
];
