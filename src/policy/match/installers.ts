/** A program that puts packages in, and the words with which it does. Without a package it installs what is declared. */
export interface Installer {
  /** What stands between the program and its packages: "add", "pip install"; "*" is any one word. */
  readonly verbs: readonly string[];
  /** Options that take the next word. */
  readonly valued: readonly string[];
  /** Any operand is a package that nothing declares: what it runs is fetched for that. */
  readonly runs?: readonly string[];
  /** Packages are declared ones, unless a version is written: "up x@2", which may be another one, "x@npm:y". */
  readonly updates?: readonly string[];
  /** Run what is installed and fetch what is not, unless told `--no-install`. */
  readonly fetches?: readonly string[];
  /** What follows is a command of its own. */
  readonly starts?: readonly string[];
  /** Options that name a package, whatever the verb. */
  readonly adds?: readonly string[];
  /** It takes any beginning of a verb for the verb. */
  readonly shortens?: boolean;
}

/** Of an option that says where packages come from: the same packages, and which hosts are reached is the gateway's. */
export const INDEX_OPTIONS: ReadonlySet<string> = new Set([
  ...["--registry", "-i", "--index", "--index-url", "--default-index", "--extra-index-url", "-f", "--find-links"],
  ...["--source", "--trusted-host"],
]);

const NODE_VALUED = [
  ...["-C", "-w", "--cache", "--dir", "--filter", "--cwd", "--include", "--loglevel", "--network-timeout", "--omit"],
  ...["--prefix", "--registry", "--save-prefix", "--tag", "--userconfig", "--workspace", "-F"],
];
const PYTHON_VALUED = [
  ...["-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-i", "--index-url", "--extra-index-url"],
  ...["-f", "--find-links", "-t", "--target", "--prefix", "--root", "--python", "-p", "--cache-dir", "--group"],
  ...["--trusted-host", "--platform", "--python-version", "--progress-bar", "--timeout", "--retries", "--directory"],
];
const SYSTEM: Installer = { verbs: ["install"], valued: ["-o", "-t", "--target-release", "-c", "--repo"] };
/** Options of `npx` that take the next word; that of `-p` is a package, and counts as one. */
const NPX: Installer = { verbs: [], valued: ["-c", "--call", "-w", "--workspace"], fetches: [""] };

/** npm's own other names of "install", misspelt ones too: docs.npmjs.com/cli/commands/npm-install. */
const NPM_INSTALL = [
  "install",
  "add",
  "i",
  "in",
  "ins",
  "inst",
  "insta",
  "instal",
  "isnt",
  "isnta",
  "isntal",
  "isntall",
];

export const INSTALLERS: Readonly<Record<string, Installer>> = {
  npm: {
    // "link x" fetches what is not there to link.
    verbs: [...NPM_INSTALL, "install-test", "it", "link", "ln"],
    valued: NODE_VALUED,
    runs: ["init", "create", "innit"],
    updates: ["update", "up", "upgrade", "udpate"],
    fetches: ["exec", "x"],
    shortens: true,
  },
  npx: NPX,
  pnpm: {
    verbs: ["add", "install", "i", "recursive add", "recursive install"],
    valued: NODE_VALUED,
    runs: ["dlx", "create"],
    updates: ["update", "up", "upgrade"],
    starts: ["exec"],
  },
  pnpx: { verbs: [], valued: NODE_VALUED, runs: [""] },
  yarn: {
    // "up x" adds what a workspace does not declare.
    verbs: [
      "add",
      "global add",
      "up",
      ...["workspace *", "workspaces foreach"].flatMap((where) => [`${where} add`, `${where} up`]),
    ],
    valued: NODE_VALUED,
    runs: ["dlx", "create"],
    updates: ["upgrade", "workspace * upgrade"],
    starts: ["exec", "workspace * exec", "workspaces foreach exec"],
  },
  bun: {
    verbs: ["add", "a", "install", "i"],
    valued: NODE_VALUED,
    runs: ["create", "c"],
    updates: ["update"],
    fetches: ["x"],
  },
  bunx: NPX,
  corepack: { verbs: ["use", "prepare", "install"], valued: [], starts: [""] },
  deno: { verbs: ["add", "install", "i"], valued: NODE_VALUED, runs: ["x", "create"], adds: ["--npm"] },
  pip: { verbs: ["install", "download", "wheel"], valued: PYTHON_VALUED },
  uv: {
    verbs: ["add", "pip install", "tool install"],
    valued: PYTHON_VALUED,
    runs: ["tool run"],
    starts: ["run"],
    adds: ["--with"],
  },
  uvx: { verbs: [], valued: PYTHON_VALUED, runs: [""] },
  pipx: { verbs: ["install", "inject", "runpip * install"], valued: PYTHON_VALUED, runs: ["run"] },
  pipenv: { verbs: ["install"], valued: PYTHON_VALUED, starts: ["run"] },
  poetry: {
    verbs: ["add", "self add"],
    valued: [...PYTHON_VALUED, "-G", "-E", "--extras", "--source"],
    starts: ["run"],
  },
  pdm: { verbs: ["add"], valued: PYTHON_VALUED, starts: ["run"] },
  conda: {
    verbs: ["install", "create"],
    valued: ["-n", "--name", "-c", "--channel", "-p", "--prefix", "-f", "--file"],
    starts: ["run"],
  },
  go: { verbs: ["get", "install"], valued: ["-C", "-modfile", "-mod", "-tags", "-o"] },
  cargo: { verbs: ["add", "install"], valued: ["-p", "--package", "--manifest-path", "--target-dir", "--root"] },
  gem: { verbs: ["install", "i"], valued: ["-v", "--version", "-i", "--install-dir"], runs: ["exec"] },
  bundle: { verbs: ["add"], valued: ["-v", "--version", "-g", "--group"], starts: ["exec"] },
  composer: { verbs: ["require", "global require"], valued: ["-d", "--working-dir"], runs: ["create-project"] },
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
  yarnpkg: "yarn",
  bundler: "bundle",
};

/** The program under the name we know it by: "pip3.12" is pip, "python3 -m pip" too, and corepack's "pnpm@9" is pnpm. */
export function programOf(words: readonly string[]): { program: string; rest: readonly string[] } {
  const [first = "", ...rest] = words;
  if (/^(?:python[\d.]*|py)$/.test(first) && rest[0] === "-m") return programOf(rest.slice(1));
  const name = /^pip[\d.]+$/.test(first) ? "pip" : first.replace(/^(npm|pnpm|yarn)@.*$/, "$1");
  return { program: ALIASES[name] ?? name, rest };
}
