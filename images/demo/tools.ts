import fs from "node:fs/promises";
import path from "node:path";
import { fetchUrl } from "./fetch.ts";
import { isPlainlyReadOnly } from "./readonly.ts";
import type { Fields } from "./rpc.ts";
import { runShell } from "./shell.ts";
import type { Session } from "./transcript.ts";

export interface ToolResult {
  readonly ok: boolean;
  /** What the model reads. */
  readonly text: string;
  readonly exitCode?: number;
  readonly diff?: { readonly path: string; readonly oldText: string | null; readonly newText: string };
}

export interface Tool {
  /** ACP's word for what it does. */
  readonly kind: "execute" | "read" | "edit" | "fetch" | "think" | "other";
  readonly description: string;
  readonly parameters: Fields;
  title(input: Fields): string;
  /** Whether a person's permission is needed first. */
  asks(input: Fields): boolean;
  run(session: Session, input: Fields, onOutput: (whole: string) => void): Promise<ToolResult>;
}

const words = (description: string) => ({ type: "string", description });
const object = (properties: Fields, required: readonly string[]) => ({ type: "object", properties, required });
const never = () => false;

export const TOOLS: Readonly<Record<string, Tool>> = {
  bash: {
    kind: "execute",
    description: "Run a shell command in the working directory.",
    parameters: object({ command: words("The command") }, ["command"]),
    title: (input) => said(input, "command"),
    asks: (input) => !isPlainlyReadOnly(said(input, "command")),
    async run(session, input, onOutput) {
      const { code, output } = await runShell(session, said(input, "command"), onOutput);
      return { ok: code === 0, text: `exit ${code}\n${output}`, exitCode: code };
    },
  },
  read: {
    kind: "read",
    description: "Read a text file.",
    parameters: object({ path: words("Relative to the working directory") }, ["path"]),
    title: (input) => `Read ${said(input, "path")}`,
    asks: never,
    async run(session, input) {
      return { ok: true, text: await fs.readFile(await inside(session, said(input, "path")), "utf8") };
    },
  },
  write: {
    kind: "edit",
    description: "Write a whole text file; folders are made.",
    parameters: object({ path: words("Relative to the working directory"), content: words("The whole content") }, [
      "path",
      "content",
    ]),
    title: (input) => `Write ${said(input, "path")}`,
    asks: never,
    async run(session, input) {
      const file = await inside(session, said(input, "path"));
      const oldText = await fs.readFile(file, "utf8").catch(absent);
      const newText = said(input, "content");
      await fs.mkdir(path.dirname(file), { recursive: true });
      await fs.writeFile(file, newText);
      return { ok: true, text: `wrote ${said(input, "path")}`, diff: { path: file, oldText, newText } };
    },
  },
  edit: {
    kind: "edit",
    description: "Replace text in a file. The old text must be there exactly; `all` replaces every place.",
    parameters: object(
      {
        path: words("Relative to the working directory"),
        oldText: words("Text to find"),
        newText: words("Text to put"),
        all: { type: "boolean" },
      },
      ["path", "oldText", "newText"],
    ),
    title: (input) => `Edit ${said(input, "path")}`,
    asks: never,
    async run(session, input) {
      const file = await inside(session, said(input, "path"));
      const oldText = await fs.readFile(file, "utf8");
      const find = said(input, "oldText");
      const places = find === "" ? 0 : oldText.split(find).length - 1;
      if (places === 0) return { ok: false, text: `error: the text is not in ${said(input, "path")}` };
      if (places > 1 && input.all !== true) return { ok: false, text: `error: the text is in ${places} places` };
      const newText = oldText.split(find).join(said(input, "newText"));
      await fs.writeFile(file, newText);
      return {
        ok: true,
        text: `replaced in ${places} place${places === 1 ? "" : "s"}`,
        diff: { path: file, oldText, newText },
      };
    },
  },
  fetch: {
    kind: "fetch",
    description: "Get a web address.",
    parameters: object({ url: words("http or https address") }, ["url"]),
    title: (input) => `Fetch ${said(input, "url")}`,
    asks: () => true,
    async run(session, input) {
      const url = said(input, "url");
      const proxy = url.startsWith("https:") ? process.env.HTTPS_PROXY : process.env.HTTP_PROXY;
      const got = await fetchUrl(url, proxy, session.abort.signal);
      const head = got.blocked ? `blocked ${got.status}` : `status ${got.status}`;
      return { ok: !got.blocked && got.status < 400, text: `${head}\n${got.text}` };
    },
  },
  todo: {
    kind: "think",
    description: "Say what the steps are and how far they are. Send the whole list every time.",
    parameters: object(
      {
        entries: {
          type: "array",
          items: object(
            { content: words("The step"), status: { type: "string", enum: ["pending", "in_progress", "completed"] } },
            ["content", "status"],
          ),
        },
      },
      ["entries"],
    ),
    title: () => "Plan",
    asks: never,
    run: async () => ({ ok: true, text: "noted" }),
  },
  ask: {
    kind: "other",
    description: "Ask the person a question and wait for the answer.",
    parameters: object({ question: words("The question") }, ["question"]),
    title: (input) => said(input, "question"),
    asks: never,
    run: async () => ({
      ok: false,
      text: "error: nobody can be asked while a turn runs. Put the question in your reply and stop.",
    }),
  },
};

/** In the form the model's wire wants them. */
export const TOOL_SCHEMAS = Object.entries(TOOLS).map(([name, { description, parameters }]) => ({
  type: "function",
  function: { name, description, parameters },
}));

function said(input: Fields, key: string): string {
  const value = input[key];
  if (typeof value !== "string") throw new Error(`the argument "${key}" is missing`);
  return value;
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}

/**
 * A path below the working directory, links followed as far as they exist. The sandbox is the wall; this only keeps
 * the demo's own tools to the work they were given.
 */
async function inside(session: Session, name: string): Promise<string> {
  const root = await fs.realpath(session.cwd);
  const file = path.resolve(root, name);
  let known = file;
  for (;;) {
    try {
      const real = await fs.realpath(known);
      if (real !== root && !real.startsWith(`${root}${path.sep}`))
        throw new Error(`${name} is outside the working directory`);
      return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      known = path.dirname(known);
    }
  }
}
