import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { House } from "./house.ts";
import { channelJson, controlMessage, groupJson, userJson, viewJson } from "./shape.ts";
import { findMessage, type JsonObject, messagesOf, type Op } from "./world.ts";

/** What the page needs to draw everything, and then every change. */
export interface Live {
  state(banner: string | null): JsonObject;
  stream(c: Context): Response;
  stop(): void;
}

const HEARTBEAT_MS = 15_000;

const troubleOf = (house: House): JsonObject => ({
  kind: "trouble",
  waiting: [...house.world.deliveries.values()].filter((delivery) => delivery.attempt > 0).length,
});

function changes(house: House, op: Op): JsonObject[] {
  const { world } = house;
  switch (op.op) {
    case "message": {
      const { message } = op;
      const root = message.threadTs ? findMessage(world, message.channel, message.threadTs) : undefined;
      const changed = root && message.visibleTo === null ? [message, root] : [message];
      return changed.map((each) => ({ kind: "message", message: controlMessage(world, each) }));
    }
    case "gone":
      return [{ kind: "gone", channel: op.channel, ts: op.ts }];
    case "view":
      return [{ kind: "view", user: op.view.user, view: viewJson(world, op.view, {}) }];
    case "home":
      return [{ kind: "home", user: op.home.user, view: viewJson(world, op.home, {}) }];
    case "view.closed":
      return [{ kind: "view.closed", user: op.user, ids: op.ids }];
    case "read":
      return [{ kind: "read", user: op.user, place: op.place, ts: op.ts }];
    case "status":
      return [{ kind: "status", status: { ...op.status } }];
    case "group":
    case "reset":
      return [{ kind: "reload" }];
    case "delivery":
      return op.delivery.attempt > 0 ? [troubleOf(house)] : [];
    case "delivered":
      return [troubleOf(house)];
    case "hook":
      return [];
  }
}

export function openLive(house: House): Live {
  const { world, journal } = house;
  const stopping = new AbortController();
  return {
    state(banner) {
      const { app } = world.seed;
      return {
        team: { ...world.seed.team },
        bot: app.botUser,
        banner,
        users: world.seed.users.map((user) => ({ ...userJson(world, user), role: user.role, can: user.can })),
        channels: world.seed.channels.map((channel) => ({
          ...channelJson(world, channel),
          members: channel.members,
          examples: channel.examples.map((example) => ({ ...example })),
        })),
        groups: [...world.groups.values()].map((group) => groupJson(world, group, true)),
        messages: world.seed.channels
          .flatMap(({ id }) => messagesOf(world, id))
          .map((message) => controlMessage(world, message)),
        views: [...world.views.values()].map((open) => ({ user: open.user, view: viewJson(world, open, {}) })),
        homes: [...world.homes.values()].map((home) => ({ user: home.user, view: viewJson(world, home, {}) })),
        commands: world.seed.app.commands ?? [],
        reads: Object.fromEntries(world.reads),
        statuses: [...world.statuses.values()].map((status) => ({ ...status })),
        trouble: troubleOf(house),
      };
    },
    stream(c) {
      return streamSSE(c, async (sse) => {
        const queue: JsonObject[] = [];
        let wake = () => {};
        const off = journal.onCommit((op) => {
          queue.push(...changes(house, op));
          wake();
        });
        const end = () => {
          off();
          wake();
        };
        sse.onAbort(end);
        stopping.signal.addEventListener("abort", end);
        await sse.writeSSE({ event: "hello", data: "{}" });
        while (!sse.aborted && !stopping.signal.aborted) {
          for (const change of queue.splice(0)) await sse.writeSSE({ data: JSON.stringify(change) });
          if (queue.length > 0) continue;
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          const beat = setTimeout(resolve, HEARTBEAT_MS);
          await promise;
          clearTimeout(beat);
          if (queue.length === 0 && !sse.aborted && !stopping.signal.aborted) await sse.write(": still here\n\n");
        }
        stopping.signal.removeEventListener("abort", end);
        off();
      });
    },
    stop: () => stopping.abort(),
  };
}
