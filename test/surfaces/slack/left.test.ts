import type { AddressInfo } from "node:net";
import { type ServerType, serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { installedIn } from "#surfaces/slack/left.ts";
import { TROUBLE } from "#surfaces/slack/words.ts";
import { BOT_USER, WORKSPACE } from "#test/fixtures/slack/double.ts";
import { TRANSPORTS } from "#test/playground/stage.ts";
import { clicked, eventBody, mention, slackWorld, submitted, typed } from "./world.ts";

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database.close());

async function listening({ fetch }: Hono): Promise<[number, ServerType]> {
  const up = Promise.withResolvers<AddressInfo>();
  const server = serve({ fetch, hostname: "127.0.0.1", port: 0 }, up.resolve);
  return [(await up.promise).port, server];
}

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

  test("a bot's token that is revoked is said with whose it was; a person's is nothing to us", async () => {
    const { post, leavers } = await slackWorld(database, { over });
    await post(told({ type: "tokens_revoked", tokens: { oauth: ["U0ANA"] } }));
    await post(told({ type: "tokens_revoked", tokens: { oauth: ["U0ANA"], bot: [] } }));
    expect(leavers).toEqual([]);
    await post(told({ type: "tokens_revoked", tokens: { bot: [BOT_USER] } }));
    expect(leavers).toMatchObject([{ workspace: WORKSPACE, bots: [BOT_USER] }]);
  });

  test("what comes from a workspace that has not installed us is answered, and neither kept nor heard", async () => {
    const { post, command, doors, calls, kept, double } = await slackWorld(database, { over });
    doors.set(WORKSPACE, "shut");
    expect((await post(mention())).status).toBe(200);
    expect((await post(clicked({ action: "approve", value: "a b" }), { form: true })).status).toBe(200);
    expect((await command(typed("status"))).status).toBe(200);
    expect([calls, await kept(), double.calls]).toEqual([[], 0, []]);
  });

  test("in a workspace whose tokens cannot be opened a command, a form and a click are told so, and nothing is kept", async () => {
    const { post, command, doors, calls, left, double } = await slackWorld(database, { over });
    doors.set(WORKSPACE, "blocked");
    const told: object[] = [];
    const [port, hooks] = await listening(new Hono().post("/hook", async (c) => c.json(told.push(await c.req.json()))));
    try {
      expect((await post(mention())).status).toBe(200);
      const slash = await command(typed("status"));
      expect(await slash.json()).toEqual({ response_type: "ephemeral", text: TROUBLE.blocked });
      const memory = JSON.stringify({
        ...{ approvalId: "a", digest: "d" },
        place: { provider: "slack", workspace: WORKSPACE, channel: "C0SHOP", thread: "1.2" },
      });
      const form = await post(submitted({ reason: "no", memory }), { form: true });
      expect(await form.json()).toEqual({ response_action: "errors", errors: { reason: TROUBLE.blocked } });
      const response_url = `http://127.0.0.1:${port}/hook`;
      const click = clicked({ action: "approve", value: "a b", body: { response_url } });
      expect((await post(click, { form: true })).status).toBe(200);
      expect(told).toEqual([
        {
          ...{ response_type: "ephemeral", replace_original: false, text: TROUBLE.blocked },
          thread_ts: "1700000000.000100",
        },
      ]);
      // An address that leads nowhere costs nothing else.
      const lost = clicked({ action: "approve", value: "a b", body: { response_url: "http://127.0.0.1:1/hook" } });
      expect((await post(lost, { form: true })).status).toBe(200);
      expect([calls, await left(), double.calls]).toEqual([[], [], []]);
    } finally {
      hooks.close();
    }
  });

  test("a workspace whose tokens cannot be opened may still say that it leaves", async () => {
    const { post, doors, leavers } = await slackWorld(database, { over });
    doors.set(WORKSPACE, "blocked");
    await post(told({ type: "app_uninstalled" }));
    expect(leavers).toMatchObject([{ workspace: WORKSPACE, bots: null }]);
  });

  test("what was kept of a workspace whose tokens no key opens any more is tried again, and given up aloud", async () => {
    const { post, doors, say, left, release, surface, log } = await slackWorld(database, { over });
    say.throws = 1;
    await post(mention());
    doors.set(WORKSPACE, "blocked");
    for (let n = 0; n < 4; n += 1) {
      expect(await left()).toHaveLength(1);
      await surface.redrive();
      await release();
    }
    expect(await left()).toEqual([]);
    expect(log.at(-1)).toMatchObject({
      message: expect.stringContaining("is given up"),
      fields: { error: expect.stringContaining("cannot be opened") },
    });
  });

  test("what was kept of a workspace that has left since is worked off by nobody", async () => {
    const { post, doors, calls, say, left, release, surface } = await slackWorld(database, { over });
    say.throws = 1;
    await post(mention());
    expect(await left()).toHaveLength(1);
    const before = calls.length;
    doors.set(WORKSPACE, "shut");
    await release();
    expect(await surface.redrive()).toBe(1);
    expect([calls.length, await left()]).toEqual([before, []]);
  });
});

const of = (workspace: string, enterprise: string | null = null, orgWide = false) => ({
  workspace,
  enterprise,
  orgWide,
});
const OURS: Record<string, [unknown, ReturnType<typeof installedIn>]> = {
  "a message's, by the installation it is for": [
    mention({ body: { team_id: "T0THEIRS", enterprise_id: "E0THEIRS", authorizations: [{ team_id: "T0OURS" }] } }),
    of("T0OURS"),
  ],
  "a message's in an organisation, with that": [
    mention({
      body: { authorizations: [{ team_id: "T0OURS", enterprise_id: "E0OURS", is_enterprise_install: false }] },
    }),
    of("T0OURS", "E0OURS"),
  ],
  "a message's for a whole organisation, which is said": [
    mention({
      body: { authorizations: [{ team_id: "T0OURS", enterprise_id: "E0OURS", is_enterprise_install: true }] },
    }),
    of("T0OURS", "E0OURS", true),
  ],
  "a message's without one, by its own": [
    mention({ body: { team_id: "T0OURS", enterprise_id: "E0OURS", authorizations: [] } }),
    of("T0OURS", "E0OURS"),
  ],
  "a click's": [clicked({ action: "approve" }), of(WORKSPACE)],
  "a click's in an organisation": [
    clicked({
      action: "approve",
      body: { team: { id: "T0OURS", enterprise_id: "E0OURS" }, enterprise: { id: "E0OURS" } },
    }),
    of("T0OURS", "E0OURS"),
  ],
  "a form's, by where the app is installed, and not by the organisation of the person": [
    {
      ...submitted({ reason: "no", memory: "" }),
      ...{ team: { id: "T0THEIRS", enterprise_id: "E0THEIRS" }, enterprise: { id: "E0THEIRS" } },
      view: { app_installed_team_id: "T0OURS" },
    },
    of("T0OURS"),
  ],
  "a command's": [typed("status", { team_id: "T0OURS", enterprise_id: "E0OURS" }), of("T0OURS", "E0OURS")],
  "a command's for a whole organisation": [
    typed("status", { team_id: "T0OURS", is_enterprise_install: "true" }),
    of("T0OURS", null, true),
  ],
  "a click's of an organisation, by the person's": [
    { team: null, user: { id: "U1", team_id: "T0OURS" } },
    of("T0OURS"),
  ],
  "none, where none is named": [{ authorizations: "no", user: "U1" }, of("")],
};
for (const [whose, [body, installation]] of Object.entries(OURS)) {
  test(`the installation of a body is ${whose}`, () => expect(installedIn(body)).toEqual(installation));
}
