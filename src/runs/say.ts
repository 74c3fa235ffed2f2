/** What a person may say to us beside a task. Words are matched alone, so that "stop the flaky test" is a task. */
export type Said =
  | { readonly kind: "help" | "status" | "why" | "stop" | "mine" }
  | { readonly kind: "task"; readonly text: string; readonly repo: string | null; readonly fresh: boolean };

const WORDS: Readonly<Record<string, "help" | "status" | "why" | "stop" | "mine">> = {
  "": "help",
  help: "help",
  hello: "help",
  hi: "help",
  status: "status",
  why: "why",
  stop: "stop",
  cancel: "stop",
  kill: "stop",
  mine: "mine",
};

/** Parses a message that is already free of the mention. `repo=owner/name` picks a repository; `new …` a new run. */
export function parse(text: string): Said {
  const trimmed = text.trim();
  const word = WORDS[trimmed.toLowerCase().replace(/[.!?]+$/, "")];
  if (word !== undefined) return { kind: word };
  const repo = /(?:^|\s)repo=([\w.-]+\/[\w.-]+)(?=\s|$)/.exec(trimmed);
  const fresh = /^new\s+/i.test(trimmed);
  const task = trimmed
    .replace(/(?:^|\s)repo=[\w.-]+\/[\w.-]+(?=\s|$)/, " ")
    .replace(/^new\s+/i, "")
    .replace(/ {2,}/g, " ")
    .trim();
  return { kind: "task", text: task, repo: repo?.[1] ?? null, fresh };
}
