import { type Context, Hono } from "hono";
import { z } from "zod";
import { runCommand } from "./commands.ts";
import { openHome } from "./homes.ts";
import type { House } from "./house.ts";
import { actOnMessage, Impossible, type Outcome, person } from "./interact.ts";
import { markRead, pressStop, reactAs, write } from "./person.ts";
import { controlMessage, userJson, viewJson } from "./shape.ts";
import { closeView, submitView, useInView } from "./submit.ts";
import type { Triggers } from "./triggers.ts";
import type { WebApi } from "./web-api.ts";
import { findChannel, messagesOf, viewsOf } from "./world.ts";

/** The control API: what a person can do in the page, for scripts. */

const Ts = z.string().regex(/^\d{10}\.\d{6}$/, 'a message time such as "1760000000.000100"');
const Action = z.strictObject({
  type: z.string(),
  action_id: z.string(),
  block_id: z.string().optional(),
  value: z.string().optional(),
});
const Values = z.record(z.string(), z.unknown());

const BODIES = {
  message: z.strictObject({ channel: z.string(), user: z.string(), text: z.string(), thread_ts: Ts.optional() }),
  interact: z.union([
    z.strictObject({ channel: z.string(), messageTs: Ts, user: z.string(), action: Action }),
    z.strictObject({ view_id: z.string(), user: z.string(), action: Action, values: Values.optional() }),
  ]),
  view: z.strictObject({
    user: z.string(),
    view_id: z.string(),
    values: Values.default({}),
    close: z.union([z.boolean(), z.literal("all")]).optional(),
  }),
  reaction: z.strictObject({
    channel: z.string(),
    ts: Ts,
    user: z.string(),
    name: z.string(),
    remove: z.boolean().optional(),
  }),
  command: z.strictObject({ channel: z.string(), user: z.string(), command: z.string(), text: z.string().default("") }),
  home: z.strictObject({ user: z.string() }),
  scopes: z.strictObject({ missing: z.array(z.string()) }),
  stop: z.strictObject({ channel: z.string(), thread_ts: Ts, user: z.string() }),
  read: z.strictObject({ channel: z.string(), user: z.string(), ts: Ts, thread_ts: Ts.optional() }),
  group: z.strictObject({ group: z.string(), users: z.array(z.string()) }),
  fault: z.strictObject({
    method: z.string(),
    status: z.number().int().min(400).max(599).default(429),
    retry_after: z.number().int().min(1).default(1),
    times: z.number().int().min(1).default(1),
  }),
};

const HELP = [
  "POST /_control/message {channel, user, text, thread_ts?} -> {ok, ts}",
  "POST /_control/interact {channel, messageTs, user, action: {type, action_id, block_id?, value?}}",
  "POST /_control/interact {view_id, user, action, values?}",
  'POST /_control/view {user, view_id, values, close?: true | "all"}',
  "POST /_control/reaction {channel, ts, user, name, remove?}",
  "POST /_control/command {channel, user, command, text?}",
  "POST /_control/home {user}",
  "POST /_control/scopes {missing}",
  "POST /_control/stop {channel, thread_ts, user}",
  "POST /_control/read {channel, user, ts, thread_ts?}",
  "POST /_control/group {group, users}",
  "POST /_control/fault {method, status?, retry_after?, times?}",
  "POST /_control/reset",
  "GET /_control/messages/:channel",
  "GET /_control/views/:user",
  "GET /_control/home/:user",
  "GET /_control/log?after=0",
  "GET /_control/users",
  "GET /_control/channels",
] as const;

async function read<T>(c: Context, name: keyof typeof BODIES, schema: z.ZodType<T>): Promise<T> {
  const raw = await c.req.text();
  let body: unknown;
  try {
    body = JSON.parse(raw);
  } catch {
    throw new Impossible(`The body is not JSON. ${usage(name)}`);
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const at = issue?.path.join(".") ?? "";
  throw new Impossible(`${at ? `${at}: ` : ""}${issue?.message ?? "not understood"}. ${usage(name)}`);
}

function usage(name: string): string {
  const lines = HELP.filter((line) => line.startsWith(`POST /_control/${name} `)).map((line) =>
    line.slice(line.indexOf("{")),
  );
  return `Send ${lines.join(" or ")}.`;
}

const outcomeJson = (outcome: Outcome) =>
  outcome.ok ? { ok: true } : { ok: false, error: outcome.error ?? "unknown_error", status: outcome.status };

/** Routes under `/_control`. The caller guards them. */
export function controlApi(o: { house: House; triggers: Triggers; api: WebApi; hookPath: string }): Hono {
  const { house, triggers } = o;
  const { world, journal } = house;
  const app = new Hono();

  app.post("/message", async (c) => {
    const given = await read(c, "message", BODIES.message);
    const message = write(house, { ...given, threadTs: given.thread_ts ?? null });
    return c.json({ ok: true, ts: message.ts, channel: message.channel });
  });

  app.post("/interact", async (c) => {
    const given = await read(c, "interact", BODIES.interact);
    const act = {
      type: given.action.type,
      actionId: given.action.action_id,
      blockId: given.action.block_id ?? null,
      value: given.action.value ?? null,
    };
    if ("view_id" in given) {
      const outcome = await useInView(
        { house, triggers },
        { user: given.user, viewId: given.view_id, act, values: given.values ?? {} },
      );
      return c.json(outcomeJson(outcome));
    }
    const origin = new URL(c.req.url).origin;
    const outcome = await actOnMessage(
      { house, triggers, hookUrl: (hook) => `${origin}${o.hookPath}/${hook}` },
      { user: given.user, channel: given.channel, ts: given.messageTs, act },
    );
    return c.json(outcomeJson(outcome));
  });

  app.post("/command", async (c) => {
    const given = await read(c, "command", BODIES.command);
    const origin = new URL(c.req.url).origin;
    const hookUrl = (hook: string) => `${origin}${o.hookPath}/${hook}`;
    return c.json(outcomeJson(await runCommand({ house, triggers, hookUrl }, given)));
  });

  app.post("/home", async (c) => {
    openHome(house, await read(c, "home", BODIES.home));
    return c.json({ ok: true });
  });

  app.post("/scopes", async (c) => {
    o.api.withhold((await read(c, "scopes", BODIES.scopes)).missing);
    return c.json({ ok: true });
  });

  app.post("/view", async (c) => {
    const given = await read(c, "view", BODIES.view);
    const who = { user: given.user, viewId: given.view_id };
    if (given.close) return c.json(await closeView({ house, triggers }, { ...who, all: given.close === "all" }));
    return c.json(await submitView({ house, triggers }, { ...who, values: given.values }));
  });

  app.post("/reaction", async (c) => {
    const given = await read(c, "reaction", BODIES.reaction);
    reactAs(house, { ...given, add: given.remove !== true });
    return c.json({ ok: true });
  });

  app.post("/stop", async (c) => {
    const given = await read(c, "stop", BODIES.stop);
    pressStop(house, { ...given, threadTs: given.thread_ts });
    return c.json({ ok: true });
  });

  app.post("/read", async (c) => {
    const given = await read(c, "read", BODIES.read);
    markRead(house, { ...given, threadTs: given.thread_ts ?? null });
    return c.json({ ok: true });
  });

  app.post("/group", async (c) => {
    const given = await read(c, "group", BODIES.group);
    if (!world.groups.has(given.group))
      throw new Impossible(`No group "${given.group}". Use one of ${[...world.groups.keys()].join(", ")}.`);
    for (const user of given.users) person(house, user);
    journal.commit({ op: "group", id: given.group, users: given.users });
    journal.log("person", { act: "group", group: given.group, users: given.users });
    return c.json({ ok: true });
  });

  app.post("/fault", async (c) => {
    const given = await read(c, "fault", BODIES.fault);
    o.api.fault({ method: given.method, status: given.status, retryAfter: given.retry_after, times: given.times });
    return c.json({ ok: true });
  });

  app.post("/reset", (c) => {
    o.api.clearFaults();
    o.api.withhold([]);
    journal.commit({ op: "reset" });
    return c.json({ ok: true });
  });

  app.get("/messages/:channel", (c) => {
    const asked = c.req.param("channel");
    const channel = findChannel(world, asked) ?? world.seed.channels.find(({ name }) => name === asked);
    if (!channel)
      throw new Impossible(`No channel "${asked}". Use one of ${world.seed.channels.map(({ id }) => id).join(", ")}.`);
    return c.json({ messages: messagesOf(world, channel.id).map((message) => controlMessage(world, message)) });
  });

  app.get("/views/:user", (c) => {
    const user = person(house, c.req.param("user"));
    return c.json({ views: viewsOf(world, user.id).map((open) => viewJson(world, open, {})) });
  });

  app.get("/home/:user", (c) => {
    const home = world.homes.get(person(house, c.req.param("user")).id);
    return c.json({ home: home === undefined ? null : viewJson(world, home, {}) });
  });

  app.get("/log", (c) => {
    const after = Number(c.req.query("after") ?? 0);
    if (!Number.isInteger(after)) throw new Impossible("after is the seq of the last entry you have seen, such as 42.");
    return c.json({ log: journal.entries(after) });
  });

  app.get("/users", (c) =>
    c.json({ users: world.seed.users.map((user) => ({ ...userJson(world, user), role: user.role })) }),
  );

  app.get("/channels", (c) =>
    c.json({ channels: world.seed.channels.map(({ id, name, members, topic }) => ({ id, name, members, topic })) }),
  );

  app.all("*", (c) => c.json({ ok: false, error: `No ${c.req.method} ${c.req.path} here.`, endpoints: HELP }, 404));

  app.onError((error, c) => {
    if (error instanceof Impossible) return c.json({ ok: false, error: error.message }, 400);
    throw error;
  });
  return app;
}
