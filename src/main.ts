import { mkdir, readFile } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import path from "node:path";
import { parseArgs } from "node:util";
import { keyIdOf, verifyEnvelope } from "#runs/receipt.ts";
import { isPrivate } from "./address.ts";
import { parseConfig, SETTINGS } from "./config.ts";
import type { Role } from "./house.ts";
import { policyFolder, policyMirrorPlace } from "./places.ts";
import { siteOf } from "./site.ts";

const SILENT_MS = 2_000;
const NAME_WIDTH = 22;

/** Errors whose one line is all that the person who starts us needs; by name, since most of their files load later. */
const MENDABLE: readonly string[] = ["CommandError", "ConfigError", "StartError", "KeyProblem", "JournalDamaged"];

class CommandError extends Error {
  override readonly name = "CommandError";
}

interface Command {
  readonly words: readonly string[];
  /** As it stands in the help, indented; `null`: another command's has it. */
  readonly help: string | (() => Promise<string>) | null;
  readonly run: (args: readonly string[]) => Promise<number>;
}

/** All that can be asked of us; the help is made from it. */
const COMMANDS: readonly Command[] = [
  {
    words: ["serve"],
    help: `  countersign serve [--repo PATH_OR_URL]... [--roles web,worker,gateway]
      The whole product. With no settings: an embedded database, a local sandbox, a local git host and a page that
      works like Slack. --repo (repeatable) serves a real repository; the original is never written to. --roles: web
      (pages and chat) and worker (runs) of one data folder may be several processes of one machine; the last role says
      whether the gateway ends with this one. Alone it is the gateway.`,
    run: serve,
  },
  {
    words: ["receipt", "verify"],
    help: `  countersign receipt verify FILE [--key ed25519:...]
      Checks a receipt offline. With --key also that this key signed it.`,
    run: verify,
  },
  {
    words: ["policy", "accept"],
    help: null,
    run: acceptPolicy,
  },
  {
    words: ["policy"],
    help: async () => (await import("#command/words.ts")).POLICY_HELP,
    run: policy,
  },
  {
    words: ["github"],
    help: async () => (await import("#command/github.ts")).GITHUB_HELP,
    run: github,
  },
  {
    words: ["unlink"],
    help: async () => (await import("#command/unlink.ts")).UNLINK_HELP,
    run: unlink,
  },
  {
    words: ["doctor"],
    help: async () => (await import("#command/doctor.ts")).DOCTOR_HELP,
    run: doctor,
  },
  {
    words: ["help"],
    help: "  countersign help\n      This, and every setting.",
    run: async () => {
      console.log(await help());
      return 0;
    },
  },
];

const help = async (): Promise<string> =>
  [
    "countersign: people ask coding agents in chat, policy decides, people countersign, the record proves it.\n",
    ...(await Promise.all(COMMANDS.flatMap(({ help: of }) => (of === null ? [] : typeof of === "string" ? of : of())))),
    "\nSettings are environment variables; none is needed.\n",
    ...Object.entries(SETTINGS).map(([name, sentence]) => `  ${name.padEnd(NAME_WIDTH)}${sentence}`),
    "",
  ].join("\n");

/** Words for people, and an exit code that scripts can read: 0 done, 1 could not, 2 not understood. */
async function main(argv: readonly string[]): Promise<number> {
  const asked = [undefined, "--help", "-h"].includes(argv[0]) ? ["help"] : argv;
  const command = COMMANDS.find(({ words }) => words.every((word, i) => asked[i] === word));
  if (command !== undefined) return command.run(asked.slice(command.words.length));
  console.error(`countersign: there is no command "${argv.join(" ")}".\n\n${await help()}`);
  return 2;
}

async function serve(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      repo: { type: "string", multiple: true, default: [] },
      roles: { type: "string", default: "web,worker,gateway" },
    },
  });
  const config = parseConfig(process.env, process.cwd());
  const roles = values.roles.split(",").map((role) => role.trim());
  if (roles.length === 1 && roles[0] === "gateway") {
    const { gatewayRole } = await import("./gateway-role.ts");
    return gatewayRole(config, stopRequested());
  }
  // Only now: the gateway needs none of it, and while it starts again calls wait for it.
  const { openHouse, ROLES } = await import("./house.ts");
  const known = roles.filter((role): role is Role => (ROLES as readonly string[]).includes(role));
  if (known.length !== roles.length) {
    console.error(`countersign: --roles takes ${ROLES.join(", ")}, separated by commas, not "${values.roles}"`);
    return 2;
  }
  const stop = stopRequested();
  // Silence looks like a hang; a quick start says only that it is ready.
  const slow = setTimeout(() => console.log("countersign: starting. The first start takes longer."), SILENT_MS);
  const opening = openHouse(config, { roles: new Set(known), repos: values.repo });
  await using house = await opening.finally(() => clearTimeout(slow));
  console.log(house.welcome);
  flushCompileCache(); // Before a kill can come.
  await stop;
  return 0;
}

async function policy(args: readonly string[]): Promise<number> {
  const { policyCommand } = await import("#command/policy.ts");
  const config = parseConfig(process.env, process.cwd());
  const { policyRepository: elsewhere } = config;
  return policyCommand(args, {
    folder: elsewhere === null ? policyFolder(config) : { repository: `${elsewhere.repo}#${elsewhere.branch}` },
    site: (folder) => siteOf(config, new Date(), folder),
    out: (text) => console.log(text),
    error: (text) => console.error(text),
    recorded: async (of) => (await import("./decisions.ts")).recordedBy(config)(of),
    kept: async (digests) => (await import("./decisions.ts")).keptBy(config)(digests),
    now: () => new Date(),
  });
}

async function acceptPolicy(args: readonly string[]): Promise<number> {
  const [{ acceptCommand, acceptedName }, { gitEnvironment }] = await Promise.all([
    import("#command/policy-accept.ts"),
    import("#adapters/git.ts"),
  ]);
  const name = acceptedName(args, (text) => console.error(text));
  if (name === null) return 2;
  const config = parseConfig(process.env, process.cwd());
  const of = config.policyRepository;
  if (of === null)
    throw new CommandError("COUNTERSIGN_POLICIES is a folder: what lies in it is in force when it loads");
  const { dir, home } = policyMirrorPlace(config.dataDir, of);
  await mkdir(home, { recursive: true, mode: 0o700 });
  const url = of.url ?? path.join(config.dataDir, "repos", "git", `${of.repo}.git`);
  return acceptCommand(name, {
    source: { url, branch: of.branch, folder: of.folder },
    dir,
    env: gitEnvironment({ home }),
    token: of.token,
    site: siteOf(config, new Date()),
    out: (text) => console.log(text),
    error: (text) => console.error(text),
  });
}

async function github(args: readonly string[]): Promise<number> {
  const [{ githubCommand }, { exchangeCode, manifestOf, newAppUrl }] = await Promise.all([
    import("#command/github.ts"),
    import("#adapters/repo-host/github/manifest.ts"),
  ]);
  const { dataDir, publicUrl, githubApiUrl: apiUrl } = parseConfig(process.env, process.cwd());
  return githubCommand(args, {
    dataDir,
    publicUrl,
    isPrivate,
    manifest: manifestOf,
    formUrl: (org, state) => newAppUrl(apiUrl, org, state),
    exchange: (code) => exchangeCode({ apiUrl, log: (message) => console.error(`countersign: ${message}`) }, code),
    out: (text) => console.log(text),
    error: (text) => console.error(text),
    stop: stopRequested(),
  });
}

async function unlink(args: readonly string[]): Promise<number> {
  const [{ unlinkCommand }, { operatorLinks }] = await Promise.all([
    import("#command/unlink.ts"),
    import("./operator-links.ts"),
  ]);
  return unlinkCommand(args, {
    ...operatorLinks(parseConfig(process.env, process.cwd())),
    out: (text) => console.log(text),
    error: (text) => console.error(text),
  });
}

async function doctor(args: readonly string[]): Promise<number> {
  const [{ doctorCommand }, { examinationsOf }] = await Promise.all([
    import("#command/doctor.ts"),
    import("./doctor.ts"),
  ]);
  const examinations = examinationsOf(process.env, process.cwd());
  return doctorCommand(args, { examinations, out: (text) => console.log(text) });
}

async function verify(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { key: { type: "string" } },
    allowPositionals: true,
  });
  const [file] = positionals;
  if (file === undefined) {
    console.error("countersign: name the receipt: countersign receipt verify FILE");
    return 2;
  }
  const wanted = values.key === undefined ? null : keyName(values.key);
  if (wanted === undefined) {
    console.error(`countersign: --key takes a key's id (ed25519:…) or a public key in PEM, not "${values.key}"`);
    return 2;
  }
  const result = verifyEnvelope(await textOf(file));
  if (!result.ok) {
    console.error(`not valid: ${result.problem}`);
    return 1;
  }
  if (wanted !== null && wanted !== result.keyId) {
    console.error(`not valid: signed by ${result.keyId}, not by ${wanted}`);
    return 1;
  }
  const [subject] = result.receipt.subject;
  console.log(`valid: ${subject?.name ?? "no subject"} at ${subject?.digest.gitCommit ?? "no commit"}`);
  console.log(
    `signed by ${result.keyId}${wanted === null ? ": compare it with the installation's own, or pass --key" : ""}`,
  );
  return 0;
}

/** A key's id, as it is or of a PEM text; `undefined`: it is neither. */
function keyName(given: string): string | undefined {
  if (/^ed25519:[0-9a-f]{16}$/.test(given)) return given;
  try {
    return keyIdOf(given);
  } catch {
    return undefined;
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new CommandError(`there is no file ${file}`, { cause });
    if (code === "EISDIR") throw new CommandError(`${file} is a folder: name the receipt in it`, { cause });
    throw new CommandError(`${file} cannot be read: ${message}`, { cause });
  }
}

/**
 * Resolves at the first SIGINT or SIGTERM. The third request ends us at once: one press in a terminal is told to everybody in it, and whoever started us passes it
 * on, so that it can come twice.
 */
function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    let requests = 0;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        requests += 1;
        if (requests > 2) process.exit(130);
        resolve();
      });
    }
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const told = error instanceof Error && MENDABLE.includes(error.name);
  const usage = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  console.error(told || usage ? `countersign: ${error.message}` : error);
  process.exitCode = usage ? 2 : 1;
}
// What still runs now is not ours to wait for: every part has been closed, in order, above.
process.exit();
