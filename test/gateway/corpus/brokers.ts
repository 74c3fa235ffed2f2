import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { EgressRule } from "#policy/egress.ts";
import { Secret } from "#ports/secret.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { askConnect, basic, readAnswers } from "#test/gateway/wire.ts";
import { makeWorld, type World } from "#test/gateway/world.ts";
import type { CorpusCase } from "./cases.ts";
import { wireText } from "./network.ts";
import { decisionIn, type Outcome } from "./outcome.ts";

/** Services that policy grants as presets: not by their host, which no rule names, but by a base URL of ours. */
const BASES: Readonly<Record<string, string>> = {
  "api.anthropic.com": "/model/anthropic",
  "api.openai.com": "/model/openai",
  "registry.npm.test": "/registry",
};

export const isBrokered = (each: CorpusCase): boolean => BASES[hostOf(each)] !== undefined;

const hostOf = (each: CorpusCase): string => (each.input.authority ?? "").split(":")[0] ?? "";

/** A gateway whose operator has configured the services, and what reached them. */
export interface Brokered {
  readonly world: World;
  readonly reached: readonly string[];
  close(): Promise<void>;
}

export async function openBrokered(): Promise<Brokered> {
  const reached: string[] = [];
  const service = createServer((req, res) => {
    reached.push(`${req.method} ${req.url}`);
    void text(req).then(() => res.end("{}"));
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const key = new Secret("key", "REAL");
  const world = await makeWorld({
    config: {
      models: { openai: { baseUrl: `${baseUrl}/v1`, key }, anthropic: { baseUrl, key } },
      registry: { baseUrl, auth: null },
    },
  });
  return {
    world,
    reached,
    async close() {
      await world.close();
      service.closeAllConnections();
      await new Promise<void>((resolve) => void service.close(() => resolve()));
    },
  };
}

/** Tries the host itself, which must be refused, and then the same request where the service is really served. */
export async function tryBroker(
  { world, reached }: Brokered,
  rules: readonly EgressRule[],
  each: CorpusCase,
): Promise<Outcome> {
  const host = hostOf(each);
  const grantOf = (sandbox: string) =>
    bareGrant({
      sandbox,
      run: `run-${sandbox}`,
      tokenHash: hashOf(`token-${sandbox}`),
      egress: rules,
      models: ["*"],
      registry: true,
    });
  const [direct, brokered] = [`sb-${each.id}-direct`, `sb-${each.id}`];
  for (const sandbox of [direct, brokered]) await world.client.grant(grantOf(sandbox));
  const before = reached.length;

  const around = await world.open(direct);
  const refused = await askConnect(around, each.input.authority ?? "", basic(`token-${direct}`));
  around.destroy();
  const named = decisionIn(await world.auditOf(direct), `run-${direct}`);
  const faults = [
    ...(refused?.status === 403 && named.decision === "deny" ? [] : ["the service's own host is let through"]),
    ...(named.faults ?? []),
  ];

  const socket = await world.open(brokered);
  const request = wireText(each.input.request ?? "", host).toString("latin1");
  const [method = "", path = ""] = request.split(" ", 2);
  const rest = request
    .slice(`${method} ${path}`.length)
    .replace("\r\n", `\r\nAuthorization: Bearer token-${brokered}\r\n`);
  socket.write(`${method} ${BASES[host]}${path}${rest}`, "latin1");
  const [answer] = await readAnswers(socket);
  socket.destroy();
  const seen = decisionIn(await world.auditOf(brokered), `run-${brokered}`);
  return {
    ...seen,
    faults: [...faults, ...(seen.faults ?? [])],
    status: answer?.status ?? null,
    upstreamConnects: world.dials.length + reached.length - before,
  };
}
