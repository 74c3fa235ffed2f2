import { once } from "node:events";
import { cp } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { gatewayClient } from "#gateway/client.ts";
import { startGateway } from "#gateway/serve.ts";
import type { AuditLine, Grant } from "#ports/gateway.ts";
import { Secret } from "#ports/secret.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { basic, readAll } from "./wire.ts";
import { linesUntil, makeWorld, type World, type WorldOptions } from "./world.ts";

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function service(answer: (seen: Seen, res: ServerResponse) => void): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((req, res) => {
    void text(req).then((body) => {
      seen.push({ method: req.method ?? "", url: req.url ?? "", headers: req.headers, body });
      answer(seen.at(-1) as Seen, res);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function worldWith(o: WorldOptions, grant: Partial<Grant> = {}): Promise<World> {
  const world = await makeWorld(o);
  open.push(() => world.close());
  await world.client.grant(bareGrant({ sandbox: "s", run: "r", tokenHash: hashOf("tok"), models: ["*"], ...grant }));
  return world;
}

interface Asked {
  readonly method?: string;
  readonly headers?: readonly string[];
  readonly body?: unknown;
  readonly sandbox?: string | null;
}

async function ask(world: World, path: string, o: Asked = {}): Promise<{ status: number; head: string; body: string }> {
  const socket = await world.open(o.sandbox === undefined ? "s" : o.sandbox);
  const body = o.body === undefined ? "" : JSON.stringify(o.body);
  const lines = [
    `${o.method ?? "POST"} ${path} HTTP/1.1`,
    "Host: gateway",
    "Connection: close",
    ...(o.headers ?? ["x-api-key: tok"]),
  ];
  socket.write(`${lines.join("\r\n")}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  const [head = "", ...rest] = (await readAll(socket)).toString("utf8").split("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), head, body: dechunked(head, rest.join("\r\n\r\n")) };
}

function dechunked(head: string, body: string): string {
  if (!/transfer-encoding: chunked/i.test(head)) return body;
  let text = "";
  for (let rest = body; rest !== ""; ) {
    const size = Number.parseInt(rest, 16);
    const at = rest.indexOf("\r\n") + 2;
    text += rest.slice(at, at + size);
    rest = size > 0 ? rest.slice(at + size + 2) : "";
  }
  return text;
}

const key = new Secret("model", "real-key");
const models = (o: { openai?: string; anthropic?: string }) => ({
  models: {
    openai: o.openai ? { baseUrl: `${o.openai}/v1`, key } : null,
    anthropic: o.anthropic ? { baseUrl: o.anthropic, key } : null,
  },
});

test("an Anthropic stream is passed through with the real key, and billed by its own usage", async () => {
  const upstream = await service((_seen, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(
      `event: message_start\ndata: ${JSON.stringify({ type: "message_start", message: { usage: { input_tokens: 1000, output_tokens: 1 } } })}\n\n`,
    );
    res.end(
      `event: message_delta\ndata: ${JSON.stringify({ type: "message_delta", usage: { output_tokens: 100 } })}\n\n`,
    );
  });
  const world = await worldWith({ config: models({ anthropic: upstream.url }) });
  const body = {
    model: "claude-sonnet-4-5",
    max_tokens: 500,
    stream: true,
    messages: [{ role: "user", content: "hi" }],
  };
  const answer = await ask(world, "/model/anthropic/v1/messages?beta=true", {
    body,
    headers: [
      "x-api-key: tok",
      "anthropic-version: 2023-06-01",
      "anthropic-beta: context-1m-2025-08-07, interleaved-thinking-2025-05-14",
      "content-type: text/plain",
    ],
  });
  expect(answer.status).toBe(200);
  expect(answer.body).toContain("message_delta");
  expect(upstream.seen[0]).toMatchObject({ method: "POST", url: "/v1/messages" });
  expect(upstream.seen[0]?.headers).toMatchObject({
    "x-api-key": "real-key",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "interleaved-thinking-2025-05-14",
    "content-type": "application/json",
  });
  expect(await world.client.usage("r")).toEqual({
    usd: 0.0045,
    inputTokens: 1000,
    cachedTokens: 0,
    outputTokens: 100,
    calls: 1,
  });
  const lines = await world.auditOf("s");
  expect(lines).toMatchObject([{ kind: "model", model: "claude-sonnet-4-5", status: 200, prices: "2026-11-21" }]);
  expect(JSON.stringify(lines)).not.toContain("real-key");
});

test("a Responses answer in JSON is billed too", async () => {
  const usage = { input_tokens: 10, output_tokens: 5, input_tokens_details: { cached_tokens: 4 } };
  const upstream = await service((_seen, res) => {
    res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ output: [], usage }));
  });
  const world = await worldWith({ config: models({ openai: upstream.url }) });
  const answer = await ask(world, "/model/openai/v1/responses", {
    body: { model: "gpt-5", input: "hi" },
    headers: ["Authorization: Bearer tok"],
  });
  expect(answer.status).toBe(200);
  expect(upstream.seen[0]).toMatchObject({ url: "/v1/responses", headers: { authorization: "Bearer real-key" } });
  expect(await world.client.usage("r")).toMatchObject({ inputTokens: 10, cachedTokens: 4, outputTokens: 5, calls: 1 });
});

test("the list of models and the counting of tokens cost nothing", async () => {
  const upstream = await service((_seen, res) => {
    res.writeHead(200, { "content-type": "application/json" }).end('{"data":[]}');
  });
  const world = await worldWith({ config: models({ openai: upstream.url, anthropic: upstream.url }) });
  expect((await ask(world, "/model/openai/v1/models", { method: "GET" })).status).toBe(200);
  const counted = await ask(world, "/model/anthropic/v1/messages/count_tokens", {
    body: { model: "claude-x", messages: [] },
  });
  expect(counted.status).toBe(200);
  expect(await world.client.usage("r")).toMatchObject({ calls: 0, usd: 0 });
});

const REFUSED: readonly (readonly [string, string, Asked, string])[] = [
  ["no token", "/model/openai/v1/chat/completions", { headers: [], body: { model: "m" } }, "no_run"],
  [
    "another sandbox's token",
    "/model/openai/v1/chat/completions",
    { sandbox: "other", body: { model: "m" } },
    "token_origin",
  ],
  ["a path that is not served", "/model/openai/v1/files", { body: {} }, "path"],
  ["a batch", "/model/anthropic/v1/messages/batches", { body: {} }, "path"],
  ["a method that is not served", "/model/openai/v1/models", { method: "DELETE" }, "method"],
  ["a service that is not configured", "/model/anthropic/v1/messages", { body: { model: "m" } }, "not_configured"],
  [
    "a server-side tool",
    "/model/openai/v1/responses",
    { body: { model: "m", tools: [{ type: "web_search" }] } },
    "model_tool",
  ],
];

test.each(REFUSED)("%s is a 403 with its reason, in words that an SDK prints", async (_name, path, asked, reason) => {
  const upstream = await service((_seen, res) => void res.end());
  const world = await worldWith({ config: models({ openai: upstream.url }) });
  const answer = await ask(world, path, asked);
  expect(answer.status).toBe(403);
  const body = JSON.parse(answer.body) as { reason: string; error: { message: string } };
  expect(body.reason).toBe(reason);
  expect(body.error.message).toContain("countersign:");
  expect(upstream.seen).toEqual([]);
});

test("a stopped run is told 403, and a call under way ends with an error event and is billed", async () => {
  const upstream = await service((_seen, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(`data: ${JSON.stringify({ choices: [{ delta: { content: "x".repeat(70) } }] })}\n\n`);
  });
  const world = await worldWith({ config: models({ openai: upstream.url }) });
  const socket = await world.open("s");
  const body = JSON.stringify({ model: "scripted", stream: true, messages: [] });
  socket.write(
    `POST /model/openai/v1/chat/completions HTTP/1.1\r\nHost: g\r\nConnection: close\r\nAuthorization: Bearer tok\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await once(socket, "data");
  const rest = readAll(socket);
  await world.client.revoke("s");
  expect((await rest).toString()).toContain('"code":"run_over"');
  const lines = await linesUntil(world, "r", (all) => all.some((line) => line.kind === "model"));
  expect(lines.find((line) => line.kind === "model")).toMatchObject({ usage: { outputTokens: 20, calls: 1 } });
  const after = await ask(world, "/model/openai/v1/chat/completions", { body: { model: "scripted" } });
  expect(after.status).toBe(403);
  expect(JSON.parse(after.body)).toMatchObject({ reason: "run_over" });
});

test("what the provider refuses is passed on and not billed; its 401 becomes a 403, for agents retry on 401", async () => {
  let status = 429;
  const upstream = await service((_seen, res) => void res.writeHead(status, { "retry-after": "1" }).end("{}"));
  const world = await worldWith({ config: models({ openai: upstream.url }) });
  const call = () => ask(world, "/model/openai/v1/chat/completions", { body: { model: "scripted", max_tokens: 10 } });
  const busy = await call();
  expect(busy.status).toBe(429);
  expect(busy.head.toLowerCase()).toContain("retry-after: 1");
  status = 401;
  expect((await call()).status).toBe(403);
  expect(await world.client.usage("r")).toMatchObject({ usd: 0, calls: 2 });
});

test("a gateway that goes on after a kill charges the call it finds unfinished, and counts on from what was spent", async () => {
  const { promise: hanging, resolve: hangs } = Promise.withResolvers<void>();
  const upstream = await service((seen, res) => {
    if (seen.body.includes("hang")) return hangs();
    res.writeHead(200, { "content-type": "application/json" });
    res.end(JSON.stringify({ usage: { prompt_tokens: 100, completion_tokens: 10 } }));
  });
  const config = models({ openai: upstream.url });
  const world = await worldWith({ config });
  await ask(world, "/model/openai/v1/chat/completions", { body: { model: "scripted", max_tokens: 10 } });
  const spent = await world.client.usage("r");
  // The next process finds the folder as a kill would leave it.

  const socket = await world.open("s");
  const body = JSON.stringify({ model: "scripted", messages: "hang", max_tokens: 10 });
  socket.write(
    `POST /model/openai/v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer tok\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await hanging;
  const copy = `${world.stateDir}-killed`;
  await cp(world.stateDir, copy, { recursive: true, filter: (file) => !file.endsWith(".sock") });
  socket.destroy();
  const again = await startGateway({ stateDir: copy, ...config, registry: null });
  open.push(() => again.close());

  const after = await gatewayClient(again).usage("r");
  expect(after.calls).toBe(spent.calls + 1);
  expect(after.usd).toBeGreaterThan(spent.usd);
});

const PACKAGE = '{"name":"left-pad"}';

async function registryWorld(grant: Partial<Grant> = {}): Promise<{ world: World; seen: Seen[]; base: string }> {
  const upstream = await service((seen, res) => {
    if (seen.url.startsWith("/npm/away"))
      return void res.writeHead(302, { location: "https://elsewhere.test/x" }).end();
    if (seen.url.startsWith("/npm/climb")) return void res.writeHead(302, { location: "/admin" }).end();
    if (seen.url.startsWith("/npm/moved")) return void res.writeHead(302, { location: "/npm/left-pad" }).end();
    if (seen.headers["if-none-match"] === '"1"') return void res.writeHead(304, { etag: '"1"' }).end();
    res.writeHead(200, { "content-type": "application/json", etag: '"1"' }).end(PACKAGE);
  });
  const base = `${upstream.url}/npm/`;
  const registry = { baseUrl: base, auth: new Secret("registry", "Bearer operator") };
  const world = await worldWith({ config: { registry } }, { registry: true, ...grant });
  return { world, seen: upstream.seen, base };
}

test("a package is read with the operator's credential and without the client's", async () => {
  const { world, seen } = await registryWorld();
  const headers = ["Authorization: Bearer from-an-npmrc", "Cookie: a=b", "npm-session: x"];
  const answer = await ask(world, "/registry/@scope%2fleft-pad", { method: "GET", headers });
  expect(answer).toMatchObject({ status: 200, body: PACKAGE });
  expect(seen[0]).toMatchObject({ url: "/npm/@scope%2fleft-pad", headers: { authorization: "Bearer operator" } });
  expect(seen[0]?.headers.cookie).toBeUndefined();
  expect(await world.auditOf("s")).toMatchObject([{ via: "registry", outcome: "allow", run: "r" }]);
});

test("an archive that npm asks for without our prefix comes from the registry too", async () => {
  const { world, seen } = await registryWorld();
  for (const path of ["/npm/left-pad/-/left-pad-1.0.0.tgz", "/left-pad/-/left-pad-1.0.0.tgz"]) {
    expect((await ask(world, path, { method: "GET", headers: [] })).status).toBe(200);
  }
  expect(seen.map((one) => one.url)).toEqual(Array(2).fill("/npm/left-pad/-/left-pad-1.0.0.tgz"));
  expect((await ask(world, "/left-pad/-/../../admin.tgz", { method: "GET", headers: [] })).status).toBe(400);
  expect(seen).toHaveLength(2);
});

test("a package that has not changed is answered so, again and again on one connection", async () => {
  const { world } = await registryWorld();
  for (let times = 0; times < 3; times += 1) {
    const answer = await ask(world, "/registry/left-pad", { method: "GET", headers: ['If-None-Match: "1"'] });
    expect(answer).toMatchObject({ status: 304, body: "" });
  }
});

test("a redirect is followed inside the registry and nowhere else", async () => {
  const { world } = await registryWorld();
  expect(await ask(world, "/registry/moved", { method: "GET", headers: [] })).toMatchObject({
    status: 200,
    body: PACKAGE,
  });
  expect((await ask(world, "/registry/away", { method: "GET", headers: [] })).status).toBe(502);
  expect((await ask(world, "/registry/climb", { method: "GET", headers: [] })).status).toBe(502);
});

test.each([
  ["publishing", "/registry/evil", "PUT", "method", 403],
  ["climbing out of the registry", "/registry/../admin", "GET", "path", 400],
  ["climbing out with escapes", "/registry/%2e%2e/admin", "GET", "path", 400],
] as const)("%s is refused", async (_name, path, method, reason, status) => {
  const { world, seen } = await registryWorld();
  const answer = await ask(world, path, { method, headers: [] });
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toMatchObject({ reason });
  expect(seen).toEqual([]);
});

test("a run without the registry, and a connection without a run, are refused", async () => {
  const { world } = await registryWorld({ registry: false });
  expect(JSON.parse((await ask(world, "/registry/x", { method: "GET", headers: [] })).body)).toMatchObject({
    reason: "registry",
    error: expect.stringMatching(/^countersign: [A-Z].+\.$/),
  });
  expect(
    JSON.parse((await ask(world, "/registry/x", { method: "GET", headers: [], sandbox: null })).body),
  ).toMatchObject({ reason: "no_run" });
});

test("a registry that does not answer is said with the reason, in npm's own field", async () => {
  const registry = { baseUrl: "http://127.0.0.1:1", auth: null };
  const world = await worldWith({ config: { registry } }, { registry: true });
  const answer = await ask(world, "/registry/left-pad", { method: "GET", headers: [] });
  expect(JSON.parse(answer.body).error).toBe("countersign: The destination does not answer. (ECONNREFUSED)");
});

test("a run can read what it may do, with no secret in it", async () => {
  const { world } = await registryWorld();
  const answer = await ask(world, "/.well-known/run-policy", { method: "GET", headers: [] });
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({
    run: "r",
    registry: true,
    models: ["*"],
    otherwise: "denied",
    git: null,
  });
  expect(answer.body).not.toContain("operator");
  expect(answer.body).not.toContain(hashOf("tok"));
});

test("plain HTTP through the proxy crosses without the proxy's headers, and each request has its line", async () => {
  const rule = {
    host: "plain.test",
    ports: [80],
    mode: "tunnel",
    methods: ["GET"],
    paths: [],
    private: [],
    maxBodyBytes: null,
    secret: null,
  } as const;
  const world = await worldWith(
    {},
    { egress: [{ ...rule, rule: { at: "t.yaml:3:5", text: "egress plain.test", why: null } }] },
  );
  const headers = [`Proxy-Authorization: ${basic("tok")}`, "Proxy-Connection: x", "X-Kept: 1"];
  const get = async (host: string, method = "GET") => {
    const socket = await world.open("s");
    socket.write(
      `${method} http://${host}/hello?x=1 HTTP/1.1\r\n${[`Host: ${host}`, "Connection: close, x-hop", "X-Hop: 1", ...headers].join("\r\n")}\r\n\r\n`,
    );
    return (await readAll(socket)).toString();
  };
  expect(await get("plain.test")).toContain("HTTP/1.1 200");
  expect(world.requests[0]).toMatchObject({ method: "GET", url: "/hello?x=1", host: "plain.test" });
  const names = world.requests[0]?.rawHeaders.filter((_each, i) => i % 2 === 0).map((name) => name.toLowerCase());
  expect(names).toContain("x-kept");
  expect(names?.filter((name) => name.startsWith("proxy-") || name === "x-hop")).toEqual([]);
  expect(await get("plain.test", "DELETE")).toContain('"reason":"method","rule":"t.yaml:3:5"');
  expect(await get("other.test")).toContain('"reason":"no_rule"');
  const reasons = (await world.auditOf("s")).map(
    (line: AuditLine) => line.kind === "egress" && `${line.outcome} ${line.reason}`,
  );
  expect(reasons).toEqual(["allow rule", "deny method", "deny no_rule"]);
});
