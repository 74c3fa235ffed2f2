import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ScriptedModel, startScriptedModel } from "#playground/model/server.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel({ port: 0 });
});
afterAll(() => model.close());

const tool = (name: string, ...keys: string[]) => ({
  type: "function",
  function: {
    name,
    parameters: { type: "object", properties: Object.fromEntries(keys.map((key) => [key, { type: "string" }])) },
  },
});
const DEMO_TOOLS = [
  tool("bash", "command"),
  tool("read", "path"),
  tool("edit", "path", "oldText", "newText", "all"),
  tool("write", "path", "content"),
  tool("todo", "entries"),
  tool("fetch", "url"),
];

type Message = Record<string, unknown>;

async function chat(
  messages: Message[],
  tools: unknown[] = DEMO_TOOLS,
): Promise<{
  message: Message & {
    content: string | null;
    tool_calls?: { id: string; function: { name: string; arguments: string } }[];
  };
  usage: Record<string, number>;
}> {
  const response = await fetch(`${model.url}/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ model: "m", messages, ...(tools.length > 0 ? { tools } : {}) }),
  });
  const body = (await response.json()) as { choices: { message: never }[]; usage: Record<string, number> };
  const [choice] = body.choices;
  if (!choice) throw new Error("no choice");
  return { message: choice.message, usage: body.usage };
}

/** Plays a whole conversation; `world` answers the tools. What was called, and the last words. */
async function converse(
  request: string,
  world: (name: string, args: Record<string, string>) => string,
  tools = DEMO_TOOLS,
) {
  const messages: Message[] = [{ role: "user", content: request }];
  const calls: string[] = [];
  for (;;) {
    const { message } = await chat(messages, tools);
    messages.push(message);
    const [call] = message.tool_calls ?? [];
    if (!call) return { calls, said: message.content ?? "", messages };
    const args = JSON.parse(call.function.arguments) as Record<string, string>;
    calls.push(call.function.name === "todo" ? "todo" : `${call.function.name} ${call.function.arguments}`);
    messages.push({
      role: "tool",
      tool_call_id: call.id,
      content: call.function.name === "todo" ? "noted" : world(call.function.name, args),
    });
  }
}

const noWorld = (name: string): string => {
  throw new Error(`${name} was not expected`);
};

describe("the scripted model", () => {
  test("plans, reads before it edits, and says what is true afterwards", async () => {
    const { calls, said } = await converse('replace "teh" with "the" in README.md', (name) =>
      name === "read" ? "teh one\nteh two\n" : "replaced in 2 places",
    );
    expect(calls).toEqual([
      "todo",
      'read {"path":"README.md"}',
      'edit {"path":"README.md","oldText":"teh","newText":"the","all":true}',
      "todo",
    ]);
    expect(said).toBe("Done. README.md: “teh” is now “the” in 2 places.");
  });

  test("text that is not there is said, nothing is changed, and what would follow is not done", async () => {
    const { calls, said } = await converse('replace "xyz" with "the" in README.md then run `ls`', () => "XYZ here\n");
    expect(calls).toEqual(["todo", 'read {"path":"README.md"}']);
    expect(said).toContain("“xyz” is not in README.md, but “XYZ” is.");
    expect(said).toContain("I changed nothing.");
    expect(said).toContain("this is not done: run `ls`");
  });

  test("a blocked host is reported with the gateway's reason, and the rest goes on", async () => {
    const denial =
      '{"reason":"no_rule","rule":"policies/org.yaml:3:5","message":"No rule of this run\'s policy names this destination."}';
    const { said } = await converse("fetch https://evil.example then run `ls`", (name) =>
      name === "fetch" ? `blocked 403\n${denial}` : "exit 0\na.txt",
    );
    expect(said).toContain(
      "evil.example is blocked: No rule of this run's policy names this destination. (policies/org.yaml:3:5)",
    );
    expect(said).toContain("I ran `ls`, exit 0: “a.txt”.");
  });

  test("a failing command is told with its exit code", async () => {
    const { said } = await converse("run `npm test`", () => "exit 3\nboom\n");
    expect(said).toBe("I changed nothing. `npm test` failed with exit 3: “boom”.");
  });

  test("a refused command is told and not tried again", async () => {
    const { calls, said } = await converse("run `make`", () => "The user rejected this command.");
    expect(calls).toEqual(["todo", 'bash {"command":"make"}']);
    expect(said).toContain("it was refused");
  });

  test("a typo without a file name is looked for", async () => {
    const { calls } = await converse("fix the typo teh -> the", (name) =>
      name === "bash" ? "exit 0\ndocs/a.md\n" : name === "read" ? "teh" : "replaced in 1 place",
    );
    expect(calls.slice(1, 4)).toEqual([
      'bash {"command":"git grep -lF -- teh"}',
      'read {"path":"docs/a.md"}',
      'edit {"path":"docs/a.md","oldText":"teh","newText":"the"}',
    ]);
  });

  test("a line is added by an edit at its edge, and a new file by writing it", async () => {
    const old = await converse('append "three" to a.txt', (name) => (name === "read" ? "one\none\ntwo\n" : "ok"));
    expect(old.calls[2]).toBe('edit {"path":"a.txt","oldText":"two","newText":"two\\nthree"}');
    const fresh = await converse('append "three" to new.txt', (name) =>
      name === "read" ? "error: ENOENT: no such file" : "wrote",
    );
    expect(fresh.calls[2]).toBe('write {"path":"new.txt","content":"three\\n"}');
  });

  test("an existing file is not written over", async () => {
    const { calls, said } = await converse('create a.txt with "x"', () => "something else\n");
    expect(calls).toEqual(["todo", 'read {"path":"a.txt"}']);
    expect(said).toContain("a.txt exists already");
  });

  test("a value is set where its key stands", async () => {
    const { calls } = await converse("set version to 2.0.0 in package.json", (name) =>
      name === "read" ? '{\n  "name": "x",\n  "version": "1.0.0",\n}\n' : "ok",
    );
    expect(calls[2]).toBe(
      'edit {"path":"package.json","oldText":"  \\"version\\": \\"1.0.0\\",","newText":"  \\"version\\": \\"2.0.0\\","}',
    );
  });

  test("what it does not understand gets examples and no change", async () => {
    const { calls, said } = await converse("make the app nicer", noWorld);
    expect(calls).toEqual([]);
    expect(said.match(/^- /gm)).toHaveLength(3);
    expect(said).toContain("I changed nothing");
  });

  test("a question ends the turn, and the answer goes on from there", async () => {
    const first = await converse('ask me which colour, then create c.txt with "x"', noWorld);
    expect(first.said).toBe("A question for you: which colour?");
    const messages = [...first.messages, { role: "user", content: "blue" }];
    const { message } = await chat(messages);
    expect(message.tool_calls?.[0]?.function.name).toBe("todo");
  });

  test("after an interruption it goes on from the last result and repeats nothing", async () => {
    const messages: Message[] = [
      { role: "user", content: "run `make` then run `ls`" },
      { role: "assistant", content: "I will run `make`, then run `ls`." },
      { role: "tool", content: "noted" },
      { role: "tool", content: "Interrupted: the outcome is unknown. Check before relying on it." },
      { role: "user", content: "Your last command was interrupted; its outcome is unknown." },
      { role: "tool", content: "noted" },
    ];
    expect((await chat(messages)).message.tool_calls?.[0]?.function.arguments).toBe('{"command":"ls"}');
  });

  test("a prompt that says the request again after an interruption is no second request", async () => {
    const request = '<request from="Ann">\nrun `make` then run `ls`\n</request>';
    const messages: Message[] = [
      { role: "user", content: `You work alone. Run nothing else.\n${request}` },
      { role: "assistant", content: "I will run `make`, then run `ls`." },
      { role: "tool", content: "noted" },
      { role: "tool", content: "Interrupted: the outcome is unknown. Check before relying on it." },
      { role: "user", content: `You were interrupted, not by your doing. Check before you repeat it.\n${request}` },
      { role: "tool", content: "noted" },
    ];
    expect((await chat(messages)).message.tool_calls?.[0]?.function.arguments).toBe('{"command":"ls"}');
    const fresh = await chat(messages.slice(4, 5));
    expect(fresh.message.tool_calls?.[0]?.function.name).toBe("todo");
  });

  test("when the last thing was interrupted, it says what it did and what it left", async () => {
    const request = '<request from="Ann">\nrun `make`\n</request>';
    const messages: Message[] = [
      { role: "user", content: request },
      { role: "assistant", content: "I will run `make`." },
      { role: "tool", content: "noted" },
      { role: "tool", content: "Interrupted: the outcome is unknown. Check before relying on it." },
      { role: "user", content: `You were interrupted, not by your doing. Check before you repeat it.\n${request}` },
    ];
    const { message } = await chat(messages);
    expect(message.tool_calls).toBeUndefined();
    expect(message.content).toContain("I was interrupted while I wanted to run `make`");
  });

  test("a note of the control plane is never read as a request", async () => {
    const note = {
      role: "user",
      content: "<note>\nThe check failed:\nrun `npm test`\n</note>\nFind the cause and mend it.",
    };
    const { message } = await chat([{ role: "user", content: "hello" }, note]);
    expect(message.tool_calls).toBeUndefined();
    expect(message.content).toContain("I changed nothing");
  });

  test("thanks after the work is not the work again", async () => {
    const { messages } = await converse('replace "a" with "b" in x.md', (name) => (name === "read" ? "a" : "ok"));
    const { message } = await chat([...messages, { role: "user", content: "thanks" }]);
    expect(message.tool_calls).toBeUndefined();
    expect(message.content).toContain("welcome");
  });

  test("the same body gets the same answer, and tokens are counted from it", async () => {
    const short = [{ role: "user", content: "[[script:hello]]" }];
    expect(await chat(short)).toEqual(await chat(short));
    const long = [{ role: "user", content: `${"x".repeat(4_000)} [[script:hello]]` }];
    expect(
      ((await chat(long)).usage.prompt_tokens ?? 0) - ((await chat(short)).usage.prompt_tokens ?? 0),
    ).toBeGreaterThanOrEqual(1_000);
  });

  test("a request without tools is for a title and gets one", async () => {
    expect(
      (
        await chat(
          [
            { role: "user", content: "Generate a title" },
            { role: "user", content: "replace a with b" },
          ],
          [],
        )
      ).message.content,
    ).toBe("replace a with b");
  });

  test("OpenCode's tools get their own argument names and absolute paths", async () => {
    const tools = [
      tool("bash", "command", "timeout"),
      tool("read", "filePath"),
      tool("edit", "filePath", "oldString", "newString", "replaceAll"),
      tool("todowrite", "todos"),
    ];
    const messages: Message[] = [
      { role: "system", content: "<env>\n  Working directory: /repo\n</env>" },
      { role: "user", content: 'replace "teh" with "the" in a.md' },
      { role: "tool", content: "[]" },
    ];
    expect((await chat(messages, tools)).message.tool_calls?.[0]?.function.arguments).toBe('{"filePath":"/repo/a.md"}');
    messages.push({
      role: "tool",
      content:
        "<path>/repo/a.md</path>\n<type>file</type>\n<content>\n1: teh\n2: teh\n\n(End of file - total 2 lines)\n</content>",
    });
    expect((await chat(messages, tools)).message.tool_calls?.[0]?.function.arguments).toBe(
      '{"filePath":"/repo/a.md","oldString":"teh","newString":"the","replaceAll":true}',
    );
  });

  test("the same words are streamed in all three dialects", async () => {
    const stream = async (path: string, body: object) =>
      (
        await fetch(`${model.url}${path}`, {
          method: "POST",
          body: JSON.stringify({ model: "m", stream: true, ...body }),
        })
      ).text();
    const prompt = { role: "user", content: "[[script:hello]]" };
    const spoken = (text: string, pick: (event: never) => unknown) =>
      [...text.matchAll(/^data: (\{.*)$/gm)].map((match) => pick(JSON.parse(match[1] ?? "") as never) ?? "").join("");
    const chatText = await stream("/chat/completions", { messages: [prompt], tools: DEMO_TOOLS });
    expect(
      spoken(chatText, (it: { choices?: { delta: { content?: string } }[] }) => it.choices?.[0]?.delta.content),
    ).toBe("Hello from the scripted model.");
    const responses = await stream("/responses", { input: [prompt], tools: [{ type: "function", name: "shell" }] });
    expect(
      spoken(responses, (it: { type: string; delta?: string }) =>
        it.type === "response.output_text.delta" ? it.delta : "",
      ),
    ).toBe("Hello from the scripted model.");
    const messages = await stream("/messages", { messages: [prompt], tools: [{ name: "Bash", input_schema: {} }] });
    expect(spoken(messages, (it: { delta?: { text?: string } }) => it.delta?.text)).toBe(
      "Hello from the scripted model.",
    );
  });

  test.each([400, 401, 402, 403, 429, 500])("a scripted %i is that status", async (status) => {
    const body = JSON.stringify({
      tools: DEMO_TOOLS,
      messages: [{ role: "user", content: `[[script:err${status}]]` }],
    });
    expect((await fetch(`${model.url}/chat/completions`, { method: "POST", body })).status).toBe(status);
  });
});
