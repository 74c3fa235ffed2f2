import { expect, test } from "vitest";
import { memoryGateway } from "#gateway/memory.ts";
import type { AuditLine } from "#ports/gateway.ts";
import { gatewayContract } from "#test/contracts/gateway.ts";

const MAIN = "a".repeat(40);
let made = 0;

const denied = (): AuditLine => {
  made += 1;
  const line = {
    via: "connect",
    host: "denied.test",
    port: 443,
    method: null,
    outcome: "deny",
    reason: "no_rule",
  } as const;
  return {
    id: `line-${made}`,
    at: "2026-11-21T00:00:00.000Z",
    run: null,
    sandbox: null,
    kind: "egress",
    rule: null,
    ...line,
  };
};

gatewayContract("memory", async () => {
  const gateway = memoryGateway();
  gateway.holdRef("acme/site", "main", MAIN);
  gateway.holdFile("acme/site", MAIN, "README.md", "# Site\n");
  return {
    gateway,
    repo: { name: "acme/site", cloneUrl: "memory:" },
    main: MAIN,
    file: { path: "README.md", text: "# Site\n" },
    decide: async () => gateway.happen(denied()),
    close: async () => undefined,
  };
});

test("a push after the door was closed is refused, and accepted when it opens again", async () => {
  const gateway = memoryGateway();
  gateway.holdRef("acme/site", "main", MAIN);
  await gateway.openRepository("r1", "acme/site", "agent/r1", MAIN);
  await gateway.closePush("r1");
  expect(gateway.push("r1", "b".repeat(40))).toBe(false);
  await gateway.openRepository("r1", "acme/site", "agent/r1", MAIN);
  expect(gateway.push("r1", "b".repeat(40))).toBe(true);
  expect((await gateway.closePush("r1")).oid).toBe("b".repeat(40));
});

test("a gateway that dies breaks the audit stream instead of ending it", async () => {
  const gateway = memoryGateway();
  const stream = gateway.audit(0, new AbortController().signal)[Symbol.asyncIterator]();
  const next = stream.next();
  gateway.die();
  await expect(next).rejects.toMatchObject({ code: "unavailable" });
});
