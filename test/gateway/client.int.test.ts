import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { gatewayClient } from "#gateway/client.ts";
import { startGateway } from "#gateway/serve.ts";
import type { AuditLine } from "#ports/gateway.ts";
import { bareGrant, gatewayContract, hashOf } from "#test/contracts/gateway.ts";
import { makeForge } from "./forge.ts";
import { askConnect, basic, clientHello, readAll } from "./wire.ts";
import { linesUntil, makeWorld } from "./world.ts";

gatewayContract("the gateway process", async () => {
  const world = await makeWorld();
  const forge = await makeForge();
  return {
    gateway: world.client,
    repo: { name: forge.name, cloneUrl: forge.path },
    main: forge.main,
    file: { path: "README.md", text: "# Site\n\nHello.\n" },
    async decide() {
      const socket = await world.open("nobody");
      await askConnect(socket, "denied.test:443", null);
      socket.destroy();
    },
    async close() {
      await world.close();
      await forge.close();
    },
  };
});

const bare = { models: { openai: null, anthropic: null }, registry: null };

test("grants survive a restart, and the token is nowhere on disk", async () => {
  const world = await makeWorld();
  await world.client.grant(bareGrant({ sandbox: "s", run: "r", tokenHash: hashOf("a-very-secret-token") }));
  await world.client.grant(bareGrant({ sandbox: "over", run: "r", tokenHash: hashOf("over-token") }));
  await world.client.revoke("over");
  await world.gateway.close();
  const folder = path.join(world.stateDir, "grants");
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(path.join(folder, name), "utf8")));
  expect(texts.length).toBe(2);
  expect(texts.join("")).not.toContain("a-very-secret-token");
  const again = await startGateway({ stateDir: world.stateDir, ...bare });
  const ask = async (sandbox: string, token: string) => {
    const socket = await world.open(sandbox);
    const answer = await askConnect(socket, "denied.test:443", basic(token));
    socket.destroy();
    return [answer?.status, answer?.headers["x-countersign-reason"]];
  };
  expect(await ask("s", "a-very-secret-token")).toEqual([403, "no_rule"]);
  expect(await ask("over", "over-token")).toEqual([407, "run_over"]);
  expect(await ask("s", "wrong")).toEqual([407, "no_run"]);
  await again.close();
  await world.close().catch(() => undefined);
});

test("the sockets are for our own user only", async () => {
  const world = await makeWorld();
  for (const file of [world.gateway.adminSocket, world.gateway.dataSocket]) {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  }
  await world.close();
});

test("a second gateway on the same folder is refused, and the first goes on", async () => {
  const world = await makeWorld();
  await expect(startGateway({ stateDir: world.stateDir, ...bare })).rejects.toThrow("another gateway answers");
  await expect(world.client.lease()).resolves.toBeUndefined();
  await world.close();
});

test("a socket path that is too long is refused with the reason", async () => {
  const world = await makeWorld();
  const adminSocket = `/tmp/${"x".repeat(120)}.sock`;
  await expect(startGateway({ stateDir: world.stateDir, adminSocket, ...bare })).rejects.toThrow(
    "longer than a socket path",
  );
  await world.close();
});

test("nobody at the admin socket is unavailable, and says so on every verb", async () => {
  const client = gatewayClient({ adminSocket: "/tmp/cs-nobody.sock", dataSocket: "/tmp/cs-nobody-data.sock" });
  await expect(client.lease()).rejects.toMatchObject({ code: "unavailable" });
  const stream = client.audit(0, new AbortController().signal)[Symbol.asyncIterator]();
  await expect(stream.next()).rejects.toMatchObject({ code: "unavailable" });
});

test("an audit stream breaks when the gateway goes, and never just ends", async () => {
  const world = await makeWorld();
  const stream = world.client.audit(0, new AbortController().signal)[Symbol.asyncIterator]();
  const next = stream.next();
  next.catch(() => undefined);
  const socket = await world.open("nobody");
  await askConnect(socket, "denied.test:443", null);
  socket.destroy();
  await next;
  const after = stream.next();
  after.catch(() => undefined);
  await world.close();
  await expect(after).rejects.toMatchObject({ code: "unavailable" });
});

test("an unknown key in a grant is refused", async () => {
  const world = await makeWorld();
  const grant = { ...bareGrant({ sandbox: "s", run: "r" }), egres: [] };
  await expect(world.client.grant(grant)).rejects.toMatchObject({ code: "invalid" });
  await world.close();
});

test("a gateway that nobody speaks to says that it is orphaned", async () => {
  const world = await makeWorld({ config: { leaseMs: 10, orphanMs: 20 } });
  await expect(world.gateway.orphaned).resolves.toBeUndefined();
  await world.close();
});

const tunnel = (host: string) => ({
  host,
  ports: [443],
  mode: "tunnel" as const,
  methods: [],
  paths: [],
  private: [],
  maxBodyBytes: null,
  secret: null,
  rule: { at: "t.yaml:1:1", text: `egress ${host}`, why: null },
});

test("a run that has sent as much as it may is cut", async () => {
  const world = await makeWorld();
  const grant = bareGrant({
    sandbox: "s",
    run: "r",
    tokenHash: hashOf("tok"),
    egress: [tunnel("a.test")],
    uploadBytes: 4_000,
  });
  await world.client.grant(grant);
  const socket = await world.open("s");
  await askConnect(socket, "a.test:443", basic("tok"));
  socket.write(await clientHello("a.test"));
  socket.resume();
  await once(socket, "data");
  socket.write(Buffer.alloc(64_000));
  await readAll(socket);
  const isUpload = (line: AuditLine) => line.kind === "egress" && line.reason === "upload";
  const lines = await linesUntil(world, "r", (all) => all.some(isUpload));
  expect(lines.find(isUpload)).toMatchObject({ outcome: "deny", host: "a.test" });
  await world.close();
});

test("a narrower grant cuts the tunnel that it no longer holds", async () => {
  const world = await makeWorld();
  const grant = bareGrant({
    sandbox: "s",
    run: "r",
    tokenHash: hashOf("tok"),
    egress: [tunnel("a.test"), tunnel("b.test")],
  });
  await world.client.grant(grant);
  const socket = await world.open("s");
  await askConnect(socket, "a.test:443", basic("tok"));
  socket.write(await clientHello("a.test"));
  socket.resume();
  await once(socket, "data");
  const ended = readAll(socket);
  await world.client.grant({ ...grant, egress: [tunnel("b.test")] });
  await ended;
  const lines = await linesUntil(world, "r", (all) => all.some((line) => line.kind === "closed"));
  expect(lines.at(-1)).toMatchObject({ kind: "closed", host: "a.test" });
  await world.close();
});

test("a tunnel ends with its token", async () => {
  let now = Date.parse("2026-11-21T12:00:00.000Z");
  const world = await makeWorld({ now: () => now, limits: { sweepMs: 20 } });
  const expiresAt = new Date(now + 30_000).toISOString();
  await world.client.grant(
    bareGrant({ sandbox: "s", run: "r", tokenHash: hashOf("tok"), egress: [tunnel("a.test")], expiresAt }),
  );
  const socket = await world.open("s");
  await askConnect(socket, "a.test:443", basic("tok"));
  socket.write(await clientHello("a.test"));
  socket.resume();
  await once(socket, "data");
  const ended = readAll(socket);
  now += 31_000;
  await ended;
  const lines = await linesUntil(world, "r", (all) => all.some((line) => line.kind === "closed"));
  expect(lines.at(-1)).toMatchObject({ kind: "closed", host: "a.test" });
  await world.close();
});

test("of two gateways that are started for one folder at the same moment, one says that there is another", async () => {
  const stateDir = await mkdtemp(path.join(tmpdir(), "cs-two-"));
  const started = await Promise.allSettled([1, 2].map(() => startGateway({ stateDir, ...bare })));
  const failed = started.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
  expect(failed).toEqual([expect.stringContaining("another gateway answers")]);
  for (const one of started) if (one.status === "fulfilled") await one.value.close();
  await rm(stateDir, { recursive: true });
});
