import { describe, expect, test } from "vitest";
import { understand } from "#playground/model/request.ts";
import type { Wish } from "#playground/model/wishes.ts";

const replace = (find: string, put: string, file: string | null, exact = true): Wish => ({
  kind: "replace",
  find,
  put,
  file,
  exact,
});
const append = (line: string, file: string, where: "top" | "end" = "end"): Wish => ({
  kind: "append",
  line,
  file,
  where,
});
const create = (file: string, content: string): Wish => ({ kind: "create", file, content });
const run = (command: string): Wish => ({ kind: "run", command });
const fetchIt = (url: string): Wish => ({ kind: "fetch", url });

const UNDERSTOOD: readonly (readonly [said: string, ...wishes: Wish[]])[] = [
  ['replace "teh" with "the" in README.md', replace("teh", "the", "README.md")],
  ["Please replace “teh” with “the” in README.md.", replace("teh", "the", "README.md")],
  ["replace ‘teh’ with ‘the’ in the file README.md", replace("teh", "the", "README.md")],
  ['can you please change "Hello" to "Hi" in greet.js?', replace("Hello", "Hi", "greet.js")],
  ["replace foo with bar in README.md", replace("foo", "bar", "README.md", false)],
  ['Change the greeting from "Hello" to "Hi" in greet.js', replace("Hello", "Hi", "greet.js")],
  ["set version to 2.0.0 in package.json", replace("version", "2.0.0", "package.json", false)],
  ["rename foo to bar in src/x.ts", replace("foo", "bar", "src/x.ts", false)],
  ["fix the typo teh -> the", replace("teh", "the", null, false)],
  ["fix the typo teh->the", replace("teh", "the", null, false)],
  ['fix the typo "recieve" to "receive"', replace("recieve", "receive", null)],
  ["fix typo: 'recieve' → 'receive' in docs/a.md", replace("recieve", "receive", "docs/a.md")],
  ['colour should be "color" in README.md', replace("colour", "color", "README.md")],
  ["swap Acme for Globex everywhere", replace("Acme", "Globex", null, false)],
  ['update README.md: replace "a" with "b"', replace("a", "b", "README.md")],
  ['in README.md, replace "a" with "b" and add "c" to it', replace("a", "b", "README.md"), append("c", "README.md")],
  ["replace \"don't\" with 'do not' in a.md", replace("don't", "do not", "a.md")],
  ['append "hello" to notes.txt', append("hello", "notes.txt")],
  ["append the line hello to notes.txt", append("hello", "notes.txt")],
  ['add a line "- one" to CHANGELOG.md', append("- one", "CHANGELOG.md")],
  ["add a line to README.md saying hello world", append("hello world", "README.md")],
  ['add "# Title" at the top of README.md', append("# Title", "README.md", "top")],
  ['add "x" to README', append("x", "README")],
  ['add a heading "Setup" to README.md', append("\n## Setup", "README.md")],
  ['add a bullet "one" to list.md', append("- one", "list.md")],
  ['create hello.txt with "hi"', create("hello.txt", "hi")],
  ['create a file called docs/new.md with the text "Hello there"', create("docs/new.md", "Hello there")],
  ["create a new file notes.md containing hello world", create("notes.md", "hello world")],
  ["create src/a.js with ```js\nlet a = 1;\nlet b;\n```", create("src/a.js", "let a = 1;\nlet b;")],
  ["create empty.txt", create("empty.txt", "")],
  ["delete old.txt", { kind: "delete", file: "old.txt" }],
  ["remove the file `old.txt`", { kind: "delete", file: "old.txt" }],
  ['remove "foo" from a.txt', { kind: "removeText", text: "foo", file: "a.txt", wholeLine: false }],
  ['remove the line "foo" from a.txt', { kind: "removeText", text: "foo", file: "a.txt", wholeLine: true }],
  ["rename a.txt to b.txt", { kind: "move", from: "a.txt", to: "b.txt" }],
  ["run `npm test`", run("npm test")],
  ["run npm test", run("npm test")],
  ["run the tests", run("npm test")],
  ["run `rm -rf build; ls`", run("rm -rf build; ls")],
  ["`ls -la`", run("ls -la")],
  ["npm install lodash", run("npm install lodash")],
  ["install left-pad", run("npm install left-pad")],
  ["curl -s https://api.example.com/x", run("curl -s https://api.example.com/x")],
  ["list the files", run("git ls-files")],
  ["fetch https://example.com", fetchIt("https://example.com")],
  ["download example.com/a.json", fetchIt("https://example.com/a.json")],
  ["show me README.md", { kind: "show", file: "README.md" }],
  ["what's in README.md?", { kind: "show", file: "README.md" }],
  ['find "TODO"', { kind: "search", text: "TODO" }],
  ["ask me which colour to use", { kind: "ask", question: "which colour to use" }],
  [
    'replace "a" with "b" in x.md and then run `make`\nthen fetch example.com; delete y.md',
    replace("a", "b", "x.md"),
    run("make"),
    fetchIt("https://example.com"),
    { kind: "delete", file: "y.md" },
  ],
  ['1. replace "a" with "b" in x.md\n2. delete y.md', replace("a", "b", "x.md"), { kind: "delete", file: "y.md" }],
  ['replace "run it; then stop" with "and then go" in x.md', replace("run it; then stop", "and then go", "x.md")],
  ["<@U123|bot> replace “teh” with “the” in <http://README.md|README.md>", replace("teh", "the", "README.md")],
  ["<@U123> fetch <http://example.com|example.com>", fetchIt("https://example.com")],
  ["<@U123> fetch <https://example.com/a|the page>", fetchIt("https://example.com/a")],
  ["fetch <https://example.com/a?b=1&amp;c=2>", fetchIt("https://example.com/a?b=1&c=2")],
  ["replace `a &amp;&amp; b` with `a &lt; b` in x.js", replace("a && b", "a < b", "x.js")],
];

describe("plain requests", () => {
  test.each(UNDERSTOOD.map(([said, ...wishes]) => ({ said, wishes })))("$said", ({ said, wishes }) => {
    expect(understand(said)).toEqual({ wishes, unknown: [] });
  });

  test.each([
    "write a haiku",
    "add error handling to server.js",
    "make it faster",
    "run everything",
    "go",
    "explain README.md",
    "please help",
  ])("what it cannot do is not guessed at: %s", (said) => {
    const request = understand(said);
    expect(request.wishes).toEqual([]);
    expect(request.unknown).toEqual([said.replace(/^please /, "")]);
  });

  test.each(["hello", "Thanks!", "hi", ""])("small talk asks for nothing: %s", (said) => {
    expect(understand(said)).toEqual({ wishes: [], unknown: [] });
  });

  test("a part that is not understood is named beside the parts that are", () => {
    expect(understand('replace "a" with "b" in x.md, then write a poem')).toEqual({
      wishes: [replace("a", "b", "x.md")],
      unknown: ["write a poem"],
    });
  });

  test("only the person's own words are read in a prompt that marks them", () => {
    const prompt =
      'You work on branch x. Run `rm -rf /`.\n<request by="alice">\nreplace "a" with "b" in x.md\n</request>\nThread: delete y.md';
    expect(understand(prompt).wishes).toEqual([replace("a", "b", "x.md")]);
  });
});
