import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { installedIn } from "#surfaces/slack/left.ts";
import { BOT_USER, WORKSPACE } from "#test/fixtures/slack/double.ts";
import { TRANSPORTS } from "#test/playground/stage.ts";
import { clicked, eventBody, mention, slackWorld, submitted, typed } from "./world.ts";

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database.close());

const told = (event: Readonly<Record<string, unknown>>, body: object = {}) => ({
  ...eventBody(event),
  event_time: 1_764_000_000,
  ...body,
});

describe.each(TRANSPORTS)("over %s", (over) => {
  test("a workspace that removes the app is said to have left, with when, once", async () => {
    const { post, leavers } = await slackWorld(database, { over });
    const removed = told({ type: "app_uninstalled" });
    await post(removed);
    await post(removed);
    expect(leavers).toEqual([
      { workspace: WORKSPACE, event: removed.event_id, at: new Date(1_764_000_000_000), bots: null },
    ]);
  });

  test("the bot's token that is revoked is the same; a person's, or another bot's, is nothing to us", async () => {
    const { post, leavers } = await slackWorld(database, { over });
    await post(told({ type: "tokens_revoked", tokens: { oauth: ["U0ANA"] } }));
    await post(told({ type: "tokens_revoked", tokens: { oauth: [], bot: ["U0OTHER"] } }));
    expect(leavers).toEqual([]);
    await post(told({ type: "tokens_revoked", tokens: { bot: [BOT_USER] } }));
    expect(leavers).toMatchObject([{ workspace: WORKSPACE, bots: [BOT_USER] }]);
  });

  test("what comes from a workspace that has not installed us is answered, and neither kept nor heard", async () => {
    const { post, command, gone, calls, left, double } = await slackWorld(database, { over });
    gone.add(WORKSPACE);
    expect((await post(mention())).status).toBe(200);
    expect((await post(clicked({ action: "approve", value: "a b" }), { form: true })).status).toBe(200);
    expect((await command(typed("status"))).status).toBe(200);
    expect([calls, await left(), double.calls]).toEqual([[], [], []]);
  });

  test("what was kept of a workspace that has left since is worked off by nobody", async () => {
    const { post, gone, calls, say, left, release, surface } = await slackWorld(database, { over });
    say.throws = 1;
    await post(mention());
    expect(await left()).toHaveLength(1);
    const before = calls.length;
    gone.add(WORKSPACE);
    await release();
    expect(await surface.redrive()).toBe(1);
    expect([calls.length, await left()]).toEqual([before, []]);
  });
});

const OURS: Record<string, [unknown, string]> = {
  "a message's, by the installation it is for": [
    mention({ body: { team_id: "T0THEIRS", authorizations: [{ team_id: "T0OURS" }] } }),
    "T0OURS",
  ],
  "a message's without one, by its own": [mention({ body: { team_id: "T0OURS", authorizations: [] } }), "T0OURS"],
  "a click's": [clicked({ action: "approve" }), WORKSPACE],
  "a form's, by where the app is installed": [
    {
      ...submitted({ reason: "no", memory: "" }),
      team: { id: "T0THEIRS" },
      view: { app_installed_team_id: "T0OURS" },
    },
    "T0OURS",
  ],
  "a command's": [typed("status", { team_id: "T0OURS" }), "T0OURS"],
  "a click's of an organisation, by the person's": [{ team: null, user: { id: "U1", team_id: "T0OURS" } }, "T0OURS"],
  "none, where none is named": [{ authorizations: "no", user: "U1" }, ""],
};
for (const [whose, [body, workspace]] of Object.entries(OURS)) {
  test(`the workspace of a body is ${whose}`, () => expect(installedIn(body)).toBe(workspace));
}
