import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebClient } from "@slack/web-api";
import { afterEach, beforeEach, expect, test } from "vitest";
import { playgroundSeed } from "#playground/seed.ts";
import { openJournal } from "#playground/slack/journal.ts";
import type { Message } from "#playground/slack/world.ts";

let dataDir: string;
let child: ChildProcess | null = null;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "playground-"));
});
afterEach(async () => {
  await kill();
  rmSync(dataDir, { recursive: true, force: true });
});

async function kill(): Promise<void> {
  if (!child) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
  child = null;
}

async function start(app: string): Promise<string> {
  child = spawn(process.execPath, [join(import.meta.dirname, "playground-process.ts"), dataDir, app], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (!child.stdout) throw new Error("no output");
  const [port] = (await once(createInterface(child.stdout), "line")) as [string];
  return `http://127.0.0.1:${port}`;
}

async function control(url: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const headers = { "x-playground-token": "start-token-for-tests" };
  const response = await fetch(
    `${url}/_control/${path}`,
    body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers },
  );
  return (await response.json()) as Record<string, unknown>;
}

/** An app that never answers events until it is told to, and opens a modal on every click. */
async function app() {
  const requests: IncomingMessage[] = [];
  const seen = Promise.withResolvers<IncomingMessage>();
  let silent = true;
  let slack: WebClient | null = null;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", async () => {
      const payload = new URLSearchParams(body).get("payload");
      if (payload !== null && slack) {
        const { trigger_id } = JSON.parse(payload) as { trigger_id: string };
        const title = { type: "plain_text" as const, text: "Why" };
        await slack.views.open({ trigger_id, view: { type: "modal", title, blocks: [{ type: "divider" }] } });
        response.end();
        return;
      }
      requests.push(request);
      if (request.headers["x-slack-retry-num"]) seen.resolve(request);
      if (!silent) response.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    retried: seen.promise,
    answerEvents() {
      silent = false;
    },
    use(url: string) {
      slack = new WebClient("xoxb-for-tests", { slackApiUrl: `${url}/slack-api/`, retryConfig: { retries: 0 } });
      return slack;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("a kill loses no message, thread, card, modal or event; the event comes again as a retry", async () => {
  const product = await app();
  try {
    const first = await start(product.url);
    const slack = product.use(first);
    const { ts } = await control(first, "message", { channel: "C0SITE", user: "U0ANA", text: "@agent go" });
    const button = { type: "button" as const, action_id: "why", text: { type: "plain_text" as const, text: "Why" } };
    const blocks = [{ type: "actions" as const, elements: [button] }];
    const card = await slack.chat.postMessage({ channel: "C0SITE", thread_ts: String(ts), text: "Card", blocks });
    await slack.chat.update({ channel: "C0SITE", ts: String(card.ts), text: "Card, edited" });
    await slack.chat.postEphemeral({ channel: "C0SITE", thread_ts: String(ts), user: "U0BO", text: "A note" });
    await slack.reactions.add({ channel: "C0SITE", timestamp: String(ts), name: "eyes" });
    const action = { type: "button", action_id: "why" };
    await control(first, "interact", { channel: "C0SITE", messageTs: card.ts, user: "U0BO", action });
    const before = [await control(first, "messages/C0SITE"), await control(first, "views/U0BO")];

    await kill();
    product.answerEvents();
    const second = await start(product.url);
    expect([await control(second, "messages/C0SITE"), await control(second, "views/U0BO")]).toEqual(before);
    expect(before[1]?.views).toHaveLength(1);

    const retry = await product.retried;
    expect(retry.headers).toMatchObject({ "x-slack-retry-num": "1", "x-slack-retry-reason": "connection_failed" });
    const after = await control(second, "message", { channel: "C0SITE", user: "U0ANA", text: "still here" });
    expect(Number(after.ts)).toBeGreaterThan(Number(card.ts));
  } finally {
    product.close();
  }
});

const message = (ts: string): Message => ({
  channel: "C0SITE",
  ts,
  user: "U0ANA",
  text: ts,
  blocks: [],
  attachments: [],
  threadTs: null,
  broadcast: false,
  metadata: null,
  edited: null,
  reactions: [],
  visibleTo: null,
  streaming: false,
  clientMsgId: null,
  offered: [],
});

test("half a last line, as a kill leaves it, is dropped and the journal goes on", () => {
  const open = () => openJournal(dataDir, playgroundSeed(), () => 1_760_000_000_000);
  const first = open();
  first.commit({ op: "message", message: message(first.nextTs()) });
  first.close();
  appendFileSync(join(dataDir, "journal.jsonl"), '{"op":"message","mess');
  const second = open();
  second.commit({ op: "message", message: message(second.nextTs()) });
  second.close();
  const third = open();
  expect([...(third.world.messages.get("C0SITE")?.keys() ?? [])]).toEqual(["1760000000.000000", "1760000000.000001"]);
  third.close();
});

test("a line damaged in the middle is named, with the way out", () => {
  writeFileSync(
    join(dataDir, "journal.jsonl"),
    '{"op":"gone","channel":"C","ts":"1"}\n{"op":\n{"op":"gone","channel":"C","ts":"1"}\n',
  );
  expect(() => openJournal(dataDir, playgroundSeed(), Date.now)).toThrow(
    /^Line 2 of .*journal\.jsonl is damaged\. Delete the file/,
  );
});

test("a long journal is rewritten without its history and tells the same", () => {
  const one = message("1760000000.000001");
  const lines = Array.from({ length: 20_001 }, (_, i) =>
    JSON.stringify({ op: "message", message: { ...one, text: `${i}` } }),
  );
  writeFileSync(join(dataDir, "journal.jsonl"), `${lines.join("\n")}\n`);
  const journal = openJournal(dataDir, playgroundSeed(), Date.now);
  expect(journal.world.messages.get("C0SITE")?.get(one.ts)?.text).toBe("20000");
  journal.close();
  const kept = readFileSync(join(dataDir, "journal.jsonl"), "utf8").trimEnd().split("\n");
  expect(kept.filter((line) => line.includes('"op":"message"'))).toHaveLength(1);
});
