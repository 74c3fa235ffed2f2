import { mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { gatewayClient } from "#gateway/client.ts";
import { startGateway } from "#gateway/serve.ts";
import { LIMITS } from "#gateway/settings.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { callModel, delta, modelService, usage } from "./corpus/model.ts";
import { readAnswers } from "./wire.ts";

const DENIED = 240;

test("the journal does not grow for ever, every line arrives once, and what a run has spent outlives its lines", async () => {
  const root = await mkdtemp(path.join(tmpdir(), "cs-roll-"));
  const stateDir = path.join(root, "s");
  const service = await modelService((_body, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(delta("fine"));
    res.end(usage(100, 50));
  });
  const openai = { baseUrl: service.baseUrl, key: null };
  const start = () =>
    startGateway(
      { stateDir, models: { openai, anthropic: null }, registry: null },
      { limits: { ...LIMITS, journalBytes: 10_000 } },
    );
  const open = async () => {
    const socket = connect({ path: path.join(stateDir, "data.sock"), allowHalfOpen: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    socket.write("COUNTERSIGN/1 s\n");
    return socket;
  };
  let gateway = await start();
  const client = gatewayClient(gateway);
  try {
    await client.grant(bareGrant({ sandbox: "s", run: "r", tokenHash: hashOf("tok"), models: ["*"] }));
    const body = { model: "scripted", max_tokens: 50, stream: true, messages: [{ role: "user", content: "hello" }] };
    expect((await callModel({ open }, "s", "tok", body)).status).toBe(200);
    const spent = await client.usage("r");
    expect(spent).toMatchObject({ inputTokens: 100, outputTokens: 50, calls: 1 });

    const seen: string[] = [];
    const reading = (async () => {
      for await (const { line } of client.audit(0, AbortSignal.timeout(25_000))) {
        seen.push(line.id);
        if (line.kind === "egress" && line.host === "last.test") break;
      }
    })();
    for (let i = 0; i < DENIED; i += 1) {
      const socket = await open();
      const host = i === DENIED - 1 ? "last.test" : "denied.test";
      socket.write(`GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expect((await readAnswers(socket))[0]?.status).toBe(407);
      socket.destroy();
    }
    await reading;
    expect(seen.length).toBe(DENIED + 1);
    expect(new Set(seen).size).toBe(seen.length);
    const kept = (await readdir(stateDir)).filter((name) => name.startsWith("audit"));
    expect(kept).toContain("audit-retired.json");
    expect(kept).not.toContain("audit-0000000000000000.jsonl");
    expect(kept.length).toBeLessThan(6);

    await gateway.close();
    gateway = await start();
    expect(await client.usage("r")).toEqual(spent);
  } finally {
    await gateway.close();
    await service.close();
    await rm(root, { recursive: true, force: true });
  }
});
