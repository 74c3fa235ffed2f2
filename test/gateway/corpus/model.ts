import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { AuditLine } from "#ports/gateway.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { readAll } from "#test/gateway/wire.ts";
import { linesUntil, makeWorld, type World } from "#test/gateway/world.ts";
import type { CorpusCase } from "./cases.ts";
import type { Outcome } from "./outcome.ts";

const CHUNKS = 400;

/** A model service that streams, holds or ends as the test says. */
export async function modelService(
  answer: (body: Record<string, unknown>, res: ServerResponse, req: IncomingMessage) => void,
) {
  const seen: Record<string, unknown>[] = [];
  const server = createServer((req, res) => {
    void text(req).then((body) => {
      const parsed = body === "" ? {} : (JSON.parse(body) as Record<string, unknown>);
      seen.push(parsed);
      answer(parsed, res, req);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    seen,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

export const sse = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
export const delta = (content: string) => sse({ choices: [{ index: 0, delta: { content } }] });
export const usage = (input: number, output: number) =>
  sse({ choices: [], usage: { prompt_tokens: input, completion_tokens: output } });

export async function callModel(
  world: Pick<World, "open">,
  sandbox: string,
  token: string,
  body: unknown,
  onData: (chunk: Buffer) => void = () => undefined,
): Promise<{ status: number; text: string }> {
  const socket = await world.open(sandbox);
  socket.on("data", onData);
  const json = JSON.stringify(body);
  const lines = ["POST /model/openai/v1/chat/completions HTTP/1.1", "Host: gateway", `Authorization: Bearer ${token}`];
  socket.write(
    `${[...lines, "Connection: close", `Content-Length: ${Buffer.byteLength(json)}`].join("\r\n")}\r\n\r\n${json}`,
  );
  const answer = (await readAll(socket)).toString("utf8");
  return { status: Number(answer.split(" ")[1]), text: answer };
}

/** Piece by piece, each when the client has seen the one before, until all is said or nobody listens. */
async function streamOn(res: ServerResponse, seen: EventEmitter): Promise<void> {
  const gone = once(res, "close");
  for (let i = 0; i < CHUNKS && !res.destroyed; i += 1) {
    const next = Promise.race([once(seen, "piece"), gone]);
    res.write(delta("x".repeat(35)));
    await next;
  }
  res.end(usage(10, CHUNKS * 10));
}

const spentOver = (spent: number, budget: number) => (Math.max(0, spent - budget) / budget) * 100;

/** Tries a budget case against a gateway of its own and a model service that does as it likes. */
export async function tryModel(each: CorpusCase): Promise<Outcome> {
  const scenario = each.input.scenario ?? "";
  const hung: ServerResponse[] = [];
  const clientSees = new EventEmitter();
  const service = await modelService((body, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    if (scenario.startsWith("client closes")) {
      res.write(delta("x".repeat(350)));
      hung.push(res);
      return;
    }
    if (scenario.startsWith("stream worth")) {
      // Asked for less, it goes on all the same: 400 pieces of 10 tokens.
      return void streamOn(res, clientSees);
    }
    const asked = body.stream_options as { include_usage?: boolean } | undefined;
    res.write(delta("fine"));
    res.end(asked?.include_usage ? usage(100, Number(body.max_tokens ?? 100)) : "data: [DONE]\n\n");
  });
  const world = await makeWorld({
    config: { models: { openai: { baseUrl: service.baseUrl, key: null }, anthropic: null } },
  });
  try {
    return await play(world, service.seen, clientSees, each, scenario);
  } finally {
    for (const res of hung) res.destroy();
    await world.close();
    await service.close();
  }
}

async function play(
  world: World,
  seen: Record<string, unknown>[],
  clientSees: EventEmitter,
  each: CorpusCase,
  scenario: string,
): Promise<Outcome> {
  const run = `run-${each.id}`;
  const sandbox = `sb-${each.id}`;
  // 2,000 output tokens of the scripted model; for the parallel case three of 1,000 and their input.
  const usd = scenario.startsWith("20 parallel") ? 0.027 : scenario.startsWith("stream worth") ? 0.016 : 1;
  await world.client.grant(
    bareGrant({
      sandbox,
      run,
      tokenHash: hashOf("tok"),
      models: ["scripted*", "gpt-*"],
      budget: { usd, tokens: 10_000_000 },
    }),
  );
  const message = { messages: [{ role: "user", content: "hello" }], stream: true };
  const call = (body: object, onData?: (chunk: Buffer) => void) =>
    callModel(world, sandbox, "tok", { model: "scripted", ...message, ...body }, onData);
  const denied = (lines: readonly AuditLine[]) =>
    lines.filter((line) => line.kind === "egress" && line.outcome === "deny");
  const metered = (lines: readonly AuditLine[]) => lines.filter((line) => line.kind === "model");
  const outcome = async (lines: readonly AuditLine[], rest: Partial<Outcome> = {}): Promise<Outcome> => {
    const [first] = denied(lines);
    const reason = first?.kind === "egress" ? first.reason : "charged";
    const overspentPct = spentOver((await world.client.usage(run)).usd, usd);
    return { decision: first ? "deny" : "allow", reason, overspentPct, ...rest };
  };

  if (scenario.startsWith("20 parallel")) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => call({ max_tokens: 1_000 })));
    const lines = await linesUntil(world, run, (all) => denied(all).length + metered(all).length === 20);
    const odd = answers.filter((answer) => answer.status !== 200 && answer.status !== 403);
    return await outcome(lines, { faults: odd.map((answer) => `status ${answer.status}`) });
  }
  if (scenario.startsWith("client closes")) {
    const socket = await world.open(sandbox);
    const json = JSON.stringify({ model: "scripted", ...message });
    socket.write(
      `POST /model/openai/v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer tok\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
    );
    await new Promise((resolve) => socket.once("data", resolve));
    socket.destroy();
    const lines = await linesUntil(world, run, (all) => metered(all).length === 1);
    const [line] = metered(lines);
    const charged = line?.kind === "model" && line.usage.outputTokens >= 100 && line.usage.inputTokens > 0;
    return await outcome(lines, { reason: charged ? "charged_estimate" : "free" });
  }
  if (scenario.startsWith("stream_options")) {
    await call({ max_tokens: 500, stream_options: { include_usage: false } });
    const lines = await linesUntil(world, run, (all) => metered(all).length === 1);
    const [line] = metered(lines);
    const exact = line?.kind === "model" && line.usage.outputTokens === 500 && line.usage.inputTokens === 100;
    return await outcome(lines, { faults: exact ? [] : ["not charged by the provider's count"] });
  }
  if (scenario.startsWith("stream worth")) {
    const answer = await call({}, (chunk) => void (chunk.includes("xxx") && clientSees.emit("piece")));
    const lines = await linesUntil(world, run, (all) => denied(all).length === 1);
    return await outcome(lines, {
      faults: answer.text.includes('"code":"budget"') ? [] : ["no error event in the stream"],
    });
  }
  const model = scenario.startsWith("model: ") ? scenario.slice(7) : "claude-opus-4-5";
  const answer = await call({ model });
  const lines = await linesUntil(world, run, (all) => denied(all).length === 1);
  const faults = [
    ...(answer.status === 403 ? [] : [`status ${answer.status}`]),
    ...(seen.length === 0 ? [] : ["the call went out"]),
  ];
  return await outcome(lines, { faults });
}
