import { commandParts } from "./commands.ts";
import type { PolicyObject } from "./decision.ts";

type Action = PolicyObject & { readonly subject: "action" };

/** Words after the program that are no options, with those that an option takes for itself left out. */
function operands(words: readonly string[], valued: ReadonlySet<string>): string[] {
  const out: string[] = [];
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? "";
    if (word === "--") return [...out, ...words.slice(i + 1)];
    if (!word.startsWith("-")) out.push(word);
    else if (valued.has(word)) i += 1;
  }
  return out;
}

/** A folder or a file that is there already: no package of somebody else's. */
const isLocal = (spec: string): boolean => /^(?:\.{1,2}(?:\/|$|\[)|\/|~\/|file:|link:|workspace:)/.test(spec);

interface Manager {
  /** What stands between the program and its packages: "add", "pip install". */
  readonly verbs: readonly string[];
  /** Options that take the next word. */
  readonly valued: readonly string[];
  /** Any package is one that nothing declares: what it runs is not installed here. */
  readonly runs?: readonly string[];
}

const NODE_VALUED = [
  ...["-C", "-w", "--cache", "--dir", "--filter", "--cwd", "--include", "--loglevel", "--network-timeout", "--omit"],
  ...["--prefix", "--registry", "--save-prefix", "--tag", "--userconfig", "--workspace", "-F"],
];
const PYTHON_VALUED = [
  ...["-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-i", "--index-url", "--extra-index-url"],
  ...["-f", "--find-links", "-t", "--target", "--prefix", "--root", "--python", "-p", "--cache-dir", "--group"],
  ...["--trusted-host", "--platform", "--python-version", "--progress-bar", "--timeout", "--retries", "--directory"],
];
const SYSTEM = { verbs: ["install"], valued: ["-o", "-t", "--target-release", "-c", "--repo"] };

/** Programs that install packages, by the words with which they do. Without a package they install what is declared. */
const MANAGERS: Readonly<Record<string, Manager>> = {
  npm: { verbs: ["install", "i", "in", "ins", "inst", "insta", "instal", "isnt", "add"], valued: NODE_VALUED },
  pnpm: { verbs: ["add", "install", "i"], valued: NODE_VALUED, runs: ["dlx"] },
  yarn: { verbs: ["add", "global add"], valued: NODE_VALUED, runs: ["dlx"] },
  bun: { verbs: ["add", "a", "install", "i"], valued: NODE_VALUED },
  deno: { verbs: ["add", "install"], valued: NODE_VALUED },
  pip: { verbs: ["install"], valued: PYTHON_VALUED },
  uv: { verbs: ["add", "pip install", "tool install"], valued: PYTHON_VALUED, runs: ["tool run"] },
  uvx: { verbs: [], valued: PYTHON_VALUED, runs: [""] },
  pipx: { verbs: ["install", "inject"], valued: PYTHON_VALUED, runs: ["run"] },
  pipenv: { verbs: ["install"], valued: PYTHON_VALUED },
  poetry: { verbs: ["add"], valued: [...PYTHON_VALUED, "-G", "-E", "--extras", "--source"] },
  pdm: { verbs: ["add"], valued: PYTHON_VALUED },
  conda: {
    verbs: ["install", "create"],
    valued: ["-n", "--name", "-c", "--channel", "-p", "--prefix", "-f", "--file"],
  },
  go: { verbs: ["get", "install"], valued: ["-C", "-modfile", "-mod", "-tags", "-o"] },
  cargo: { verbs: ["add", "install"], valued: ["-p", "--package", "--manifest-path", "--target-dir", "--root"] },
  gem: { verbs: ["install"], valued: ["-v", "--version", "-i", "--install-dir"] },
  bundle: { verbs: ["add"], valued: ["-v", "--version", "-g", "--group"] },
  composer: { verbs: ["require"], valued: ["-d", "--working-dir"] },
  apt: SYSTEM,
  apk: { ...SYSTEM, verbs: ["add"] },
  brew: SYSTEM,
  dnf: SYSTEM,
};
const ALIASES: Readonly<Record<string, string>> = {
  "apt-get": "apt",
  yum: "dnf",
  mamba: "conda",
  micromamba: "conda",
  pip3: "pip",
};

/** The program under the name we know it by: "pip3.12" is pip, and "python3 -m pip" too. */
function programOf(words: readonly string[]): { program: string; rest: readonly string[] } {
  const [first = "", ...rest] = words;
  if (/^(?:python[\d.]*|py)$/.test(first) && rest[0] === "-m") return programOf(rest.slice(1));
  const name = /^pip[\d.]+$/.test(first) ? "pip" : first;
  return { program: ALIASES[name] ?? name, rest };
}

/** `npx` runs what is installed, unless it is told to fetch it: "-y", "-p x", or a version. */
function fetches(rest: readonly string[]): boolean {
  const [spec = ""] = operands(rest, new Set(["-c", "--call", "-w", "--workspace"]));
  if (/^@?[^@]+@/.test(spec)) return true;
  const own = rest.slice(0, rest.indexOf(spec) < 0 ? rest.length : rest.indexOf(spec));
  return own.some((word) => /^(?:-y|--yes|-p|--package(?:=.*)?)$/.test(word));
}

/** Whether the words put a package in that nothing in the repository declares. */
function installs(program: string, rest: readonly string[], named: boolean): boolean {
  if (program === "npx" || program === "bunx") return fetches(rest);
  const manager = MANAGERS[program];
  if (manager === undefined) return false;
  const said = operands(rest, new Set(manager.valued));
  const after = (phrase: string): readonly string[] | null => {
    const words = phrase === "" ? [] : phrase.split(" ");
    return words.every((word, index) => said[index] === word) ? said.slice(words.length) : null;
  };
  if ((program === "npm" || program === "pnpm") && (said[0] === "exec" || said[0] === "x")) {
    return fetches(rest.slice(rest.indexOf(said[0]) + 1));
  }
  if (manager.runs?.some((phrase) => (after(phrase) ?? []).length > 0)) return true;
  // What a module of ours needs, "go install ./cmd/x", is declared; "go run x@v1" is not.
  if (program === "go" && said[0] === "run") return /@/.test(said[1] ?? "");
  const updates = program === "go" && said[0] === "get" && rest.includes("-u");
  return manager.verbs.some((phrase) => {
    const packages = after(phrase);
    if (packages === null) return false;
    return updates || named || packages.some((spec) => !isLocal(spec));
  });
}

const FORGE: readonly (readonly [RegExp, string])[] = [
  [/^(?:gh pr|glab mr) merge\b/, "pr.merge"],
  [/^(?:gh pr|glab mr) (?:create|new)\b/, "pr.open"],
  [
    /^(?:gh pr (?:edit|comment|review|close|reopen|ready|lock)|glab mr (?:update|note|approve|close|reopen))\b/,
    "pr.update",
  ],
  [/^(?:gh issue comment|glab issue note)\b/, "issue.comment"],
];

/** The actions that a command line is, beside being a command: a new package, or a word to the forge. */
function actionsOf(command: string): readonly Action[] {
  const found = new Map<string, Action>();
  const { parts } = commandParts(command);
  // Their packages come from elsewhere: "cat list | xargs npm install".
  const fed = parts.some((part) => /^(?:xargs|parallel) /.test(part));
  for (const part of parts) {
    const { program, rest } = programOf(part.split(" "));
    if (installs(program, rest, fed)) found.set("package.install", { subject: "action", action: "package.install" });
    const line = [program, ...operands(rest, new Set(["-R", "--repo"]))].join(" ");
    const action = FORGE.find(([form]) => form.test(line))?.[1];
    if (action === "pr.open") {
      const draft = rest.some((word) => word === "--draft" || word === "-d");
      found.set(`${action} ${draft}`, { subject: "action", action, draft });
    } else if (action !== undefined) found.set(action, { subject: "action", action });
  }
  return [...found.values()];
}

/** All that a command is to policy: itself, and the actions it stands for. The same wherever one is asked about. */
export function commandObjects(command: string): readonly PolicyObject[] {
  return [{ subject: "command", command }, ...actionsOf(command)];
}
