import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext, type SecureContext } from "node:tls";
import type { CertificateAuthority } from "./ca.ts";
import type { FirstAddresses } from "./first-addresses.ts";
import type { PublicDoor } from "./settings.ts";
import { tokenOf } from "./token.ts";
import { record, type Wall } from "./wall.ts";

export interface OpenDoor {
  readonly port: number;
  close(): Promise<void>;
}

/** The other side is `hosted/tunnel.ts`. */
const PATH = "/sandbox";
const PROTOCOL = "countersign/1";
const HEAD_MS = 10_000;
const HEAD_BYTES = 8_192;
const MOST_CONNECTIONS = 4_096;
/** Carried at once for one sandbox. */
const MOST_OF_ONE = 512;

/** Why somebody is turned away. `tell`: what a sandbox's own log then says. */
interface Refusal {
  readonly status: number;
  readonly tell: string;
}

const NO_TOKEN: Refusal = { status: 401, tell: "no token that is known here" };
const ELSEWHERE: Refusal = { status: 403, tell: "this token belongs to a sandbox at another address" };
const TOO_MANY: Refusal = { status: 429, tell: "too many connections of one sandbox" };
const UNRECORDED: Refusal = { status: 503, tell: "where the token came from could not be kept" };

/**
 * The gateway's door for sandboxes that are on no machine of ours. TLS ends here. Who shows a token, from the address
 * that first showed it, is carried to the gateway's own socket behind the name of its sandbox, as a supervisor would
 * carry it: what it may do is decided there and nowhere else.
 */
export async function openPublicDoor(
  wall: Wall,
  o: { door: PublicDoor; authority: CertificateAuthority; addresses: FirstAddresses; dataSocket: string },
): Promise<OpenDoor> {
  const { hostname } = new URL(o.door.url);
  const given: SecureContext | null =
    o.door.certificate === null
      ? null
      : createSecureContext({ cert: o.door.certificate.chain, key: o.door.certificate.key, minVersion: "TLSv1.2" });
  const context = () => given ?? o.authority.contextFor(hostname);
  const carried = new Map<string, number>();
  const open = new Set<Duplex>();
  const server = createServer(
    {
      ...(o.door.certificate === null ? {} : { cert: o.door.certificate.chain, key: o.door.certificate.key }),
      SNICallback: (_name, done) => done(null, context()),
      minVersion: "TLSv1.2",
      allowHalfOpen: true,
      maxHeaderSize: HEAD_BYTES,
      headersTimeout: HEAD_MS,
      requestTimeout: HEAD_MS,
      handshakeTimeout: HEAD_MS,
    },
    (_req, res) => {
      const body =
        "This is a Countersign gateway. Sandboxes come here with their token; there is nothing else to see.\n";
      res.writeHead(426, { connection: "close", upgrade: PROTOCOL, "content-type": "text/plain" }).end(body);
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });

  /** The sandbox that may come in, or why nobody may. */
  async function admitted(req: IncomingMessage): Promise<{ sandbox: string } | Refusal> {
    if (req.url !== PATH || req.headers.upgrade?.toLowerCase() !== PROTOCOL) return NO_TOKEN;
    const token = tokenOf(req.headersDistinct.authorization);
    const held = token === null ? null : wall.grants.byToken(token);
    if (held === null) return NO_TOKEN;
    const { sandbox, run, tokenHash } = held.grant;
    let isFirst: boolean;
    try {
      isFirst = await o.addresses.claim(sandbox, tokenHash, req.socket.remoteAddress ?? "");
    } catch {
      return UNRECORDED;
    }
    if (!isFirst) {
      const line = { via: "door", host: "", port: 0, method: null, outcome: "deny", rule: null } as const;
      await record(wall, { kind: "egress", run, sandbox, ...line, reason: "token_origin" });
      return ELSEWHERE;
    }
    return (carried.get(sandbox) ?? 0) >= MOST_OF_ONE ? TOO_MANY : { sandbox };
  }

  function carry(sandbox: string, outer: Duplex, head: Buffer): void {
    carried.set(sandbox, (carried.get(sandbox) ?? 0) + 1);
    const inner = connect({ path: o.dataSocket, allowHalfOpen: true });
    inner.on("error", () => inner.destroy());
    inner.once("close", () => outer.destroy());
    outer.once("close", () => {
      inner.destroy();
      const left = (carried.get(sandbox) ?? 1) - 1;
      if (left === 0) carried.delete(sandbox);
      else carried.set(sandbox, left);
    });
    outer.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${PROTOCOL}\r\n\r\n`);
    inner.write(`COUNTERSIGN/1 ${sandbox}\n`);
    inner.write(head);
    outer.pipe(inner);
    inner.pipe(outer);
  }

  server.on("upgrade", (req, outer, head) => {
    outer.on("error", () => outer.destroy());
    admitted(req).then(
      (admission) => {
        if (outer.destroyed) return;
        if ("sandbox" in admission) return carry(admission.sandbox, outer, head);
        const { status, tell } = admission;
        const lines = [
          `HTTP/1.1 ${status} Refused`,
          `X-Countersign-Reason: ${tell}`,
          "Content-Length: 0",
          "Connection: close",
        ];
        outer.end([...lines, "", ""].join("\r\n"), () => outer.destroy());
      },
      () => outer.destroy(),
    );
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(o.door.listen, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
