import type { Sandbox } from "#ports/sandbox.ts";
import type { Core } from "#runs/core.ts";
import { setupNow } from "#runs/decision/narrow.ts";
import type { EventBody } from "#runs/event.ts";
import { shell } from "#runs/reach.ts";
import { factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";

const SETUP_MS = 10 * 60_000;
const OUTPUT_KEPT = 16_000;

/** What became of the setup of one sandbox. */
export interface SetUp {
  /** For the record. */
  readonly events: EventBody[];
  /** The command that failed, after which none was run; `null`: none did. */
  readonly broken: string | null;
  /** Whether it is all that policy names by now: where it is not, what fails after it may fail for want of the rest. */
  readonly whole: boolean;
}

/**
 * Runs the setup commands of a run in order, timed; stops at the first that fails. Those that policy no longer names are
 * left out, and so are those that it names only since the run was asked for; which is said once.
 */
export async function setUp(
  core: Core,
  run: Run,
  sandbox: Sandbox,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<SetUp> {
  const { commands, left, later } = setupNow(core, run);
  const whole = left.length + later.length === 0;
  const events: EventBody[] = whole ? [] : await unsaid(core, run, [...leftOut(left), ...notYet(later)]);
  for (const command of commands) {
    const ran = await sandbox.exec(shell(command, env), { timeoutMs: SETUP_MS, signal });
    events.push({
      kind: "setup.ran",
      command,
      exitCode: ran.exitCode,
      ms: ran.durationMs,
      output: (ran.stdout + ran.stderr).slice(-OUTPUT_KEPT),
    });
    if (ran.exitCode !== 0) return { events, broken: command, whole };
  }
  return { events, broken: null, whole };
}

const leftOut = (left: readonly string[]): readonly string[] =>
  left.map((command) => `The setup command \`${command}\` is not run any more: policy no longer names it.`);

const notYet = (later: readonly string[]): readonly string[] =>
  later.map((command) => `The setup command \`${command}\` is not run: policy names it since this run was asked for.`);

async function unsaid(core: Core, run: Run, texts: readonly string[]): Promise<EventBody[]> {
  const { notices } = await factsOf(core, run.id);
  const fresh = texts.filter((text) => !notices.some((notice) => notice.text === core.redact(text)));
  return fresh.map((text): EventBody => ({ kind: "notice", text }));
}
