import net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";

/** How a connection gets from inside the sandbox to the gateway's public door. */
export interface Way {
  /** "https://host[:port]". */
  readonly url: string;
  readonly token: string | null;
  /** PEM, trusted beside the well-known authorities. */
  readonly authority: string | null;
  /** "http://host:port" of a proxy that the platform puts in front of every connection; `null`: there is none. */
  readonly proxy: string | null;
}

/** What is asked of the door, and what it opens. The gateway's side is `gateway/public-door.ts`. */
export const DOOR = { path: "/sandbox", protocol: "countersign/1" } as const;

const PATIENCE_MS = 10_000;
const HEAD_BYTES = 16_384;

/** The other side answered, and not with an open door. `status`: its HTTP status. */
export class DoorShut extends Error {
  override readonly name = "DoorShut";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** One connection to the gateway, ready for a process's bytes. Throws `DoorShut`, or why there is no connection. */
export async function throughDoor(way: Way): Promise<Duplex> {
  const { hostname, port, host } = new URL(way.url);
  const raw = await connected(way.proxy, hostname, Number(port || 443));
  try {
    const secure = await secured(raw, hostname, way.authority);
    const head = [
      `GET ${DOOR.path} HTTP/1.1`,
      `Host: ${host}`,
      "Connection: Upgrade",
      `Upgrade: ${DOOR.protocol}`,
      ...(way.token === null ? [] : [`Authorization: Bearer ${way.token}`]),
    ];
    const { status, words } = await asked(secure, head);
    if (status === 101) return secure;
    throw new DoorShut(status, `${host} answered ${status}${words === "" ? "" : ` (${words})`}`);
  } catch (error) {
    raw.destroy();
    throw error;
  }
}

/** A connection to `host`, by way of the platform's proxy where there is one. */
export async function connected(proxy: string | null, host: string, port: number): Promise<net.Socket> {
  if (proxy === null) return await dialled(host, port);
  const { hostname, port: own } = new URL(proxy);
  const socket = await dialled(hostname, Number(own || 80));
  try {
    const { status } = await asked(socket, [`CONNECT ${host}:${port} HTTP/1.1`, `Host: ${host}:${port}`]);
    if (status !== 200) throw new Error(`the platform's proxy answered ${status} for ${host}:${port}`);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function dialled(host: string, port: number): Promise<net.Socket> {
  return settled((resolve) => {
    const socket = net.connect({ host: host.replace(/^\[|\]$/g, ""), port, allowHalfOpen: true, noDelay: true });
    socket.once("connect", () => resolve(socket));
    return socket;
  });
}

function secured(raw: net.Socket, host: string, authority: string | null): Promise<tls.TLSSocket> {
  return settled((resolve) => {
    const named = net.isIP(host) === 0 ? { servername: host } : {};
    const ca = authority === null ? {} : { ca: [...tls.rootCertificates, authority] };
    const socket = tls.connect({ socket: raw, ALPNProtocols: ["http/1.1"], ...named, ...ca });
    socket.once("secureConnect", () => resolve(socket));
    return socket;
  });
}

/** Sends the head of a request and reads the answer's; what follows it stays in the socket. */
function asked(socket: net.Socket, lines: readonly string[]): Promise<{ status: number; words: string }> {
  return settled((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf("\r\n\r\n");
      if (end < 0) {
        if (seen.length > HEAD_BYTES) reject(new Error("the answer has no end"));
        return;
      }
      socket.off("data", take).pause();
      const head = seen.subarray(0, end).toString("latin1");
      const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
      const rest = seen.subarray(end + 4);
      if (status === 0) return reject(new Error("what answers there does not speak HTTP"));
      if (rest.length > 0) socket.unshift(rest);
      resolve({ status, words: /^x-countersign-reason: *([^\r\n]{1,200})/im.exec(head)?.[1] ?? "" });
    };
    socket.on("data", take);
    socket.write([...lines, "", ""].join("\r\n"));
    return socket;
  });
}

/** What `begin` resolves with, or the first thing that goes wrong with the socket it returns, or too long a wait. */
function settled<T>(begin: (resolve: (value: T) => void, reject: (error: Error) => void) => net.Socket): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      socket.off("error", failed).off("close", closed).off("end", closed);
      // A socket without a listener would end the process with its next error.
      socket.on("error", () => socket.destroy());
      settle();
    };
    const failed = (error: Error) => finish(() => reject(error));
    const closed = () => finish(() => reject(new Error("the connection was closed")));
    const timer = setTimeout(() => {
      socket.destroy();
      finish(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)));
    }, PATIENCE_MS);
    const socket = begin(
      (value) => finish(() => resolve(value)),
      (error) => {
        socket.destroy();
        finish(() => reject(error));
      },
    );
    socket.once("error", failed).once("close", closed).once("end", closed);
  });
}
