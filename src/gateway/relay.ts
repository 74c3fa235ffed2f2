import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Grant } from "#ports/gateway.ts";
import { countUpload, record, type Wall } from "./wall.ts";

/**
 * Carries bytes both ways until both sides are done, the grant goes, or the sandbox has sent as much as it may; then
 * writes the "closed" line. Back pressure and half-closed connections are kept.
 */
export function relay(
  wall: Wall,
  tunnel: { client: Socket; upstream: Duplex; grant: Grant; host: string; port: number; rule: string },
): void {
  const { client, upstream, grant, host, port } = tunnel;
  const startedAt = wall.world.now();
  let sentBytes = 0;
  let receivedBytes = 0;
  let ended = false;
  const cut = () => {
    client.destroy();
    upstream.destroy();
  };
  const remove = wall.connections.add({ sandbox: grant.sandbox, destination: { host, port }, cut });

  client.on("data", (chunk: Buffer) => {
    sentBytes += chunk.length;
    if (countUpload(wall, grant, chunk.length)) return;
    cut();
    const line = {
      via: "connect",
      host,
      port,
      method: null,
      outcome: "deny",
      reason: "upload",
      rule: tunnel.rule,
    } as const;
    void record(wall, { kind: "egress", run: grant.run, sandbox: grant.sandbox, ...line });
  });
  upstream.on("data", (chunk: Buffer) => {
    receivedBytes += chunk.length;
  });
  client.on("error", cut);
  upstream.on("error", cut);
  const onClose = () => {
    if (!client.destroyed || !upstream.destroyed) {
      // One side is gone for good: what the other still has to say is flushed by its own end.
      if (client.destroyed && !upstream.destroyed) upstream.destroy();
      if (upstream.destroyed && !client.destroyed) client.end(() => client.destroy());
    }
    if (ended) return;
    ended = true;
    remove();
    const durationMs = wall.world.now() - startedAt;
    void record(wall, {
      kind: "closed",
      run: grant.run,
      sandbox: grant.sandbox,
      host,
      sentBytes,
      receivedBytes,
      durationMs,
    });
  };
  client.once("close", onClose);
  upstream.once("close", onClose);
  if (client.destroyed || upstream.destroyed) {
    cut();
    onClose();
    return;
  }
  client.pipe(upstream);
  upstream.pipe(client);
}
