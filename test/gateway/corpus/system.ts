import { once } from "node:events";
import { symlink } from "node:fs/promises";
import path from "node:path";
import type { EgressRule } from "#policy/egress.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { askConnect, basic } from "#test/gateway/wire.ts";
import { makeWorld, type World, type WorldOptions } from "#test/gateway/world.ts";
import type { CorpusCase } from "./cases.ts";
import { gatewayKilled } from "./killed.ts";
import { decisionIn, type Outcome } from "./outcome.ts";

const SANDBOX = "sb-fc";
const RUN = "run-fc";

/** Takes a piece of the system away and asks for a host that was allowed a moment before. `null`: it cannot be tried here. */
export async function trySystem(rules: readonly EgressRule[], each: CorpusCase): Promise<Outcome | null> {
  switch (each.input.event) {
    case "stop control plane":
      return await controlPlaneGone(rules);
    case "audit write fails":
      return await auditFull(rules);
    case "SIGKILL gateway":
      return await gatewayKilled();
    case "egres: []":
      return unknownKey();
    case "new policy removes host":
      return await narrowed(rules);
    default:
      throw new Error(`the corpus has an event that the runner does not know: ${each.input.event}`);
  }
}

async function inWorld(
  rules: readonly EgressRule[],
  o: WorldOptions,
  act: (world: World) => Promise<Outcome>,
): Promise<Outcome> {
  const world = await makeWorld(o);
  try {
    await world.client.grant(
      bareGrant({
        sandbox: SANDBOX,
        run: RUN,
        tokenHash: hashOf("tok"),
        egress: rules,
        expiresAt: "2099-01-01T00:00:00.000Z",
      }),
    );
    return await act(world);
  } finally {
    await world.close();
  }
}

async function ask(world: World): Promise<{ status: number; reason: string }> {
  const socket = await world.open(SANDBOX);
  const answer = await askConnect(socket, "plain.allowed.test:443", basic("tok"));
  socket.destroy();
  const body = answer?.body ? (JSON.parse(answer.body) as { reason: string }) : { reason: "" };
  return { status: answer?.status ?? 0, reason: body.reason };
}

async function controlPlaneGone(rules: readonly EgressRule[]): Promise<Outcome> {
  let now = Date.parse("2026-11-21T12:00:00.000Z");
  return await inWorld(rules, { now: () => now }, async (world) => {
    const before = await ask(world);
    now += 61_000;
    await ask(world);
    const lines = (await world.auditOf(SANDBOX)).filter(
      (line) => "outcome" in line && line.outcome === "deny" && line.reason !== "client_left",
    );
    await world.client.lease();
    const after = await ask(world);
    const faults = [before, after].some((each) => each.status !== 200)
      ? ["not let through while the lease was held"]
      : [];
    return { ...decisionIn(lines, RUN), faults };
  });
}

async function auditFull(rules: readonly EgressRule[]): Promise<Outcome> {
  // A real full disk: every write to /dev/full fails with ENOSPC.
  const before = (stateDir: string) => symlink("/dev/full", path.join(stateDir, "audit.jsonl"));
  return await inWorld(rules, { before }, async (world) => {
    const socket = await world.open(SANDBOX);
    socket.write(
      `GET http://plain.allowed.test/ HTTP/1.1\r\nHost: plain.allowed.test\r\nProxy-Authorization: ${basic("tok")}\r\n\r\n`,
    );
    const [chunk] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    const reason = /"reason":"([a-z_]+)"/.exec(chunk.toString("utf8"))?.[1] ?? "";
    const denied = chunk.toString("latin1").startsWith("HTTP/1.1 403");
    return {
      decision: denied ? "deny" : "allow",
      reason,
      faults: world.requests.length > 0 ? ["the origin was reached"] : [],
    };
  });
}

function unknownKey(): Outcome {
  const org = 'version: 1\nkind: org\ngroups: {}\nrouting: {}\nceiling: {repos: ["acme/*"], egress: []}\negres: []\n';
  const loaded = loadPolicy(new Map([["org.yaml", org]]), { commit: "corpus" });
  if (loaded.ok) return { decision: "allow", reason: "loaded" };
  const named = loaded.problems.some((problem) => problem.message.includes("egres"));
  return { decision: "deny", reason: "policy_invalid", faults: named ? [] : ["the problem does not name the key"] };
}

async function narrowed(rules: readonly EgressRule[]): Promise<Outcome> {
  return await inWorld(rules, {}, async (world) => {
    const before = await ask(world);
    const fewer = rules.filter((rule) => rule.host !== "plain.allowed.test");
    await world.client.grant(bareGrant({ sandbox: SANDBOX, run: RUN, tokenHash: hashOf("tok"), egress: fewer }));
    await ask(world);
    const lines = (await world.auditOf(SANDBOX)).filter(
      (line) => "outcome" in line && line.outcome === "deny" && line.reason !== "client_left",
    );
    return { ...decisionIn(lines, RUN), faults: before.status === 200 ? [] : ["not let through before"] };
  });
}

/** Loads a grant line as a team's policy, under a ceiling that would hold it. */
export function tryPolicy(each: CorpusCase): Outcome {
  const org =
    "version: 1\nkind: org\ngroups: {g: {people: [U1]}}\nrouting: {slack: {C0CORPUS: t}}\n" +
    'ceiling:\n  repos: ["acme/*"]\n  egress: [{host: "**", only: ask}, {host: "**.amazonaws.com"}, {preset: npm-read}]\n' +
    '  limits: {cost_usd: 1, runtime: 1h, tokens: 1M, upload: 1MB, concurrent_runs: 1}\n  models: ["*"]\n';
  const team = `version: 1\nkind: team\nteam: t\nmembers: group:g\n${each.input.yaml}\n`;
  const loaded = loadPolicy(
    new Map([
      ["org.yaml", org],
      ["teams/t.yaml", team],
    ]),
    { commit: "corpus" },
  );
  if (loaded.ok) return { decision: "allow", reason: "loaded" };
  const messages = loaded.problems.map((problem) => problem.message).join("\n");
  const reason = /anyone can have an account/.test(messages)
    ? "lint_shared_suffix"
    : /grants (all|every)|"\*" is not a host name/.test(messages)
      ? "lint_match_all"
      : "policy_invalid";
  return { decision: "deny", reason };
}
