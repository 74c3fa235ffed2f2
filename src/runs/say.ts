import { LINK_PLACES, type LinkPlace } from "#policy/linked.ts";

/** What a person may say to us beside a task. Words are matched alone, so that "stop the flaky test" is a task. */
export type Said =
  | { readonly kind: "help" | "status" | "stop" | "mine" | "policy" }
  /** Whose account elsewhere is theirs. `place`: `null`: all of them. */
  | { readonly kind: "accounts"; readonly what: "link" | "unlink"; readonly place: LinkPlace | null }
  /** `about`: one word after it, such as a host; `null`: everything. */
  | { readonly kind: "why"; readonly about: string | null }
  /** What follows "can I": asked of policy, and nothing is done. */
  | { readonly kind: "can"; readonly text: string }
  /** Somebody else is to answer. `to`: the account that was mentioned; `null`: none was. */
  | { readonly kind: "delegate"; readonly to: string | null }
  | { readonly kind: "task"; readonly text: string; readonly repo: string | null; readonly fresh: boolean };

const WORDS: Readonly<Record<string, "help" | "status" | "why" | "stop" | "mine" | "policy">> = {
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
  policy: "policy",
};

const LINKING = new RegExp(`^(link|unlink)(?: (?:my )?(${LINK_PLACES.join("|")})(?: account)?)?[.!?]*$`, "i");

/** Parses a message that is already free of the mention. `repo=owner/name` picks a repository; `new …` a new run. */
export function parse(text: string): Said {
  const trimmed = text.trim();
  const word = WORDS[trimmed.toLowerCase().replace(/[.!?]+$/, "")];
  if (word === "why") return { kind: "why", about: null };
  if (word !== undefined) return { kind: word };
  const linking = LINKING.exec(trimmed.replace(/\s+/g, " "));
  if (linking !== null) {
    const [, what = "", place] = linking;
    return {
      kind: "accounts",
      what: what.toLowerCase() === "link" ? "link" : "unlink",
      place: LINK_PLACES.find((one) => one === place?.toLowerCase()) ?? null,
    };
  }
  const about = /^why `?([^\s`]*[^\s`?!.])`?[?!.]*$/i.exec(trimmed);
  if (about?.[1] !== undefined) return { kind: "why", about: about[1] };
  const asked = /^(?:can|may) (?:i|we) (.+)$/is.exec(trimmed);
  if (asked?.[1] !== undefined) return { kind: "can", text: asked[1] };
  const handed = /^delegate(?:\s+to)?(?:\s+(\S+?))?[.!]*$/i.exec(trimmed);
  if (handed !== null) return { kind: "delegate", to: /^@(\w+)$/.exec(handed[1] ?? "")?.[1] ?? null };
  return taskOf(trimmed);
}

/** Words that ask for work, whatever they are. */
export function taskOf(trimmed: string): Extract<Said, { kind: "task" }> {
  const repo = /(?:^|\s)repo=([\w.-]+\/[\w.-]+)(?=\s|$)/.exec(trimmed);
  const fresh = /^new\s+/i.test(trimmed);
  const task = trimmed
    .replace(/(?:^|\s)repo=[\w.-]+\/[\w.-]+(?=\s|$)/, " ")
    .replace(/^new\s+/i, "")
    .replace(/ {2,}/g, " ")
    .trim();
  return { kind: "task", text: task, repo: repo?.[1] ?? null, fresh };
}
