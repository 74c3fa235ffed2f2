import { fulfil, type Note } from "./fulfil.ts";
import type { PlainRequest } from "./request.ts";
import type { Outcome, PlanItem, Step } from "./step.ts";
import { intent } from "./wishes.ts";

export type Play = Generator<Step, void, Outcome>;

export const HELP = [
  "I did not understand that, so I changed nothing. I am a demo: my model is scripted and knows exact requests only.",
  "The suggestions at the message box work as they are. So do:",
  '- replace "these words" with "those words" in README.md',
  '- append "One more line." to README.md',
  "- run `npm test`, then show README.md",
  "Several can be joined with “then”. With a model key set, a real agent takes any request.",
].join("\n");

/**
 * A plain request as a play: it tells its plan, does one thing after the other, looks at every result, and says at the
 * end what really happened. Being a generator, it is brought to any point by feeding it the results so far, so the
 * server needs no memory.
 */
export function* play(request: PlainRequest): Play {
  const titles = request.wishes.map(intent);
  const plan = (done: number): readonly PlanItem[] =>
    titles.map((title, at) => ({
      title: capital(title),
      status: at < done ? "completed" : at === done ? "in_progress" : "pending",
    }));
  yield { text: `I will ${sequence(titles)}.`, action: { kind: "plan", items: plan(0) } };
  const notes: Note[] = [];
  for (const [at, wish] of request.wishes.entries()) {
    if (at > 0) yield { action: { kind: "plan", items: plan(at) } };
    const note = yield* fulfil(wish);
    notes.push(note);
    if (note.end === "stop") break;
  }
  const finished = notes.every((note) => note.end === "done");
  if (finished) yield { action: { kind: "plan", items: plan(titles.length) } };
  yield { text: summary(notes, titles.slice(notes.length), request.unknown) };
}

function summary(notes: readonly Note[], left: readonly string[], unknown: readonly string[]): string {
  const lines = notes.map((note) => note.text);
  const good = notes.every((note) => note.end === "done") && unknown.length === 0;
  const head = good ? "Done." : notes.some((note) => note.changed) ? "Partly done." : "I changed nothing.";
  const words = notes.length === 1 ? [`${head} ${lines[0] ?? ""}`] : [head, ...lines.map((line) => `- ${line}`)];
  if (left.length > 0) words.push(`I stopped there, so this is not done: ${sequence(left)}.`);
  if (unknown.length > 0) words.push(`I did not understand ${sequence(unknown.map((part) => `“${part}”`))}.`);
  return words.join("\n");
}

/** What to say to words that are no request, by what was said. */
export function smallTalk(text: string): string {
  if (/\bchecks?\b[^.\n]*\b(?:fail|failed|failing|red|broke|broken)|\b(?:tests?|ci)\b[^.\n]*\bfail/i.test(text)) {
    return "The checks do not pass. My model is scripted, so I cannot find the cause on my own: tell me the exact change, such as replace “a” with “b” in a file. I changed nothing.";
  }
  if (/\b(?:refused|rejected|denied)\b/i.test(text))
    return "Understood: it was refused. I leave it undone and change nothing more.";
  if (/^\W*(?:thanks?|thank you|cheers|great|nice|perfect|ok(?:ay)?)\b/i.test(text))
    return "You are welcome. Nothing more to do, so I changed nothing.";
  return HELP;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function sequence(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")}, then ${parts.at(-1)}`;
}
