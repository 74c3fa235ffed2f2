import dgram from "node:dgram";
import dns from "node:dns";
import net from "node:net";
import tls from "node:tls";
import { connected } from "./tunnel.ts";

/** One try to get out, and what became of it. */
export interface Attempt {
  readonly attempt: string;
  readonly reached: boolean;
  readonly detail: string;
}

/** A firewall that drops says nothing: silence for so long is "not reached". */
const PATIENCE_MS = 4_000;
/** Names that everybody can reach where anybody can, and that no allow list of ours holds. */
const NAMES = ["example.com", "github.com"];
/** Public resolvers by their addresses: they answer on 53 and on 443. */
const ADDRESSES = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111"];
const METADATA = "169.254.169.254";

/**
 * Tries to get out of a hosted sandbox by every way that is not the gateway. There is a route and a firewall here, not a
 * bare kernel as in a local sandbox, so only an answer from outside counts as "reached": a proxy that takes a connection
 * and sends nothing through it has done its work. `proxy`: the platform's own, tried as well.
 */
export async function probeWaysOut(proxy: string | null): Promise<Attempt[]> {
  const ways = proxy === null ? [null] : [null, proxy];
  const all = [
    ...ways.flatMap((way) => NAMES.map((name) => overTls(name, name, way))),
    ...ways.flatMap((way) => NAMES.map((name) => overHttp(name, way))),
    ...ADDRESSES.map((address) => overTls(address, "one.one.one.one", null)),
    ...ADDRESSES.map((address) => overTcp(address, 53)),
    ...ADDRESSES.filter((address) => net.isIPv4(address)).map(asked),
    // A metadata service may want a token first (401).
    overHttp(METADATA, null, 402),
    ...NAMES.map(named),
  ];
  return await Promise.all(all);
}

/** A TLS handshake to its end, with whoever it is. An intercepting proxy that then refuses is not a way out. */
async function overTls(host: string, name: string, proxy: string | null): Promise<Attempt> {
  const attempt = `https://${net.isIPv6(host) ? `[${host}]` : host}${proxy === null ? "" : " by the platform's proxy"}`;
  return await outcome(attempt, async (done) => {
    const raw = await connected(proxy, host, 443);
    const socket = tls.connect({ socket: raw, servername: name, rejectUnauthorized: false });
    done.with(socket);
    socket.once("secureConnect", () => {
      if (socket.authorized) return done.reached("a certificate of its own");
      socket.once("data", (data: Buffer) => judged(data, done));
      socket.write(`HEAD / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    });
  });
}

async function overHttp(host: string, proxy: string | null, most = 399): Promise<Attempt> {
  return await outcome(`http://${host}${proxy === null ? "" : " by the platform's proxy"}`, async (done) => {
    const socket = await connected(proxy, host, 80);
    done.with(socket);
    socket.once("data", (data: Buffer) => judged(data, done, most));
    socket.write(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}

/** The refusal of a proxy is an answer too: statuses above `most` are taken for one. */
function judged(data: Buffer, done: Judge, most = 399): void {
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(data.toString("latin1"))?.[1] ?? 0);
  if (status >= 200 && status <= most) done.reached(`status ${status}`);
  else done.stopped(status === 0 ? "no HTTP" : `status ${status}`);
}

/** No proxy takes connections on this port, so one that stands is a way out. */
async function overTcp(host: string, port: number): Promise<Attempt> {
  return await outcome(`tcp ${host} ${port}`, async (done) => {
    done.with(await connected(null, host, port));
    done.reached("connected");
  });
}

/** Asks a public resolver for example.com: only its answer says that the question got there. */
function asked(host: string): Promise<Attempt> {
  return outcome(`udp ${host} 53`, (done) => {
    const socket = dgram.createSocket("udp4");
    done.with({ destroy: () => socket.close() });
    socket.once("message", () => done.reached("it answered"));
    socket.once("error", (error) => done.stopped(code(error)));
    // A question for the address (A, IN) of example.com, as RFC 1035 §4.1 writes it.
    const question = "000101000001000000000000" + "076578616d706c6503636f6d00" + "00010001";
    socket.send(Buffer.from(question, "hex"), 53, host, (error) => {
      if (error !== null) done.stopped(code(error));
    });
  });
}

/** Who can ask for any name can say anything to whoever answers for it. */
function named(host: string): Promise<Attempt> {
  return outcome(`the address of ${host}`, (done) => {
    dns.lookup(host, (error, address) => (error === null ? done.reached(address) : done.stopped(code(error))));
  });
}

interface Judge {
  reached(detail: string): void;
  stopped(detail: string): void;
  /** What is to be closed when it is over. */
  with(held: { destroy(): unknown }): void;
}

function outcome(attempt: string, go: (done: Judge) => unknown): Promise<Attempt> {
  return new Promise((resolve) => {
    let held: { destroy(): unknown } | null = null;
    let over = false;
    const say = (reached: boolean, detail: string) => {
      clearTimeout(timer);
      if (!over) held?.destroy();
      over = true;
      resolve({ attempt, reached, detail });
    };
    const timer = setTimeout(() => say(false, "silence"), PATIENCE_MS);
    const judge: Judge = {
      reached: (detail) => say(true, detail),
      stopped: (detail) => say(false, detail),
      with(one) {
        if (over) one.destroy();
        else held = one;
        if (one instanceof net.Socket) {
          one.on("error", (error) => say(false, code(error)));
          one.once("close", () => say(false, "closed"));
        }
      },
    };
    Promise.resolve()
      .then(() => go(judge))
      .catch((error: unknown) => say(false, code(error)));
  });
}

const code = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error));
