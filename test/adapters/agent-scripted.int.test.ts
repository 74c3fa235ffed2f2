import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type ScriptedStep, scriptedAgents } from "#adapters/agent/scripted.ts";
import { agentContract } from "#test/contracts/agent.ts";
import { journalledSandbox } from "#test/fixtures/acp/journalled-sandbox.ts";

/** The playground's scripts, as far as the contract needs them, in the words of the reference. */
const SCRIPTS: Readonly<Record<string, readonly ScriptedStep[]>> = {
  hello: [{ say: "Hello from " }, { say: "the scripted model." }],
  risky: [
    { run: "rm -rf build && echo removed", ask: true, output: "removed\n" },
    { say: "Finished after the risky command." },
  ],
  long: [{ run: "sleep 20", ask: true, hangs: true }, { say: "Long done." }],
  fail: [{ run: "exit 3", ask: true, exitCode: 3, output: "oops\n" }, { say: "Saw the failure." }],
  err403: [{ fail: "the model answered 403: scripted 403" }],
  edit: [{ write: "app.txt", content: "new line\n" }, { say: "Edited." }],
  plan: [
    {
      plan: [
        { title: "look", status: "in_progress" },
        { title: "do", status: "pending" },
      ],
    },
    { say: "Planned." },
  ],
};

agentContract("scripted", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "scripted-"));
  return {
    driver: scriptedAgents({ play: (text) => SCRIPTS[/\[\[script:(\w+)\]\]/.exec(text)?.[1] ?? ""] ?? [] }),
    sandbox: await journalledSandbox({
      folder,
      imageDir: "/",
      gatewayUrl: "http://127.0.0.1:9",
      path: "/usr/bin:/bin",
    }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
});
