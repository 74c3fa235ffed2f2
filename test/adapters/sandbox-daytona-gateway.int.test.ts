import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EgressRule } from "#policy/egress.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { Secret } from "#ports/secret.ts";
import { reachEnv } from "#runs/reach.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { type DaytonaBench, daytonaBench } from "./sandbox-daytona-bench.ts";
import { noBubblewrap } from "./sandbox-local-bench.ts";

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
const fetching = (url: string) =>
  `node -e 'fetch("${url}").then(async (r) => console.log(r.status, await r.text()), (e) => console.log(String(e.cause)))'`;

describe.skipIf(noBubblewrap !== null)(
  `the gateway, from inside a hosted sandbox${noBubblewrap === null ? "" : ` (not here: ${noBubblewrap})`}`,
  () => {
    let bench: DaytonaBench;
    let sandbox: Sandbox;
    const sh = async (line: string, token = "tok") => {
      const ran = await sandbox.exec(
        { argv: ["bash", "-c", line], env: reachEnv(sandbox, token) },
        { timeoutMs: 20_000 },
      );
      return ran.stdout + ran.stderr;
    };

    beforeAll(async () => {
      bench = await daytonaBench();
      const { client } = bench.world;
      await client.grant(bareGrant({ sandbox: "hosted", run: "r", tokenHash: hashOf("tok"), egress: [RULE] }));
      const limits = { memoryMiB: 512, pids: 64 };
      const token = new Secret("sandbox_token", "tok");
      const spec = { key: "hosted", image: "base", labels: {}, gateway: bench.world.gateway.address, token, limits };
      sandbox = await bench.provider.create({ ...spec, ttlMs: 600_000 }, AbortSignal.timeout(25_000));
    });
    afterAll(async () => {
      await bench.provider.destroy(sandbox.id);
      await bench.dispose();
    });

    test("an allowed host is reached, inspected, by a program that was told nothing but the usual variables", async () => {
      expect(await sh(fetching("https://api.allowed.test/v1/x"))).toBe("200 ok\n");
      expect(await sh(fetching("https://api.allowed.test/v2/x"))).toMatch(/^403 .*"rule":"teams\/data\.yaml:22:5"/);
    });

    test("another host is refused by the gateway, and one past the proxy is not reached at all", async () => {
      expect(await sh("curl --silent --show-error https://other.test/ 2>&1")).toContain("403");
      expect(await sh(`env -i PATH="$PATH" ${fetching("https://api.allowed.test/v1/x")}`)).not.toContain("200");
    });

    test("a token of another sandbox is worth nothing here", async () => {
      const { client } = bench.world;
      await client.grant(bareGrant({ sandbox: "neighbour", run: "n", tokenHash: hashOf("theirs"), egress: [RULE] }));
      expect(await sh("curl --silent --show-error https://api.allowed.test/v1/x 2>&1", "theirs")).toContain("403");
    });

    test("the image is there to be read, under the path that is said", async () => {
      expect(await sh(`cat ${sandbox.imageDir}/marker.txt; node --version`)).toBe(`an image\n${process.version}\n`);
    });

    test("the order with the token is gone from the disk once the sandbox is up", async () => {
      expect(
        await sh("find /home/agent /tmp /workspace -name 'order.json' -o -name 'question-*' -o -name '*.tar.gz'"),
      ).toBe("");
      expect(await sh("grep -rl 'tok' /home/agent/.countersign --include=*.json 2>/dev/null")).toBe("");
    });

    test("a second sandbox finds the first one's requests nowhere, and the gateway tells them apart", async () => {
      const lines = await bench.world.auditOf("hosted");
      expect(lines.some((line) => line.kind === "egress" && line.outcome === "allow" && line.run === "r")).toBe(true);
    });
  },
);
