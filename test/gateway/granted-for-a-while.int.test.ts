import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import type { EgressRule } from "#policy/egress.ts";
import type { Grant } from "#ports/gateway.ts";
import { Secret } from "#ports/secret.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { askConnect, basic, readAnswers, startTls } from "#test/gateway/wire.ts";
import { makeWorld, type World, type WorldOptions } from "#test/gateway/world.ts";

let world: World;
afterEach(() => world.close());

const RULE: EgressRule = {
  host: "api.allowed.test",
  ports: [443],
  mode: "intercept",
  methods: ["GET"],
  paths: [],
  private: [],
  maxBodyBytes: null,
  secret: { name: "cms-read", header: "authorization" },
  rule: { at: "teams/shop.yaml:9:5", text: "egress api.allowed.test", why: null },
};
const REAL = "REAL-c7f3b1e09d54-value";
// Not in another year: the client looks at the certificate with its own clock.
const START = Date.now();
let now = START;

async function open(o: Partial<WorldOptions> = {}, more: Partial<Grant> = {}): Promise<void> {
  now = START;
  const secrets = { get: async (name: string) => new Secret(name, REAL) };
  world = await makeWorld({ now: () => now, config: { secrets }, ...o });
  await world.client.lease();
  await world.client.grant(
    bareGrant({
      sandbox: "box",
      run: "run-1",
      tokenHash: hashOf("tok"),
      expiresAt: new Date(START + 3_600_000).toISOString(),
      egress: [{ ...RULE, until: new Date(START + 30_000).toISOString() }],
      secrets: [{ name: "cms-read", placeholderHash: hashOf("OPAQUE-PLACEHOLDER") }],
      ...more,
    }),
  );
}

const connect = async (host = "api.allowed.test") => {
  const socket = await world.open("box");
  return { socket, answer: await askConnect(socket, `${host}:443`, basic("tok")) };
};

const GET =
  "GET /v1/x HTTP/1.1\r\nHost: api.allowed.test\r\nAuthorization: Bearer OPAQUE-PLACEHOLDER\r\nRange: bytes=0-3\r\n\r\n";

/** A connection on which requests go out one after the other. */
async function inside() {
  const { socket, answer } = await connect();
  expect(answer?.status).toBe(200);
  const secure = await startTls(socket, "api.allowed.test", await world.client.certificate());
  if (!secure) throw new Error("the handshake failed");
  return {
    async get() {
      secure.write(GET);
      const [last] = await readAnswers(secure);
      return last;
    },
    close: () => secure.destroy(),
  };
}

test("a rule that was given for a while is over on time, also on a connection that is open", async () => {
  await open();
  const connection = await inside();
  expect((await connection.get())?.status).toBe(200);
  now = START + 30_000;
  const late = await connection.get();
  expect([late?.status, late?.body]).toEqual([403, expect.stringContaining("no_rule")]);
  connection.close();
  expect((await connect()).answer?.status).toBe(403);
  const denials = (await world.auditOf("box")).filter((line) => line.kind === "egress" && line.outcome === "deny");
  expect(denials).toMatchObject([{ reason: "no_rule" }, { reason: "no_rule" }]);
});

test("with a credential no range is asked for, and an answer that cannot be searched is refused", async () => {
  await open({
    origin: (_req, res) => {
      const body = gzipSync(`you sent ${REAL}`);
      res.writeHead(200, { "content-encoding": "gzip", "content-length": body.length }).end(body);
    },
  });
  const connection = await inside();
  const answer = await connection.get();
  expect([answer?.status, answer?.body]).toEqual([502, expect.stringContaining('"encoding"')]);
  const headers = world.requests[0]?.rawHeaders.join("\n") ?? "";
  expect(headers).toContain(`Bearer ${REAL}`);
  expect(headers).not.toMatch(/^range$/im);
  connection.close();
});

test("a refusal that people may still lift says so, and any other does not", async () => {
  await open({}, { askable: [{ ...RULE, host: "*.example.org", secret: null }] });
  expect((await connect("docs.example.org")).answer?.body).toContain("People may be asked about it");
  expect((await connect("docs.elsewhere.test")).answer?.body).not.toContain("People may be asked");
});
