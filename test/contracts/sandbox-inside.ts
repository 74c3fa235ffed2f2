import { expect } from "vitest";
import type { ExecResult, Sandbox } from "#ports/sandbox.ts";

export const QUICK = { timeoutMs: 20_000 };

export const sh = (sandbox: Sandbox, script: string, ...args: string[]): Promise<ExecResult> =>
  sandbox.exec({ argv: ["sh", "-c", script, "sh", ...args] }, QUICK);

/** What a JavaScript function returns inside, by way of JSON; promises are awaited. */
export async function evaluate(sandbox: Sandbox, script: string): Promise<unknown> {
  const program = `(async () => { console.log(JSON.stringify(await (${script})())) })()`;
  const result = await sandbox.exec({ argv: ["node", "-e", program] }, QUICK);
  expect(result).toMatchObject({ stderr: "", exitCode: 0, timedOut: false });
  return JSON.parse(result.stdout);
}
