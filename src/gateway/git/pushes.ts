import { record, type Wall } from "#gateway/wall.ts";
import type { Grant } from "#ports/gateway.ts";
import type { Git } from "./git.ts";
import type { Question, Verdict } from "./hook.ts";
import type { RefCommand } from "./pkt-line.ts";
import { printable, type RefVerdict, verifyPush } from "./push-policy.ts";

/** A push between its first byte and git's exit. */
export interface Push {
  readonly grant: Grant;
  readonly gitDir: string;
  readonly commands: readonly RefCommand[];
  /** Set once the hook has been answered; without it git refused by itself. */
  decided: boolean;
}

export interface Pushes {
  begin(push: Omit<Push, "decided">): Push;
  end(push: Push): void;
  /** What the push's hook asks. A push that is over, or that turns out otherwise than announced, is refused. */
  judge(push: Push, question: Question): Promise<Verdict>;
  /** One line per ref for a push that never reached the hook. */
  recordRefused(push: Push, reason: string, detail: string): Promise<void>;
}

export function openPushes(wall: Wall, git: Git): Pushes {
  const running = new Set<Push>();

  async function recordVerdict(push: Push, verdict: RefVerdict): Promise<boolean> {
    const { run, sandbox } = push.grant;
    const { command, outcome, reason, rule, detail, judged } = verdict;
    const branch = printable(command.ref.replace(/^refs\/heads\//, ""));
    const line = { kind: "push", run, sandbox, branch, oid: command.new, outcome, reason, rule, detail } as const;
    return await record(wall, { ...line, ...judged });
  }

  async function judgeKnown(push: Push, question: Question): Promise<Verdict> {
    const commands = readLines(question.lines);
    const grant = standing(wall, push) ?? push.grant;
    if (!commands || !grant.git || !isSame(commands, push.commands))
      return { ok: false, text: "countersign: the push cannot be read.\n" };
    const { objects, alternates } = question;
    const env = objects === "" ? {} : { GIT_OBJECT_DIRECTORY: objects, GIT_ALTERNATE_OBJECT_DIRECTORIES: alternates };
    const verdicts = await verifyPush({ git, gitDir: push.gitDir, env }, grant.git, commands);
    // Until here the run may have been stopped or narrowed: the last word is the grant that stands now.
    const now = standing(wall, push);
    if (now !== null && now !== grant) return await judgeKnown(push, question);
    const final = now ? verdicts : verdicts.map((each) => overruled(each));
    push.decided = true;
    let written = true;
    for (const verdict of final) written = (await recordVerdict(push, verdict)) && written;
    if (!written)
      return { ok: false, text: "countersign: the decision could not be recorded, so the push is refused.\n" };
    const denied = final.filter((verdict) => verdict.outcome === "deny");
    return { ok: denied.length === 0, text: denied.length === 0 ? "" : words(denied) };
  }

  return {
    begin(push) {
      const begun: Push = { ...push, decided: false };
      running.add(begun);
      return begun;
    },
    end: (push) => void running.delete(push),
    async judge(push, question) {
      if (!running.has(push)) return { ok: false, text: "countersign: this push is over.\n" };
      return await judgeKnown(push, question);
    },
    async recordRefused(push, reason, detail) {
      for (const command of push.commands)
        await recordVerdict(push, { command, outcome: "deny", reason, rule: null, detail });
    },
  };
}

/** The grant that the pusher has by now. `null`: it is over. */
function standing(wall: Wall, { grant: { sandbox, run } }: Push): Grant | null {
  const held = wall.grants.bySandbox(sandbox);
  const stands = held?.grant.run === run && !held.revoked && Date.parse(held.grant.expiresAt) > wall.world.now();
  return stands ? held.grant : null;
}

function overruled(verdict: RefVerdict): RefVerdict {
  const { command } = verdict;
  return { command, outcome: "deny", reason: "run_over", rule: null, detail: "This run is over, or was stopped." };
}

/** "<old> <new> <ref>" per line, as githooks(5) says. */
function readLines(lines: string): readonly RefCommand[] | null {
  const commands: RefCommand[] = [];
  for (const line of lines.split("\n").filter(Boolean)) {
    const match = /^([0-9a-f]{40}) ([0-9a-f]{40}) (.+)$/.exec(line);
    if (!match) return null;
    commands.push({ old: match[1] ?? "", new: match[2] ?? "", ref: match[3] ?? "" });
  }
  return commands.length > 0 ? commands : null;
}

/** Whether git was told what we have read: every announced ref is judged, and no other. */
function isSame(told: readonly RefCommand[], announced: readonly RefCommand[]): boolean {
  const text = (commands: readonly RefCommand[]) =>
    commands
      .map((each) => `${each.old} ${each.new} ${each.ref}`)
      .sort()
      .join("\n");
  return text(told) === text(announced);
}

function words(denied: readonly RefVerdict[]): string {
  const blocks = denied.map((verdict) => `[${verdict.reason}] ${verdict.detail ?? ""}`.replaceAll("\n", "\n  "));
  return `countersign: push refused by policy\n${blocks.map((block) => `  ${block}\n`).join("")}`;
}
