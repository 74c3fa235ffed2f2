import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { TOKEN_HEADER } from "#playground/slack/paths.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { chatOf } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";
import { type Command, command, freePort } from "#test/command.ts";

/** The whole product over a policy folder that people edit while it works. */
const PATIENCE_MS = 180_000;
const WEBHOOK = "webhook-secret-for-tests";

describe.skipIf(noBubblewrap !== null)("a policy folder that is edited", { timeout: PATIENCE_MS }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "countersign-live-"));
  const policies = path.join(folder, "policies");
  let url = "";
  let token = "";
  let product: Command;

  beforeAll(async () => {
    cpSync(path.resolve(import.meta.dirname, "../policies"), policies, { recursive: true });
    const owners = "owners: { from: group:security, quorum: 1";
    edit("org.yaml", owners, `${owners}, channel: C0DATA`);
    const work = path.join(folder, "work");
    mkdirSync(work);
    writeFileSync(path.join(work, "README.md"), "A repository.\n");
    for (const args of [
      ["init", "-q", "-b", "main"],
      ["add", "-A"],
      ["commit", "-qm", "Begin"],
    ])
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...args], { cwd: work });
    const port = await freePort();
    product = command(["serve", "--repo", work], {
      PORT: String(port),
      COUNTERSIGN_DATA: path.join(folder, "data"),
      COUNTERSIGN_POLICIES: policies,
      COUNTERSIGN_POLICIES_WEBHOOK: WEBHOOK,
    });
    const [, address = "", given = ""] = await product.says(/open (http\S+)\/\?token=(\S+)/);
    [url, token] = [address, given];
  }, PATIENCE_MS);
  afterAll(async () => {
    await product?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(product.words().slice(-6_000));
  });

  function edit(file: string, from: string, to: string): void {
    const name = path.join(policies, file);
    const text = readFileSync(name, "utf8");
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    writeFileSync(name, text.replace(from, to));
  }

  const chat = () => chatOf({ url, token: () => token });
  const said = async (team: "yours" | "data") => (await chat().messages(team)).map(({ text }) => text);
  let times = 0;
  /** Ana asks what she may do, until the answer is the one that is expected. */
  const asked = (answer: RegExp) =>
    until(`the answer ${answer}`, async () => {
      const before = (await chat().messages("yours")).length;
      times += 1;
      // Texts must differ: the same one again is a repeat.
      await chat().ask("yours", `can I run npm test -- ${times}`);
      const news = await until("an answer", async () => {
        const all = (await chat().messages("yours")).slice(before).filter(({ is_ephemeral }) => is_ephemeral);
        return all.length > 0 && all.map(({ text }) => text).join("\n");
      });
      return answer.test(news);
    });

  test("a change is in force for the next decision, and a run that waits goes on under it", async () => {
    const thread = await chat().ask("yours", 'append "Open on Sundays." to README.md');
    await until("a card to approve", async () =>
      JSON.stringify(await chat().messages("yours")).includes('"action_id":"approve"'),
    );
    await asked(/^Yes\./m);

    const rules = /^rules:.*$/m.exec(readFileSync(path.join(policies, "teams/yours.yaml"), "utf8"))?.[0] ?? "";
    edit("teams/yours.yaml", rules, `${rules}\n  - deny: { command: "npm test -- *" }\n    why: tried out live`);
    await asked(/^No/m);

    await chat().approveNext("yours", thread);
    await until("a pull request", async () => (await said("yours")).some((text) => /waits for a review/.test(text)));
  });

  test("a broken file changes nothing, the owners' channel hears of it once, and of its end", async () => {
    edit("teams/yours.yaml", "rules:", "ruels:");
    const heard = (what: RegExp) => async () => (await said("data")).filter((text) => what.test(text)).length === 1;
    await until("an alarm", heard(/cannot be used .* the last good policy stays in force/));
    await asked(/^No/m);

    const look = (headers: Record<string, string>) => fetch(`${url}/policy/look`, { method: "POST", headers });
    expect((await look({ [TOKEN_HEADER]: token })).status).toBe(401);
    expect((await look({ authorization: `Bearer ${WEBHOOK}` })).status).toBe(202);

    edit("teams/yours.yaml", "ruels:", "rules:");
    await until("its end", heard(/in force again/));
    expect(await heard(/cannot be used/)()).toBe(true);
  });
});
