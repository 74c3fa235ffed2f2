import { expect, test } from "vitest";
import type { EgressRule } from "#policy/egress.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { askConnect, basic, clientHello, readAll } from "./wire.ts";
import { makeWorld } from "./world.ts";

const TUNNEL: EgressRule = {
  host: "a.test",
  ports: [443],
  mode: "tunnel",
  methods: [],
  paths: [],
  private: [],
  maxBodyBytes: null,
  secret: null,
  rule: { at: "t.yaml:1:1", text: "egress a.test", why: null },
};
/** TLS: fatal, access_denied. */
const ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 49]);

test.each([
  ["that is revoked", "revoke"],
  ["that is narrowed", "narrow"],
] as const)("a grant %s while the client dawdles over its hello opens nothing", async (_how, what) => {
  const world = await makeWorld();
  const grant = bareGrant({ sandbox: "s", run: "r", tokenHash: hashOf("tok"), egress: [TUNNEL] });
  await world.client.grant(grant);
  const socket = await world.open("s");
  expect((await askConnect(socket, "a.test:443", basic("tok")))?.status).toBe(200);
  if (what === "revoke") await world.client.revoke("s");
  else await world.client.grant({ ...grant, egress: [] });
  const heard = readAll(socket);
  socket.write(await clientHello("a.test"));
  socket.end();
  expect(await heard).toEqual(ALERT);
  await world.close();
});
