import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import type { PathRule } from "#policy/paths.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import type { Forge, GitRun } from "#test/gateway/forge.ts";
import { basic, readAnswers } from "#test/gateway/wire.ts";
import type { World } from "#test/gateway/world.ts";
import type { CorpusCase } from "./cases.ts";
import { decisionIn, type Outcome } from "./outcome.ts";

/** A rule list of the shape that policy compiles: workflows are refused, the rest is allowed. */
export const PATH_RULES: readonly PathRule[] = [
  {
    effect: "deny",
    globs: ["**/.github/workflows/**"],
    except: [],
    from: null,
    rule: { at: "org.yaml:17:5", text: "deny git.path **/.github/workflows/**", why: null },
  },
  {
    effect: "allow",
    globs: ["**"],
    except: [],
    from: null,
    rule: { at: "org.yaml:9:5", text: "allow git.path **", why: null },
  },
];

/** Gives a run its repository and a clone of it, through the gateway. */
export async function openRun(world: World, forge: Forge, id: string, paths = PATH_RULES, maxBytes = 5_000_000) {
  const run = `run-${id}`;
  const sandbox = `sb-${id}`;
  const token = `token-${id}`;
  const branch = `agent/${run}`;
  const git = { repo: forge.name, branch, base: forge.main, paths, maxBytes };
  await world.client.grant(bareGrant({ sandbox, run, tokenHash: hashOf(token), git }));
  await world.client.mirror({ name: forge.name, cloneUrl: forge.path, credential: null }, "main");
  await world.client.openRepository(run, forge.name, branch, forge.main);
  const carrier = await world.carry(sandbox);
  const url = `http://run:${token}@127.0.0.1:${carrier.port}/git/${forge.name}.git`;
  const clone = path.join(forge.folder, `clone-${id}`);
  const cloned = await forge.git(["clone", "--quiet", url, clone]);
  return { run, sandbox, token, branch, url, clone, cloned, git: (args: readonly string[]) => forge.git(args, clone) };
}

export type OpenRun = Awaited<ReturnType<typeof openRun>>;

export async function commit(work: OpenRun, files: Readonly<Record<string, string>>, message = "work"): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(work.clone, name)), { recursive: true });
    await writeFile(path.join(work.clone, name), text);
  }
  await work.git(["add", "--all"]);
  await work.git(["commit", "--quiet", "--allow-empty", "-m", message]);
}

/** Tries a push with the real git, and says what the relay, the audit log and the forge made of it. */
export async function tryGit(world: World, forge: Forge, each: CorpusCase): Promise<Outcome> {
  world.reset();
  const before = await forge.refs();
  const work = await openRun(world, forge, each.id);
  if (work.cloned.code !== 0) return { decision: "deny", reason: "clone", faults: [work.cloned.stderr] };
  const faults = await push(world, work, each);
  const lines = (await world.auditOf(work.sandbox)).filter(
    (line) => line.kind === "push" || ("outcome" in line && line.outcome === "deny"),
  );
  const mine = lines.filter((line) => "outcome" in line && line.outcome === "deny" && line.reason !== "with_refused");
  const after = await forge.refs();
  return { ...decisionIn(mine, work.run), faults, forgeRefsChanged: before === after ? 0 : 1 };
}

/** What must be seen besides the decision, in words where it is not. */
async function push(world: World, work: OpenRun, each: CorpusCase): Promise<string[]> {
  const own = `HEAD:refs/heads/${work.branch}`;
  const what = each.input.push ?? "";
  await commit(work, { "content.md": "hello\n" });
  if (what === "Content-Encoding: gzip bomb")
    return await raw(world, work, gzipSync(Buffer.alloc(50_000_000, 48)), "gzip");
  if (what === "length 0003") return await raw(world, work, Buffer.from("0003"), null);
  const args = await prepare(work, what, own);
  const tried = await work.git(["push", ...args]);
  return refusalFaults(tried, each);
}

async function prepare(work: OpenRun, what: string, own: string): Promise<string[]> {
  if (what === "refs/heads/main") return ["origin", "HEAD:refs/heads/main"];
  if (what === "refs/tags/v9") return ["origin", "HEAD:refs/tags/v9"];
  if (what === "refs/heads/--mirror") return ["origin", "HEAD:refs/heads/--mirror"];
  if (what === "agent/<run> + release") return ["origin", own, "HEAD:refs/heads/release"];
  if (what.startsWith("delete ")) return ["origin", `:refs/heads/${work.branch}`];
  if (what === "non-fast-forward") {
    await work.git(["push", "--quiet", "origin", own]);
    await work.git(["commit", "--quiet", "--amend", "-m", "rewritten"]);
    return ["--force", "origin", own];
  }
  if (what === ".github/workflows/x.yml") await commit(work, { ".github/workflows/x.yml": "on: push\n" });
  else if (what.startsWith("git mv ")) {
    await mkdir(path.join(work.clone, ".github", "workflows"), { recursive: true });
    await work.git(["mv", "docs/a", ".github/workflows/a.yml"]);
    await work.git(["commit", "--quiet", "-m", "tidy up"]);
  } else if (what.startsWith("AKIA"))
    await commit(work, { "config.ini": `[aws]\nkey = ${"AKIA"}${"QWERTYUIOPASDFGH"}\n` });
  else throw new Error(`the corpus has a push that the runner does not know: ${what}`);
  return ["origin", own];
}

/** The refusal must reach the agent's terminal: our words, and for a path the rule's place. */
function refusalFaults(tried: GitRun, each: CorpusCase): string[] {
  if (tried.code === 0) return ["git push succeeded"];
  const faults: string[] = [];
  if (!tried.stderr.includes("remote: countersign: push refused by policy"))
    faults.push(`terminal: ${tried.stderr.trim()}`);
  if (each.expect.reason === "path" && !tried.stderr.includes("org.yaml:17:5"))
    faults.push("the rule's place is not in the terminal");
  return faults;
}

async function raw(world: World, work: OpenRun, body: Buffer, encoding: string | null): Promise<string[]> {
  const socket = await world.open(work.sandbox);
  const head = [
    "POST /git/acme/site.git/git-receive-pack HTTP/1.1",
    "Host: 127.0.0.1",
    `Authorization: ${basic(work.token)}`,
    "Content-Type: application/x-git-receive-pack-request",
    ...(encoding ? [`Content-Encoding: ${encoding}`] : []),
    `Content-Length: ${body.length}`,
  ];
  socket.write(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]));
  const [answer] = await readAnswers(socket);
  socket.destroy();
  return answer?.status === 400 ? [] : [`status ${answer?.status}`];
}
