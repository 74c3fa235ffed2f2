import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { hasEnded, type Identity, isAlive } from "#adapters/sandbox/local/identity.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { chatOf } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";
import { type Command, command, freePort } from "#test/command.ts";
import { openStage, type Stage, TOKEN } from "#test/playground/stage.ts";
import { freshDatabase } from "#test/postgres.ts";

/** Several processes of one installation, as docs/deploy.md has them: one data folder, one Postgres, one gateway. */
const PATIENCE_MS = 120_000;
const Record = z.object({ identity: z.object({ pid: z.number(), start: z.string(), boot: z.string() }) });

describe.skipIf(noBubblewrap !== null)("with several replicas", { timeout: PATIENCE_MS }, () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "countersign-replicas-"));
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let stage: Stage;
  const started: Command[] = [];

  /** The process that takes Slack's requests has the port that Slack knows. */
  const replica = async (roles: string, port: number): Promise<Command> => {
    const one = command(["serve", "--roles", roles], {
      PORT: String(port),
      COUNTERSIGN_DATA: dataDir,
      DATABASE_URL: database.url,
      PUBLIC_URL: "https://agents.example.com",
      SLACK_BOT_TOKEN: "xoxb-for-tests",
      SLACK_SIGNING_SECRET: "signing-secret-for-tests",
      SLACK_API_URL: `${stage.url}/slack-api/`,
    });
    started.push(one);
    await one.says(/Countersign is ready/);
    return one;
  };
  const gateway = (): Identity | null => {
    const file = path.join(dataDir, "gateway", "process.json");
    if (!existsSync(file)) return null;
    const { identity } = Record.parse(JSON.parse(readFileSync(file, "utf8")));
    return isAlive(identity) ? identity : null;
  };
  let slackPort = 0;

  beforeAll(async () => {
    slackPort = await freePort();
    const here = `http://127.0.0.1:${slackPort}/slack`;
    [database, stage] = await Promise.all([
      freshDatabase(),
      openStage({ eventsUrl: `${here}/events`, interactivityUrl: `${here}/interactivity` }),
    ]);
  }, PATIENCE_MS);
  afterAll(async () => {
    await Promise.all(started.map((one) => one.stop()));
    const left = gateway();
    if (left !== null) {
      process.kill(left.pid, "SIGTERM");
      await hasEnded(left, 10_000);
    }
    await stage?.close();
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(started.map((one) => one.words().slice(-3_000)).join("\n---\n"));
  });

  test("one that stops takes no run and no gateway along; the last role says who does", async () => {
    const other = await replica("web,worker", await freePort());
    const survivor = await replica("web,worker", slackPort);
    const before = gateway();
    expect(before).not.toBeNull();

    const chat = chatOf({ url: stage.url, token: () => TOKEN });
    const said = async () => JSON.stringify(await chat.messages("shop"));
    const thread = await chat.ask("shop", 'append "Orders are shipped from Lyon." to README.md');
    await chat.approveNext("shop", thread);
    expect(await other.stop()).toBe(0);
    await until("a pull request in the thread", async () => /\/code\/acme\/[\w-]+\/pull\/\d+/.exec(await said()));
    expect(gateway()).toEqual(before);

    expect(await survivor.stop()).toBe(0);
    expect(gateway()).toEqual(before);
    const last = await replica("web,worker,gateway", slackPort);
    expect(gateway()).toEqual(before);
    expect(await last.stop()).toBe(0);
    expect(gateway()).toBeNull();
  });
});
