import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Duplex } from "node:stream";

/** What git's hook asks about a push, as it lies in git's quarantine. */
export interface Question {
  /** "<old> <new> <ref>" per line, as githooks(5) says. */
  readonly lines: string;
  /** Empty when the push only deletes: it brings no objects, and git makes no quarantine. */
  readonly objects: string;
  readonly alternates: string;
}

export interface Verdict {
  readonly ok: boolean;
  /** For the terminal of whoever pushes; empty, or whole lines. */
  readonly text: string;
}

const UNCHECKED = "countersign: the push could not be checked, so it is refused.";
/** Behind the question: descriptor 3 is shared by every git of the push, so that its end cannot say so. */
const END = "end";
/** The commands are read by us before git starts, and are no more than 64 KiB. */
const QUESTION_BYTES = 256_000;
const ANSWER_MS = 180_000;

/**
 * git's pre-receive hook. It decides nothing: it hands what git says to the gateway that started git, over descriptor 3,
 * prints the answer, and refuses unless the whole of "allow" came back. It reads nothing from the repository. The shell's
 * own words only: a program to start would cost every push more than the looking does.
 */
const HOOK = `#!/bin/sh
trap '' PIPE
unchecked() { echo "${UNCHECKED}" >&2; exit 1; }
{
  printf '%s\\n' "$GIT_OBJECT_DIRECTORY" "$GIT_ALTERNATE_OBJECT_DIRECTORIES"
  while IFS= read -r line; do printf '%s\\n' "$line"; done
  echo ${END}
} >&3 || unchecked
IFS= read -r verdict <&3 || unchecked
while IFS= read -r line; do printf '%s\\n' "$line"; done <&3 >&2
[ "$verdict" = allow ]
`;

/**
 * Writes the folder for `core.hooksPath`. It is ours, outside every repository, and named in git's environment (which
 * outranks any file). Why a hook at all: only git's quarantine shows a push's objects before its refs move, and only
 * pre-receive sees them there.
 */
export async function installHook(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(path.join(folder, "pre-receive"), HOOK, { mode: 0o700 });
  return folder;
}

/**
 * Answers the hook of one push on the other end of its descriptor 3. A question that is cut short, too long or cannot be
 * judged is a refusal. Resolves when the answer is out, or nobody is there to ask any more.
 */
export async function answerHook(channel: Duplex, judge: (question: Question) => Promise<Verdict>): Promise<void> {
  const refused: Verdict = { ok: false, text: `${UNCHECKED}\n` };
  channel.on("error", () => channel.destroy());
  const question = await asked(channel);
  if (question === "nobody") return;
  let late: NodeJS.Timeout | undefined;
  const patience = new Promise<Verdict>((resolve) => {
    late = setTimeout(() => resolve(refused), ANSWER_MS);
  });
  // What a failure was is for no terminal inside; git says that its hook declined.
  const judged = question === null ? refused : judge(question).catch(() => refused);
  const { ok, text } = await Promise.race([judged, patience]);
  clearTimeout(late);
  channel.end(`${ok ? "allow" : "refuse"}\n${text}`);
}

/** `null`: not what our hook says. "nobody": git ended without asking, since it has refused the push by itself. */
function asked(channel: Duplex): Promise<Question | null | "nobody"> {
  return new Promise((resolve) => {
    let text = "";
    channel.setEncoding("utf8");
    channel.on("data", (piece: string) => {
      text += piece;
      if (text.length > QUESTION_BYTES) resolve(null);
      if (text.endsWith(`\n${END}\n`)) resolve(questionIn(text));
    });
    channel.once("close", () => resolve(text === "" ? "nobody" : null));
    channel.once("end", () => resolve(text === "" ? "nobody" : null));
  });
}

function questionIn(text: string): Question | null {
  const [objects, alternates, ...commands] = text.split("\n").slice(0, -2);
  if (objects === undefined || alternates === undefined || commands.length === 0) return null;
  return { objects, alternates, lines: commands.join("\n") };
}
