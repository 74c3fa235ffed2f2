import type { Step } from "./step.ts";

const shell = (command: string, text?: string): Step => ({
  ...(text ? { text } : {}),
  action: { kind: "shell", command },
});
const say = (text: string): Step => ({ text });

/**
 * Fixed plays for tests, chosen with `[[script:NAME]]` in the prompt. The step is the number of tool results since, so
 * a resumed conversation goes on where it was.
 */
export const SCRIPTS: Readonly<Record<string, readonly Step[]>> = {
  hello: [say("Hello from the scripted model.")],
  basic: [
    shell("echo hi-from-shell && ls", "I will run a command."),
    { action: { kind: "write", path: "note.txt", content: "written by agent\n" } },
    say("Done: wrote note.txt."),
  ],
  shell: [shell("echo one; sleep 1; echo two"), say("Done.")],
  long: [shell("echo start > marker.txt; sleep 20; echo end >> marker.txt"), say("Long done.")],
  daemon: [shell("setsid sh -c 'echo up > daemon.txt; sleep 300' >/dev/null 2>&1 & sleep 300"), say("Daemon done.")],
  crash: [
    shell("echo step1 >> steps.txt"),
    shell("echo step2 >> steps.txt; sleep 15; echo step2-end >> steps.txt"),
    shell("echo step3 >> steps.txt"),
    say("Crash script done."),
  ],
  risky: [shell("rm -rf build && echo removed"), say("Finished after the risky command.")],
  outside: [shell("echo x > /tmp/outside-proof.txt && cat /tmp/outside-proof.txt"), say("Outside done.")],
  edit: [
    { action: { kind: "read", path: "app.txt" } },
    { action: { kind: "edit", path: "app.txt", find: "old line", put: "new line", all: false } },
    say("Edited."),
  ],
  ask: [{ action: { kind: "ask", question: "Which colour?" } }, say("Asked.")],
  plan: [
    {
      action: {
        kind: "plan",
        items: [
          { title: "look", status: "in_progress" },
          { title: "do", status: "pending" },
        ],
      },
    },
    say("Planned."),
  ],
  sub: [{ action: { kind: "task", prompt: "Say hi. [[script:hello]]" } }, say("Subagent returned.")],
  slow: [{ text: "word ".repeat(100), slowly: 100 }],
  stall: [{ text: "partial ", fault: "stall" }],
  drop: [{ text: "partial ", fault: "cut" }],
  err400: [{ error: 400 }],
  err401: [{ error: 401 }],
  err402: [{ error: 402 }],
  err403: [{ error: 403 }],
  err429: [{ error: 429 }],
  err500: [{ error: 500 }],
  badtool: [{ action: { kind: "raw", name: "no_such_tool", args: '{"a":1}' } }, say("Recovered from bad tool.")],
  badargs: [{ action: { kind: "raw", name: "bash", args: '{"command": "echo hi' } }, say("Recovered from bad args.")],
  many: [...Array.from({ length: 12 }, (_, at) => shell(`echo n${at}`)), say("Many done.")],
  fail: [shell("echo oops >&2; exit 3"), say("Saw the failure.")],
  think: [{ thought: "Considering.", text: "Thought then spoke." }],
};
