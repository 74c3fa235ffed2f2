import { readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { markOf, recordProcess } from "#adapters/gateway/process.ts";
import { gatewayClient } from "#gateway/client.ts";
import { startGateway } from "#gateway/serve.ts";
import type { PublicDoor } from "#gateway/settings.ts";
import { startScriptedModel } from "#playground/model/server.ts";
import { digest } from "#policy/digest.ts";
import type { Config } from "./config.ts";
import { gatewaySign, openHealth } from "./health.ts";
import { gatewaySockets } from "./places.ts";
import { keptSecrets } from "./site.ts";

/** What makes one gateway process different from another: a change means another process. */
export function gatewayConfiguration(config: Config): string {
  return digest({
    agent: config.agent,
    openai: config.models.openai.baseUrl,
    openaiKey: markOf(config.models.openai.key),
    anthropic: config.models.anthropic.baseUrl,
    anthropicKey: markOf(config.models.anthropic.key),
    registry: config.registry,
    publicDoor: config.publicDoor,
    secrets: [...config.secrets].map(([name, secret]) => [name, markOf(secret)]).sort(),
  });
}

const CLOSE_MS = 3_000;

/** Read when the gateway starts: a renewed certificate needs another start. */
function publicDoor({ publicDoor: place }: Config): PublicDoor | null {
  if (place === null) return null;
  const { url, listen, certificate } = place;
  const read = (file: string) => readFileSync(file, "utf8");
  return {
    url,
    listen,
    certificate: certificate && { chain: read(certificate.chainFile), key: read(certificate.keyFile) },
  };
}

/**
 * The wall's one door as a process of its own: it outlives a killed control plane, and ends itself when it has heard of
 * none for `orphanMs` (unless told, what `GatewayConfig` says).
 */
export async function gatewayRole(config: Config, stop: Promise<void>, o: { orphanMs?: number } = {}): Promise<number> {
  const { stateDir, dataSocket, adminSocket } = gatewaySockets(config.dataDir);
  await using parts = new AsyncDisposableStack();
  const { healthPort } = config;
  const health = healthPort === null ? null : parts.adopt(await openHealth(healthPort), (one) => one.close());
  // Beside the gateway and not beside the control plane: killing that one must cut no model call.
  const scripted =
    config.agent === "demo" ? parts.adopt(await startScriptedModel({ port: 0 }), (model) => model.close()) : null;
  const { openai, anthropic } = config.models;
  const gateway = parts.adopt(
    await startGateway({
      stateDir,
      dataSocket,
      adminSocket,
      models: {
        openai: scripted
          ? { baseUrl: `${scripted.url}/v1`, key: null }
          : openai.baseUrl
            ? { baseUrl: openai.baseUrl, key: openai.key }
            : null,
        anthropic: anthropic.baseUrl ? { baseUrl: anthropic.baseUrl, key: anthropic.key } : null,
      },
      registry: config.registry === null ? null : { baseUrl: config.registry, auth: null },
      secrets: keptSecrets(config),
      publicDoor: publicDoor(config),
      ...o,
    }),
    (running) => running.close(),
  );
  recordProcess(stateDir, gatewayConfiguration(config));
  health?.watch([gatewaySign(gatewayClient({ adminSocket, dataSocket }))]);
  flushCompileCache(); // Before a kill can come.
  await Promise.race([stop, gateway.orphaned]);
  // What is under way gets a moment; a gateway that no longer listens but still lives would keep the next one away.
  await Promise.race([parts.disposeAsync(), pause(CLOSE_MS)]);
  return 0;
}

export const gatewayLog = (dataDir: string): string => path.join(dataDir, "gateway.log");
