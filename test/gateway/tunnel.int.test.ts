import { afterAll, beforeAll, expect, test } from "vitest";
import type { EgressRule } from "#policy/egress.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { askConnect, basic, readAnswers, startTls } from "./wire.ts";
import { makeWorld, type World } from "./world.ts";

const tunnelTo = (host: string, ports: number[] = [443]): EgressRule => ({
  host,
  ports,
  mode: "tunnel",
  methods: [],
  paths: [],
  private: [],
  maxBodyBytes: null,
  secret: null,
  rule: { at: "teams/t.yaml:3:5", text: `egress ${host}`, why: null },
});

let world: World;
let caOfOrigin: string;
beforeAll(async () => {
  world = await makeWorld();
  caOfOrigin = await world.client.certificate();
});
afterAll(() => world.close());

test("a tunnel to an allowed host carries TLS to the origin, and leaves an allow line and a closed line", async () => {
  await world.client.grant(
    bareGrant({ sandbox: "t-1", run: "run-1", tokenHash: hashOf("tok-1"), egress: [tunnelTo("plain.test")] }),
  );
  const socket = await world.open("t-1");
  expect((await askConnect(socket, "plain.test:443", basic("tok-1")))?.status).toBe(200);
  const secure = await startTls(socket, "plain.test", "");
  // The origin's own authority is not the gateway's: a client that trusts only the gateway refuses it.
  expect(secure).toBeNull();
  expect(world.dials.at(-1)).toEqual({ address: "203.0.113.10", port: 443 });
  expect(caOfOrigin).toContain("BEGIN CERTIFICATE");
});

test("plain HTTP to an allowed host and port goes through", async () => {
  await world.client.grant(
    bareGrant({ sandbox: "t-2", run: "run-2", tokenHash: hashOf("tok-2"), egress: [tunnelTo("plain.test", [80])] }),
  );
  const socket = await world.open("t-2");
  socket.write(
    `GET http://plain.test/hello HTTP/1.1\r\nHost: plain.test\r\nProxy-Authorization: ${basic("tok-2")}\r\n\r\n`,
  );
  const [answer] = await readAnswers(socket);
  expect(answer).toMatchObject({ status: 200, body: "ok" });
  expect(world.requests.at(-1)?.rawHeaders.join(" ").toLowerCase()).not.toContain("proxy-");
});
