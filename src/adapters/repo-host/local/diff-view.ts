import type { DiffLine, FileDiff } from "./diff.ts";
import type { HostLook, Html } from "./look.ts";

// A file with more changed lines is folded; with many more it is not drawn, nor is anything once the page is this long.
const FOLDED = 300;
const TOO_LONG = 1500;
const PAGE_LINES = 6000;
// A line longer than this is not read by anybody.
const LINE_LENGTH = 2000;

const SIGNS: Record<DiffLine["kind"], { row: string; sign: string }> = {
  same: { row: "", sign: "" },
  added: { row: "a", sign: "+" },
  deleted: { row: "d", sign: "−" },
  note: { row: "m", sign: "" },
};

/** All files of a change: small ones open, large ones folded, huge ones named with the command that shows them. */
export function diffView(look: HostLook, files: readonly FileDiff[], command: string): Html {
  let room = PAGE_LINES;
  return look.h`${files.map((file, i) => {
    const lines = file.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
    const drawn = lines <= TOO_LONG && lines <= room;
    if (drawn) room -= lines;
    return fileView(look, file, i, drawn ? null : lines, command);
  })}`;
}

function fileView({ h }: HostLook, file: FileDiff, i: number, hidden: number | null, command: string): Html {
  const lines = file.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  const name = file.from === null ? h`${file.path}` : h`${file.from} → ${file.path}`;
  const counts =
    file.additions === null || file.deletions === null
      ? h`<span class="rule">${file.notes[0] ?? "binary file"}</span>`
      : h`<span class="num"><span class="add">+${file.additions}</span> <span class="del">−${file.deletions}</span></span>`;
  const notes = [file.status === "modified" ? null : file.status, ...file.notes].filter((note) => note !== null);
  const aside = (words: unknown): Html => h`<div class="aside">${words}</div>`;
  return h`<details class="diff" id="file-${i + 1}"${lines <= FOLDED ? h` open` : ""}><summary><span>${name}</span>${counts}</summary>${
    notes.length === 0 ? "" : aside(notes.join(" · "))
  }${
    hidden === null
      ? file.hunks.length === 0
        ? ""
        : h`<div class="scroll" tabindex="0" role="region" aria-label="${file.path}"><table><tbody>${file.hunks.map(
            (hunk) =>
              h`<tr class="h"><td class="l"></td><td class="l"></td><td class="s"></td><td>${hunk.heading}</td></tr>${hunk.lines.map((line) => row(h, line))}`,
          )}</tbody></table></div>`
      : aside(h`${hidden} lines are too many to show here: <code>${command} -- ${quoted(file.path)}</code>`)
  }${file.cut ? aside("The change is too large to show whole; this file ends early.") : ""}</details>`;
}

function row(h: HostLook["h"], line: DiffLine): Html {
  const { row: name, sign } = SIGNS[line.kind];
  const text = line.text.length > LINE_LENGTH ? `${line.text.slice(0, LINE_LENGTH)} …` : line.text;
  return h`<tr class="${name}"><td class="l" data-n="${line.old ?? ""}"></td><td class="l" data-n="${line.now ?? ""}"></td><td class="s" data-s="${sign}"></td><td>${text}</td></tr>`;
}

/** A path as a shell takes it. */
const quoted = (path: string): string => (/^[\w./@-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
