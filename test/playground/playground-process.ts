import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { playgroundSeed } from "#playground/seed.ts";
import { startPlayground } from "#playground/slack/playground.ts";

/** A playground in a process of its own, to be killed: `node playground-process.ts <data folder> <app's address>`. */
const [dataDir = "", app = ""] = process.argv.slice(2);
const playground = startPlayground({
  dataDir,
  token: "start-token-for-tests",
  signingSecret: "signing-secret-for-tests",
  botToken: "xoxb-for-tests",
  eventsUrl: `${app}/slack/events`,
  interactivityUrl: `${app}/slack/interactivity`,
  seed: playgroundSeed(),
  realCredentials: [],
  retryDelaysMs: [600_000, 600_000, 600_000],
});
serve({ fetch: playground.app.fetch, hostname: "127.0.0.1", port: 0 }, (address: AddressInfo) => {
  playground.begin();
  process.stdout.write(`${address.port}\n`);
});
