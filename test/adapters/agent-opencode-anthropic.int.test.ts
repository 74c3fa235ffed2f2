import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acpAgents } from "#adapters/agent/acp.ts";
import { opencode } from "#adapters/agent/profiles.ts";
import { type ModelRequest, startScriptedModel } from "#playground/model/server.ts";
import { Secret } from "#ports/secret.ts";
import { ended, eventsUntil, is, messageOf, only } from "#test/contracts/agent.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { type JournalledSandbox, journalledSandbox } from "#test/fixtures/acp/journalled-sandbox.ts";
import { openCodeImage } from "#test/fixtures/acp/opencode-image.ts";
import { makeWorld, type World } from "#test/gateway/world.ts";

const image = await openCodeImage();
const PATIENCE_MS = 90_000;
const MODEL = "claude-sonnet-5";

/** The real binary, the real gateway, and behind it a model that speaks Anthropic's dialect only to the real key. */
describe.skipIf(image === null)("the real OpenCode with Anthropic's API", { timeout: PATIENCE_MS }, () => {
  const closing: (() => Promise<unknown>)[] = [];
  const asked: ModelRequest[] = [];
  let world: World;
  let sandbox: JournalledSandbox;

  beforeAll(async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "agent-"));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const model = await startScriptedModel({ port: 0, onRequest: (request) => asked.push(request) });
    closing.push(() => model.close());
    const baseUrl = model.url.replace(/\/v1$/, "");
    const anthropic = { baseUrl, key: new Secret("anthropic_api_key", "sk-real") };
    world = await makeWorld({ config: { models: { openai: null, anthropic } } });
    closing.push(() => world.close());
    await world.client.grant(
      bareGrant({
        sandbox: "s",
        run: "r",
        tokenHash: hashOf("token-1"),
        models: [MODEL],
        budget: { usd: 5, tokens: 5_000_000 },
      }),
    );
    const carrier = await world.carry("s");
    closing.push(() => carrier.close());
    sandbox = await journalledSandbox({
      folder,
      imageDir: image ?? "",
      gatewayUrl: `http://127.0.0.1:${carrier.port}`,
      path: `${path.dirname(process.execPath)}:/usr/bin:/bin`,
    });
    closing.push(() => sandbox.killAll());
  });
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  test("edits and asks for its command, and every call is metered in Anthropic's dialect", async () => {
    await writeFile(path.join(sandbox.workdir, "README.md"), "teh start\n");
    const agent = await acpAgents({ profile: opencode(() => "anthropic") }).open(sandbox, {
      procId: "agent-1",
      token: "token-1",
      model: MODEL,
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await agent.prompt("t1", 'replace "teh" with "the" in README.md then run `echo ran > out.txt`');
    const [ask] = only(await eventsUntil(agent, is("permission.asked")), "permission.asked");
    await agent.answer(ask?.ask ?? "", "allow");
    expect(messageOf(await eventsUntil(agent, ended("t1")))).toContain("Done.");
    const read = (name: string) => readFile(path.join(sandbox.workdir, name), "utf8");
    expect([await read("README.md"), await read("out.txt")]).toEqual(["the start\n", "ran\n"]);
    await agent.stop();

    expect(new Set(asked.map((request) => request.path))).toEqual(new Set(["/v1/messages"]));
    const lines = await world.auditOf("s");
    const calls = lines.filter((line) => line.kind === "model");
    expect(calls.length).toBe(asked.length);
    for (const call of calls) expect(call).toMatchObject({ model: MODEL, usage: { calls: 1 } });
    expect(calls.every((call) => call.usage.inputTokens > 0 && call.usage.usd > 0)).toBe(true);
    expect(lines.filter((line) => line.kind === "egress" && line.outcome === "deny" && line.via === "model")).toEqual(
      [],
    );
  });
});
