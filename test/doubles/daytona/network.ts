import { createServer as createHttps, type Server as HttpsServer } from "node:https";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { CertificateAuthority } from "#gateway/ca.ts";

/** What a sandbox was told it may reach. */
export interface Reach {
  readonly networkBlockAll: boolean;
  /** Comma-separated. */
  readonly domainAllowList?: string;
  readonly networkAllowList?: string;
}

/**
 * What stands between a sandbox and the world: it lets connections to listed names through and refuses the rest. In here
 * a local sandbox has no route at all, so its one socket leads to this, which takes CONNECT as the platform's own proxy
 * does (`outboundProxyUrl`). `internet`: what answers for every name when the list is not held.
 */
export async function platformNetwork(o: {
  socket: string;
  /** By the key of the local sandbox. */
  reachOf: (key: string) => Reach | null;
  /** Where a listed name is on this machine. */
  at: (host: string, port: number) => { host: string; port: number };
  authority: CertificateAuthority;
  isHeld: () => boolean;
}): Promise<{ close(): Promise<void> }> {
  const internet: HttpsServer = createHttps(
    { SNICallback: (name, done) => done(null, o.authority.contextFor(name)) },
    (_, res) => res.end("the whole world\n"),
  );
  await new Promise<void>((resolve) => internet.listen(0, "127.0.0.1", resolve));
  const world = { host: "127.0.0.1", port: (internet.address() as AddressInfo).port };
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    sockets.add(inner);
    inner.on("error", () => inner.destroy());
    inner.once("close", () => sockets.delete(inner));
    let seen = Buffer.alloc(0);
    const read = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf("\r\n\r\n");
      if (end < 0) return;
      inner.off("data", read).pause();
      const head = /^COUNTERSIGN\/1 (\S+)\nCONNECT (\S+):(\d+) HTTP\/1\.1\r\n/.exec(seen.toString("latin1"));
      const [, key = "", host = "", port = "0"] = head ?? [];
      const isOpen = !o.isHeld();
      const to = allowed(o.reachOf(key), host) ? o.at(host, Number(port)) : isOpen ? world : null;
      if (to === null) return void inner.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
      const outer = connect({ ...to, allowHalfOpen: true });
      outer.on("error", () => inner.destroy());
      outer.once("close", () => inner.destroy());
      inner.once("close", () => outer.destroy());
      outer.once("connect", () => {
        inner.write("HTTP/1.1 200 Connection established\r\n\r\n");
        outer.write(seen.subarray(end + 4));
        inner.pipe(outer);
        outer.pipe(inner);
      });
    };
    inner.on("data", read);
  });
  await new Promise<void>((resolve) => server.listen(o.socket, resolve));
  return {
    async close() {
      for (const socket of sockets) socket.destroy();
      internet.closeAllConnections();
      await Promise.all(
        [server, internet].map((one) => new Promise<void>((resolve) => void one.close(() => resolve()))),
      );
    },
  };
}

function allowed(reach: Reach | null, host: string): boolean {
  if (reach === null || reach.networkBlockAll) return false;
  const names = (reach.domainAllowList ?? "").split(",").filter(Boolean);
  const ranges = (reach.networkAllowList ?? "").split(",").filter(Boolean);
  return (
    names.some((name) => (name.startsWith("*.") ? host.endsWith(name.slice(1)) : host === name)) ||
    ranges.some((range) => range === `${host}/32`)
  );
}
