import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { slackAccess } from "#adapters/directory/slack-access.ts";
import { openKeys } from "#adapters/secrets/keys.ts";
import { parseConfig } from "#config.ts";
import { type Front, openFront } from "#front.ts";
import { Secret } from "#ports/secret.ts";
import { deliver } from "#runs/life/deliver.ts";
import { eventsOf } from "#runs/record/look.ts";
import { messageKey } from "#runs/record/tell.ts";
import { BOT_ID, BOT_USER, slackDouble, WORKSPACE } from "#test/fixtures/slack/double.ts";
import { ANA, memoryHouse } from "#test/runs/memory-house.ts";

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const MINUTE_MS = 60_000;
const PATIENCE = { timeout: 15_000 };

/** The core over memory adapters, with the product's own front before Slack's double. */
async function opened(house: Awaited<ReturnType<typeof memoryHouse>>) {
  const { core } = house;
  const folder = mkdtempSync(path.join(tmpdir(), "countersign-sessions-"));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const double = slackDouble();
  const access = slackAccess({
    botToken: new Secret("slack_bot_token", "xoxb-test"),
    slackApiUrl: "http://slack.test/api/",
    fetch: double.fetch,
    log: () => {},
  });
  const identity = { workspace: WORKSPACE, botUserId: BOT_USER, botId: BOT_ID, url: null };
  const front: Front = await openFront({
    config: parseConfig({ COUNTERSIGN_DATA: folder }, folder),
    core,
    keys: openKeys(folder),
    forge: {
      host: house.repoHost,
      local: null,
      github: null,
      repositoryUrl: (repo) => `http://forge.test/${repo}`,
      close: async () => {},
    },
    linear: null,
    own: [],
    web: true,
    workspace: { one: { access, identity }, hmac: null, socket: null },
    answers: async () => [],
  });
  undo.push(() => front.close());
  return {
    front,
    double,
    /** Shows what is due now. */
    async show() {
      const done = new AbortController();
      await deliver(core, front.chat, async () => done.abort(), done.signal);
    },
    told: () => double.of("agents.sessions.setStatus").map(({ status }) => status),
  };
}

test("a run whose one command says nothing for long keeps Slack's Stop for as long as it works", async () => {
  const house = await memoryHouse({ play: () => [{ run: "make everything", hangs: true }] });
  undo.push(() => house.close());
  house.policy.edit("teams/marketing.yaml", "runtime: 15m", "runtime: 2h");
  const { front, show, told } = await opened(house);
  const shown = async () => {
    await show();
    return told();
  };
  const halfAnHour = async () => {
    house.world.offset += 31 * MINUTE_MS;
    await front.redrive();
  };
  await house.say(ANA, "look at the pages", { channel: "C0SITE" });
  const run = await house.until("working");
  const record = async () => (await eventsOf(house.core, run.id)).map(({ body }) => body.kind);
  await expect.poll(record, PATIENCE).toContain("tool.started");
  await expect.poll(shown, PATIENCE).toEqual(["processing"]);
  await expect
    .poll(async () => {
      await show();
      const row = await house.core.stores.outbox.get(messageKey(run, "status", null));
      return row?.version === row?.shownVersion;
    }, PATIENCE)
    .toBe(true);
  const before = await record();
  await halfAnHour();
  await expect.poll(shown, PATIENCE).toEqual(["processing", "processing"]);
  await halfAnHour();
  await expect.poll(shown, PATIENCE).toEqual(["processing", "processing", "processing"]);
  expect(await record()).toEqual(before);
  await house.say(ANA, "stop", { in: run });
  await house.until("cancelled");
  await expect.poll(shown, PATIENCE).toEqual(["processing", "processing", "processing", "active"]);
});
