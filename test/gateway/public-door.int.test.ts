import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:https";
import net, { type Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import tls from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFirstAddresses } from "#gateway/first-addresses.ts";
import { openGrants } from "#gateway/grants.ts";
import { forwarder, tried } from "#hosted/forwarder.ts";
import { DoorShut, throughDoor, type Way } from "#hosted/tunnel.ts";
import type { EgressRule } from "#policy/egress.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { makeWorld, type World } from "./world.ts";

const RULE: EgressRule = {
  host: "api.allowed.test",
  ports: [443],
  mode: "tunnel",
  methods: [],
  paths: [],
  private: [],
  maxBodyBytes: null,
  secret: null,
  rule: { at: "teams/data.yaml:3:5", text: "egress api.allowed.test", why: null },
};

/** The head of what answers to a CONNECT on this connection. */
async function asked(socket: net.Socket, host: string, token: string): Promise<string> {
  const basic = Buffer.from(`run:${token}`).toString("base64");
  socket.write(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\nProxy-Authorization: Basic ${basic}\r\n\r\n`);
  const [data] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return data.toString("utf8");
}

describe("the gateway's public door", () => {
  let world: World;
  let port: number;
  let way: (token: string | null) => Way;
  const opened: Server[] = [];

  beforeAll(async () => {
    const door = { url: "https://localhost", listen: { host: "127.0.0.1", port: 0 }, certificate: null };
    world = await makeWorld({ config: { publicDoor: door } });
    port = world.gateway.publicPort ?? 0;
    const authority = await world.client.certificate();
    way = (token) => ({ url: `https://localhost:${port}`, token, authority, proxy: null });
    for (const name of ["one", "two", "over", "moved"]) {
      await world.client.grant(
        bareGrant({ sandbox: name, run: "r", tokenHash: hashOf(`tok-${name}`), egress: [RULE] }),
      );
    }
  });
  afterAll(async () => {
    for (const server of opened) server.close();
    await world.close();
  });

  /** Where a process in the sandbox of this token finds the gateway. */
  async function inside(token: string): Promise<() => Promise<net.Socket>> {
    const server = await forwarder(way(token), { port: 0, say: () => undefined });
    opened.push(server);
    return async () => {
      const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
      socket.on("error", () => undefined);
      await once(socket, "connect");
      return socket;
    };
  }

  test("a process behind the forwarder has the gateway at a local address, as in a local sandbox", async () => {
    const connect = await inside("tok-one");
    expect(await asked(await connect(), "api.allowed.test", "tok-one")).toMatch(/^HTTP\/1\.1 200 /);
    expect(await asked(await connect(), "denied.test", "tok-one")).toMatch(/^HTTP\/1\.1 403 [\s\S]*no_rule/);
    expect((await world.auditOf("one")).map((line) => line.kind === "egress" && line.outcome)).toContain("deny");
  });

  test("the token of one sandbox is no good on the connection of another", async () => {
    const connect = await inside("tok-one");
    expect(await asked(await connect(), "api.allowed.test", "tok-two")).toMatch(/^HTTP\/1\.1 403 [\s\S]*token_origin/);
  });

  test("nobody comes in without a token, or with one that was never given; and nothing is written about it", async () => {
    const before = await world.auditText();
    for (const token of [null, "tok-nobody"]) {
      await expect(throughDoor(way(token))).rejects.toMatchObject({ name: "DoorShut", status: 401 });
    }
    expect(await world.auditText()).toBe(before);
    expect(await tried(way(null))).toBeNull();
    expect(await tried(way("tok-nobody"))).toContain("no token that is known here");
  });

  test("a token belongs to the address that first showed it; from elsewhere it is refused and recorded", async () => {
    (await throughDoor(way("tok-moved"))).destroy();
    const head = "GET /sandbox HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: countersign/1\r\n";
    const answer = (localAddress: string) =>
      new Promise<string>((resolve, reject) => {
        const raw = net.connect({ host: "127.0.0.1", port, localAddress }).once("error", reject);
        const socket = tls.connect({ socket: raw, servername: "localhost", rejectUnauthorized: false });
        socket.once("error", reject).once("data", (data) => {
          socket.destroy();
          resolve(data.toString());
        });
        socket.write(`${head}Authorization: Bearer tok-moved\r\n\r\n`);
      });
    expect(await answer("127.0.0.1")).toMatch(/^HTTP\/1\.1 101 /);
    expect(await answer("127.0.0.2")).toMatch(/^HTTP\/1\.1 403 [\s\S]*belongs to a sandbox at another address/);
    expect(await world.auditOf("moved")).toMatchObject([{ kind: "egress", via: "door", reason: "token_origin" }]);
  });

  test("a token whose run is over gets in, and is told so by the one who decides", async () => {
    await world.client.revoke("over");
    const connect = await inside("tok-over");
    expect(await asked(await connect(), "api.allowed.test", "tok-over")).toMatch(/^HTTP\/1\.1 407 [\s\S]*run_over/);
  });

  test("who has said all that it has to say still hears the answer", async () => {
    const socket = await (await inside("tok-one"))();
    const basic = Buffer.from("run:tok-one").toString("base64");
    socket.end(
      `CONNECT denied.test:443 HTTP/1.1\r\nHost: denied.test:443\r\nProxy-Authorization: Basic ${basic}\r\n\r\n`,
    );
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 403 /);
  });

  test("a browser that comes here is told where it is", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const options = { host: "127.0.0.1", port, servername: "localhost", rejectUnauthorized: false };
      request({ ...options, path: "/" }, (res) => resolve(res.statusCode))
        .once("error", reject)
        .end();
    });
    expect(status).toBe(426);
  });

  test("a gateway that nobody vouches for is not spoken to", async () => {
    await expect(throughDoor({ ...way("tok-one"), authority: null })).rejects.not.toBeInstanceOf(DoorShut);
  });

  test("a connection waits for a gateway that is being started, and is closed when none comes", async () => {
    const spare = net.createServer();
    await once(spare.listen(0, "127.0.0.1"), "listening");
    const { port: free } = spare.address() as net.AddressInfo;
    await new Promise<void>((closed) => void spare.close(() => closed()));
    const said: string[] = [];
    const nowhere = { ...way("tok-one"), url: `https://localhost:${free}` };
    const server = await forwarder(nowhere, { port: 0, holdMs: 300, say: (line) => said.push(line) });
    opened.push(server);
    const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
    expect(await text(socket)).toBe("");
    expect(said).toEqual([expect.stringContaining("a connection was not carried: ")]);
  });
});

describe("first addresses", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "cs-first-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("they outlive the gateway, hold for a whole IPv6 network, and go with their grants", async () => {
    const grants = await openGrants(path.join(folder, "grants"));
    for (const name of ["a", "b", "c"])
      await grants.put(bareGrant({ sandbox: name, run: name, tokenHash: hashOf(name) }));
    const file = path.join(folder, "first.json");
    const first = await openFirstAddresses(file, grants);
    expect(await first.claim("a", hashOf("a"), "::ffff:203.0.113.7")).toBe(true);
    expect(await first.claim("b", hashOf("b"), "2001:db8:0:1::7")).toBe(true);
    const again = await openFirstAddresses(file, grants);
    expect(await again.claim("a", hashOf("a"), "203.0.113.7")).toBe(true);
    expect(await again.claim("a", hashOf("a"), "203.0.113.8")).toBe(false);
    expect(await again.claim("b", hashOf("b"), "2001:db8:0:1:ffff::1")).toBe(true);
    expect(await again.claim("b", hashOf("b"), "2001:db8:0:2::7")).toBe(false);
    await grants.forget("a");
    expect(await again.claim("c", hashOf("c"), "203.0.113.9")).toBe(true);
    expect(await again.claim("a", hashOf("a"), "203.0.113.8")).toBe(true);
  });
});
