import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

const root = path.resolve(import.meta.dirname, "..", "..");
const Step = z.object({ run: z.string().optional(), shell: z.string().optional() });
const Workflow = z.object({
  defaults: z.object({ run: z.object({ shell: z.string() }) }).optional(),
  jobs: z.object({ policy: z.object({ steps: z.array(Step) }) }),
});
const { defaults, jobs } = Workflow.parse(
  parse(readFileSync(path.join(root, "docs/examples/policy-pull-request.yaml"), "utf8")),
);
const commands = jobs.policy.steps.flatMap(({ run, shell }) =>
  run === undefined ? [] : [{ run, shell: shell ?? defaults?.run.shell }],
);

/** What GitHub starts on Linux: a shell that nobody names has no pipefail (docs.github.com, `jobs.<job_id>.steps[*].shell`). */
function shellOf(name: string | undefined): readonly string[] {
  if (name === undefined) return ["bash", "-e"];
  if (name === "bash") return ["bash", "--noprofile", "--norc", "-eo", "pipefail"];
  throw new Error(`what GitHub runs for the shell ${name} is not known here`);
}

/** What a runner's disk looks like: the policy with a pull request on top, and the product beside it. */
let workspace = "";
let base = "";
const policy = () => path.join(workspace, "policy");
const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...args], { cwd: policy(), encoding: "utf8" });

beforeAll(() => {
  workspace = mkdtempSync(path.join(tmpdir(), "cs-workflow-"));
  cpSync(path.join(root, "policies"), policy(), { recursive: true });
  // The command without its bootstrap, which would install what is installed here.
  mkdirSync(path.join(workspace, "countersign", "scripts"), { recursive: true });
  const main = pathToFileURL(path.join(root, "src", "main.ts")).href;
  writeFileSync(path.join(workspace, "countersign", "scripts", "countersign.mjs"), `await import("${main}");\n`);
  git("init", "-q", "-b", "main");
  git("add", "-A");
  git("commit", "-qm", "the policy");
  base = git("rev-parse", "HEAD").trim();
});
afterAll(() => rmSync(workspace, { recursive: true, force: true }));

function edit(from: string, to: string): void {
  const file = path.join(policy(), "teams", "data.yaml");
  const text = readFileSync(file, "utf8");
  expect(text).toContain(from);
  writeFileSync(file, text.replace(from, to));
  git("commit", "-qam", "a change");
}

/** Runs the steps as a runner does, until one fails. Returns what each said. `onto`: the commit that it would be merged into. */
function steps(onto = base): { readonly ran: number; readonly code: number | null; readonly said: string } {
  const said: string[] = [];
  for (const [index, { run, shell }] of commands.entries()) {
    const [program = "", ...options] = shellOf(shell);
    const script = path.join(workspace, "step.sh");
    writeFileSync(script, run);
    const ran = spawnSync(program, [...options, script], {
      cwd: workspace,
      encoding: "utf8",
      env: {
        PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
        HOME: workspace,
        POLICY: policy(),
        BASE: onto,
        COUNTERSIGN_DATA: path.join(workspace, "data"),
        GITHUB_STEP_SUMMARY: path.join(workspace, "summary.md"),
      },
    });
    said.push(ran.stdout + ran.stderr);
    if (ran.status !== 0) return { ran: index + 1, code: ran.status, said: said.join("") };
  }
  return { ran: commands.length, code: 0, said: said.join("") };
}

test("a pull request that widens a team passes, and its summary says what it would be able to do", () => {
  edit("cost_usd: 4", "cost_usd: 6");
  const { ran, code, said } = steps();
  expect([ran, code], said).toEqual([3, 0]);
  expect(said).toContain("rules are hit by a case");
  expect(readFileSync(path.join(workspace, "summary.md"), "utf8")).toContain(
    "data may spend $6 in a run (was: data may spend $4 in a run)",
  );
});

test("one whose difference cannot be said fails there, though what it says goes through a pipe", () => {
  const { ran, code, said } = steps("0".repeat(40));
  expect([ran, code]).toEqual([3, 2]);
  expect(said).toContain("has no commit 0000");
});

test("one that breaks a test of the policy's own fails at the tests, and says which", () => {
  edit("methods: [GET]", "methods: [HEAD]");
  const { ran, code, said } = steps();
  expect([ran, code]).toEqual([2, 1]);
  expect(said).toContain('"the export is read" expects allow');
});

test("one that does not load fails at once, with the place and the way out", () => {
  edit("limits:", "limit:");
  const { ran, code, said } = steps();
  expect([ran, code]).toEqual([1, 1]);
  expect(said).toMatch(/teams\/data\.yaml:\d+:1 unknown key "limit" - did you mean "limits"\?/);
});
