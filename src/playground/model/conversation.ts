import { HELP, type Play, play, smallTalk } from "./play.ts";
import { type PlainRequest, understand, wordsOf } from "./request.ts";
import { SCRIPTS } from "./scripts.ts";
import { type Outcome, outcomeOf, type Step } from "./step.ts";
import { type Call, callFor, type OfferedTool, type Place } from "./toolbox.ts";

export interface Item {
  readonly role: "user" | "assistant" | "tool";
  readonly text: string;
}

/** A request body, in no vendor's words. */
export interface Conversation {
  readonly model: string;
  readonly stream: boolean;
  readonly tools: readonly OfferedTool[];
  readonly system: string;
  readonly items: readonly Item[];
}

export interface Answer {
  readonly step: Step;
  readonly call: Call | null;
}

/**
 * The next answer, from the body alone: the last message that asks for something is found, its play is begun, and the
 * results that came since are fed to it.
 */
export function answer(conversation: Conversation): Answer {
  // Agents ask for a title without offering a tool.
  if (conversation.tools.length === 0) return { step: { text: title(conversation.items) }, call: null };
  const place = { tools: conversation.tools, workdir: workdirIn(conversation.system) };
  const asked = lastAsk(conversation.items);
  if (asked) {
    const since = conversation.items.slice(asked.at + 1);
    const next = "script" in asked ? scripted(asked.script, since, place) : follow(play(asked.request), since, place);
    if (next) return next;
  }
  return { step: { text: smallTalk(lastWords(conversation.items)) }, call: null };
}

type Ask = { readonly at: number } & ({ readonly script: string } | { readonly request: PlainRequest });

/** The last message that asks for something. One that only says an old ask again, after an interruption, is that old one. */
function lastAsk(items: readonly Item[]): Ask | null {
  const asks = items.flatMap((item, at): Ask[] => {
    if (item.role !== "user") return [];
    const script = [...item.text.matchAll(/\[\[script:(\w+)\]\]/g)].at(-1)?.[1];
    if (script !== undefined) return [{ at, script }];
    const request = understand(item.text);
    return request.wishes.length > 0 ? [{ at, request }] : [];
  });
  for (let last = asks.length - 1; ; last -= 1) {
    const [ask, before] = [asks[last], asks[last - 1]];
    if (!ask || !before) return ask ?? null;
    if (!/^\s*you were interrupted/i.test(items[ask.at]?.text ?? "") || !sameAsk(ask, before)) return ask;
  }
}

function sameAsk(one: Ask, other: Ask): boolean {
  return JSON.stringify({ ...one, at: 0 }) === JSON.stringify({ ...other, at: 0 });
}

const lastWords = (items: readonly Item[]): string => {
  const said = items.findLast((item) => item.role === "user")?.text ?? "";
  return wordsOf(said) || said;
};

function scripted(name: string, since: readonly Item[], place: Place): Answer {
  const steps = SCRIPTS[name] ?? [{ text: `There is no script named ${name}.` }];
  const step = steps[Math.min(since.filter((item) => item.role === "tool").length, steps.length - 1)] ?? { text: HELP };
  return { step, call: step.action ? callFor(step.action, place) : null };
}

/** Brings a play to where the conversation stands. `null` when it was over before the last thing that was said. */
function follow(acts: Play, since: readonly Item[], place: Place): Answer | null {
  const results = since.filter((item) => item.role !== "assistant");
  let at = 0;
  let spoken = "";
  for (let turn = acts.next(); !turn.done; ) {
    const step = turn.value;
    const text = [spoken, step.text ?? ""].filter((part) => part !== "").join("\n");
    const call = step.action ? callFor(step.action, place) : null;
    if (step.action && !call) {
      spoken = text;
      turn = acts.next({ kind: "unsupported" });
      continue;
    }
    // Last words wait for nobody: what a person says next is no answer to them.
    if (!step.action && !step.awaits && !said(since, text)) return { step: { ...step, text }, call };
    const wanted = step.action ? "tool" : "user";
    while (at < results.length && results[at]?.role !== wanted) at += 1;
    const result = results[at];
    if (!result) return { step: { ...step, ...(text === "" ? {} : { text }) }, call };
    at += 1;
    spoken = "";
    const outcome: Outcome = step.action ? outcomeOf(step.action, result.text) : { kind: "answer", text: result.text };
    turn = acts.next(outcome);
  }
  return null;
}

/** Whether these last words were said before: then whatever came after them is a new matter. */
function said(since: readonly Item[], text: string): boolean {
  return since.some((item) => item.role === "assistant" && item.text.trim() === text.trim());
}

function title(items: readonly Item[]): string {
  const asked = items.findLast((item) => item.role === "user" && !/^\s*generate a title/i.test(item.text))?.text ?? "";
  return wordsOf(asked).split("\n")[0]?.slice(0, 50) || "Scripted conversation";
}

/** Agents say where they work in their system prompt, each in its own words. */
function workdirIn(system: string): string {
  const found = /(?:working directory(?: is)?|<cwd>)[:\s]*(\/[^\s<"\\]*)/i.exec(system)?.[1];
  return found?.replace(/[.,]$/, "") ?? "";
}
