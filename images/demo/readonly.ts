/** Programs that only look, whatever their arguments are. */
const LOOKING = new Set([
  "ls",
  "cat",
  "head",
  "tail",
  "wc",
  "pwd",
  "grep",
  "stat",
  "file",
  "basename",
  "dirname",
  "true",
]);

/** Git's looking commands, and the options with which even they write or start a program. */
const GIT_LOOKING = new Set(["status", "diff", "log", "show", "ls-files", "grep", "rev-parse"]);
const GIT_DANGER = /^(-O|--open-files-in-pager|--output|--ext-diff|--textconv|-c$|--exec)/;

/**
 * Whether a shell command plainly changes nothing: known programs joined by pipes, && and ;, without redirection,
 * substitution or background work. Anything unusual is not plain, and is asked about.
 */
export function isPlainlyReadOnly(command: string): boolean {
  const bare = command.replace(/'[^']*'/g, "q").replace(/"[^"$`\\]*"/g, "q");
  if (/[<>`$(){}\\\n"'!#]|(?<!&)&(?!&)/.test(bare)) return false;
  return bare.split(/&&|\|\||;|\|/).every((part) => {
    const [program, ...rest] = part.trim().split(/\s+/);
    if (program === "git") return GIT_LOOKING.has(rest[0] ?? "") && !rest.some((word) => GIT_DANGER.test(word));
    return program !== undefined && LOOKING.has(program);
  });
}
