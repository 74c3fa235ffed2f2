import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EgressRule } from "#policy/egress.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { clientHello, readAll, startTls } from "./wire.ts";
import { makeWorld, type World } from "./world.ts";

const rule = (host: string, more: Partial<EgressRule> = {}): EgressRule => ({
  host,
  ports: [443],
  mode: "tunnel",
  methods: [],
  paths: [],
  private: [],
  maxBodyBytes: null,
  secret: null,
  rule: { at: "t.yaml:1:1", text: `egress ${host}`, why: null },
  ...more,
});

let world: World;
let at = 0;
beforeAll(async () => {
  world = await makeWorld({ limits: { headMs: 300 } });
});
afterAll(() => world.close());

/** A sandbox of its own, and a connection of it. */
async function client(): Promise<{ socket: Socket; sandbox: string; token: string }> {
  at += 1;
  const sandbox = `s-${at}`;
  const token = `tok-${at}`;
  const egress = [rule("a.test"), rule("b.test", { mode: "intercept", methods: ["GET"] })];
  await world.client.grant(bareGrant({ sandbox, run: `r-${at}`, tokenHash: hashOf(token), egress }));
  world.reset();
  return { socket: await world.open(sandbox), sandbox, token };
}

const GREETING = Buffer.from([5, 1, 2]);
const password = (token: string) =>
  Buffer.from(`\u0001\u0003run${String.fromCharCode(token.length)}${token}`, "latin1");
const request = (name: string, port = 443) =>
  Buffer.concat([
    Buffer.from([5, 1, 0, 3, name.length]),
    Buffer.from(name, "latin1"),
    Buffer.from([port >> 8, port & 255]),
  ]);
const OPENED = Buffer.from([5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);

/** Exactly so many bytes; what follows stays on the socket. */
async function take(socket: Socket, size: number): Promise<Buffer> {
  let seen: Buffer = Buffer.alloc(0);
  return await new Promise((resolve) => {
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      if (seen.length < size) return;
      socket.off("data", onData);
      socket.pause();
      if (seen.length > size) socket.unshift(seen.subarray(size));
      resolve(seen.subarray(0, size));
    };
    socket.on("data", onData);
    socket.resume();
  });
}

test("a name that policy allows becomes a tunnel, and one line says so", async () => {
  const { socket, sandbox, token } = await client();
  socket.write(Buffer.concat([GREETING, password(token), request("a.test")]));
  expect(await take(socket, OPENED.length)).toEqual(OPENED);
  expect(world.dials).toEqual([]);
  socket.write(await clientHello("a.test"));
  expect((await take(socket, 1))[0]).toBe(22);
  expect(world.dials).toHaveLength(1);
  expect(await world.auditOf(sandbox)).toMatchObject([
    { kind: "egress", host: "a.test", port: 443, outcome: "allow", reason: "rule", rule: "t.yaml:1:1" },
  ]);
  socket.destroy();
});

test("a host that is inspected is inspected, whichever way one came", async () => {
  const { socket, sandbox, token } = await client();
  socket.write(Buffer.concat([GREETING, password(token), request("b.test")]));
  await take(socket, OPENED.length);
  const secure = await startTls(socket, "b.test", await world.client.certificate());
  secure?.write("POST / HTTP/1.1\r\nHost: b.test\r\nContent-Length: 0\r\n\r\n");
  expect(secure && (await take(secure, 12)).toString()).toBe("HTTP/1.1 403");
  expect(await world.auditOf(sandbox)).toMatchObject([
    { outcome: "allow", host: "b.test", method: null },
    { outcome: "deny", host: "b.test", method: "POST", reason: "method" },
  ]);
  secure?.destroy();
});

test("a conversation that comes byte by byte is the same conversation", async () => {
  const { socket, token } = await client();
  const answered = take(socket, OPENED.length);
  for (const byte of Buffer.concat([GREETING, password(token), request("a.test")])) {
    await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
  }
  expect(await answered).toEqual(OPENED);
  socket.destroy();
});

test.each([
  ["a host nobody granted", (token: string) => [password(token), request("other.test")], "no_rule", [1, 0, 5, 2]],
  ["a port nobody granted", (token: string) => [password(token), request("a.test", 22)], "port", [1, 0, 5, 2]],
  ["a token nobody has", () => [password("wrong")], "no_run", [1, 1]],
  ["a request that is none", (token: string) => [password(token), Buffer.from([4, 1])], "bad_request", [1, 0, 5, 1]],
])("%s is refused with its code and one line", async (_what, rest, reason, codes) => {
  const { socket, sandbox, token } = await client();
  socket.write(Buffer.concat([GREETING, ...rest(token)]));
  const answer = await readAll(socket);
  expect([...answer.subarray(0, 2 + codes.length)]).toEqual([5, 2, ...codes]);
  expect(world.lookups).toEqual([]);
  expect(await world.auditOf(sandbox)).toMatchObject([{ kind: "egress", run: `r-${at}`, outcome: "deny", reason }]);
  socket.destroy();
});

test("a client that will not say whose it is gets no way to", async () => {
  const { socket, sandbox } = await client();
  socket.write(Buffer.from([5, 1, 0]));
  expect([...(await readAll(socket))]).toEqual([5, 0xff]);
  expect(await world.auditOf(sandbox)).toMatchObject([{ outcome: "deny", reason: "no_run" }]);
  socket.destroy();
});

test("a token of another sandbox opens nothing, and somebody should look", async () => {
  const other = await client();
  const { socket, sandbox } = await client();
  socket.write(Buffer.concat([GREETING, password(other.token)]));
  expect([...(await readAll(socket))]).toEqual([5, 2, 1, 1]);
  expect(await world.auditOf(sandbox)).toMatchObject([{ reason: "token_origin" }]);
  socket.destroy();
  other.socket.destroy();
});

test("a client that stops in the middle is let go, and nothing was dialled for it", async () => {
  const { socket, token } = await client();
  socket.write(Buffer.concat([GREETING, password(token), request("a.test").subarray(0, 7)]));
  expect([...(await readAll(socket))]).toEqual([5, 2, 1, 0]);
  expect(world.dials).toEqual([]);
  socket.destroy();
});
