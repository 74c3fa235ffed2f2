import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EgressRule } from "#policy/egress.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { reachEnv } from "#runs/reach.ts";
import { type LocalBench, localBench, noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { makeWorld, type World } from "./world.ts";

const RULE: EgressRule = {
  host: "api.allowed.test",
  ports: [443],
  mode: "intercept",
  methods: ["GET"],
  paths: ["/v1/**"],
  private: [],
  maxBodyBytes: null,
  secret: null,
  rule: { at: "teams/data.yaml:22:5", text: "egress api.allowed.test", why: null },
};
const URL = "https://api.allowed.test/v1/x";

/** Each says "ok" when it got the answer, and fails when it does not trust who answers. */
const CLIENTS = {
  node: `node -e 'fetch("${URL}").then((r) => r.text()).then(console.log)'`,
  curl: `curl --silent --show-error --fail ${URL}`,
  python3: `python3 -c 'import urllib.request as r; print(r.urlopen("${URL}").read().decode())'`,
} as const;

describe.skipIf(noBubblewrap !== null)("an inspected host, from inside", () => {
  let world: World;
  let bench: LocalBench;
  let sandbox: Sandbox;
  const sh = (line: string, more: Readonly<Record<string, string>> = {}) =>
    sandbox.exec({ argv: ["bash", "-c", line], env: { ...reachEnv(sandbox, "tok"), ...more } }, { timeoutMs: 20_000 });

  beforeAll(async () => {
    world = await makeWorld();
    bench = await localBench();
    await world.client.grant(bareGrant({ sandbox: "inside", run: "r", tokenHash: hashOf("tok"), egress: [RULE] }));
    const limits = { memoryMiB: 512, pids: 64 };
    sandbox = await bench.provider.create(
      {
        key: "inside",
        image: bench.image,
        labels: {},
        gateway: world.gateway.address,
        trust: await world.client.certificate(),
        limits,
        ttlMs: 600_000,
      },
      AbortSignal.timeout(25_000),
    );
  });
  afterAll(async () => {
    await bench.provider.destroy(sandbox.id);
    await bench.dispose();
    await world.close();
  });

  test.for(["node", "curl", "python3"] as const)("%s reaches it without being told anything", async (client, ctx) => {
    if ((await sh(`command -v ${client}`)).exitCode !== 0) ctx.skip(`there is no ${client} on this machine`);
    const got = await sh(CLIENTS[client]);
    expect({ out: got.stdout.trim(), err: got.stderr }).toEqual({ out: "ok", err: "" });
  });

  test("a sandbox that trusts nobody new refuses who answers", async () => {
    const got = await sh(CLIENTS.node, { NODE_EXTRA_CA_CERTS: "/dev/null" });
    expect(got.stderr).toContain("certificate");
    expect(got.exitCode).not.toBe(0);
  });

  test("what the rule does not say is refused with its place, over the same trust", async () => {
    const got = await sh(`node -e 'fetch("https://api.allowed.test/v2/x").then((r) => r.text()).then(console.log)'`);
    expect(JSON.parse(got.stdout)).toMatchObject({ reason: "path", rule: "teams/data.yaml:22:5" });
  });

  test("the system's authorities are still trusted, and nobody inside can add one", async () => {
    const count = await sh("grep -c BEGIN /etc/ssl/certs/ca-certificates.crt; grep -c BEGIN $SSL_CERT_FILE");
    const [system = 0, all = 0] = count.stdout.trim().split("\n").map(Number);
    expect(all).toBe(system + 1);
    expect((await sh("echo x >> $SSL_CERT_FILE")).stderr).toMatch(/Read-only file system|Permission denied/);
  });
});
