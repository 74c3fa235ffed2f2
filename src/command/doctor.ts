import { parseArgs } from "node:util";

/** One thing that was looked at. */
export interface Finding {
  /** "wrong": it does not work until somebody does what `fix` says. "note": it works, and this is worth knowing. */
  readonly level: "ok" | "note" | "wrong";
  /** A short name for scripts, such as "slack.scope.users:read". */
  readonly id: string;
  /** One sentence. */
  readonly what: string;
  /** What to do; `null` when nothing is to be done. */
  readonly fix: string | null;
}

/** A part of the installation: "Slack", "database". */
export interface Examination {
  readonly of: string;
  /** Looks and changes nothing. A throw is a finding of its own. */
  readonly look: () => Promise<readonly Finding[]>;
}

export interface DoctorCommand {
  readonly examinations: readonly Examination[];
  readonly out: (text: string) => void;
}

export const DOCTOR_HELP = `  countersign doctor [--json]
      Looks at every setting, the way serve does, and at what Slack, GitHub, Linear and Daytona let us do: each missing
      scope, event, setting, channel and group, with its fix. With SLACK_CONFIG_TOKEN the Slack app's own settings too.
      Starts and changes nothing. Ends with 1 when something is wrong.`;

const MARKS: Readonly<Record<Finding["level"], string>> = { ok: "ok   ", note: "note ", wrong: "WRONG" };

export const fine = (id: string, what: string): Finding => ({ level: "ok", id, what, fix: null });
export const note = (id: string, what: string, fix: string | null): Finding => ({ level: "note", id, what, fix });
export const wrong = (id: string, what: string, fix: string): Finding => ({ level: "wrong", id, what, fix });

/** Runs `countersign doctor`. 0: nothing is wrong; 1: something is. */
export async function doctorCommand(argv: readonly string[], at: DoctorCommand): Promise<number> {
  const { values } = parseArgs({ args: [...argv], options: { json: { type: "boolean", default: false } } });
  const found: { of: string; findings: readonly Finding[] }[] = [];
  // One after the other: what one says may be the reason of the next.
  for (const { of, look } of at.examinations) found.push({ of, findings: await seen(of, look) });
  const all = found.flatMap(({ findings }) => findings);
  const bad = all.filter(({ level }) => level === "wrong").length;
  at.out(values.json ? JSON.stringify({ ok: bad === 0, examined: found }, null, 2) : told(found, bad));
  return bad === 0 ? 0 : 1;
}

async function seen(of: string, look: Examination["look"]): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return [wrong(of.toLowerCase().replaceAll(" ", "_"), what, "Mend that, then run doctor again.")];
  }
}

function told(found: readonly { of: string; findings: readonly Finding[] }[], bad: number): string {
  const lines = found.flatMap(({ of, findings }) => [
    "",
    of,
    ...findings.flatMap(({ level, what, fix }) => [
      `  ${MARKS[level]}  ${what}`,
      ...(fix === null ? [] : fix.split("\n").map((line, i) => `         ${i === 0 ? "-> " : "   "}${line}`)),
    ]),
  ]);
  return [
    ...lines,
    "",
    bad === 0 ? "Nothing is wrong." : `${bad} ${bad === 1 ? "thing is" : "things are"} wrong.`,
  ].join("\n");
}
