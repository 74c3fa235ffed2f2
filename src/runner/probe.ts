import dgram from "node:dgram";
import dns from "node:dns";
import { readFileSync } from "node:fs";
import net from "node:net";
import type { Reply, Request } from "./protocol.ts";

const PATIENCE_MS = 1_000;

/** How the kernel says "there is no way there". Silence is not on the list: a packet that left is a packet that left. */
const NO_WAY = new Set([
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ECONNREFUSED",
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "EACCES",
  "EPERM",
  "ENETDOWN",
]);

type Attempt = Reply<"probe">[number];

/**
 * Tries every way out that needs no help from outside: addresses and names. The addresses are reserved for
 * documentation (RFC 5737, RFC 3849) and metadata: no route must lead there.
 */
export function probeAddresses(): Promise<Attempt[]> {
  return Promise.all([
    connecting("tcp 192.0.2.1:80", { host: "192.0.2.1", port: 80 }),
    connecting("tcp [2001:db8::1]:80", { host: "2001:db8::1", port: 80 }),
    connecting("tcp 169.254.169.254:80", { host: "169.254.169.254", port: 80 }),
    sending("udp 192.0.2.1:53", "udp4", "192.0.2.1"),
    naming(),
    Promise.resolve(interfaces()),
    Promise.resolve(otherSockets()),
  ]);
}

/** Adds what only the one who asks can set up: listeners on the host's loopback and among its abstract sockets. */
export async function probe(
  { canaryPort, canaryName }: Request<"probe">,
  addresses: Promise<Attempt[]>,
): Promise<Attempt[]> {
  const canaries = await Promise.all([
    connecting("the host's 127.0.0.1", { host: "127.0.0.1", port: canaryPort }),
    connecting("the host's abstract sockets", { path: `\0${canaryName}` }),
  ]);
  return [...(await addresses), ...canaries];
}

function connecting(attempt: string, to: net.TcpNetConnectOpts | net.IpcNetConnectOpts): Promise<Attempt> {
  return new Promise((resolve) => {
    const socket = net.connect(to);
    const say = (reached: boolean, detail: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ attempt, reached, detail });
    };
    const timer = setTimeout(() => say(true, "no answer, but nothing refused it"), PATIENCE_MS);
    socket.once("connect", () => say(true, "connected"));
    socket.once("error", (error) => {
      const code = (error as NodeJS.ErrnoException).code ?? error.message;
      say(!NO_WAY.has(code), code);
    });
  });
}

function sending(attempt: string, type: "udp4", host: string): Promise<Attempt> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(type);
    socket.send(Buffer.alloc(12), 53, host, (error) => {
      const code = error === null ? "sent" : ((error as NodeJS.ErrnoException).code ?? error.message);
      socket.close();
      resolve({ attempt, reached: !NO_WAY.has(code), detail: code });
    });
  });
}

/** A name that exists everywhere there is DNS. */
function naming(): Promise<Attempt> {
  const attempt = "the address of iana.org";
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ attempt, reached: true, detail: "still asking somebody" }), PATIENCE_MS);
    dns.lookup("iana.org", (error, address) => {
      clearTimeout(timer);
      resolve({ attempt, reached: error === null, detail: error === null ? address : (error.code ?? error.message) });
    });
  });
}

/** Kinds of socket that no network namespace holds: VM sockets, Bluetooth. Node opens none, so the filter is looked for. */
function otherSockets(): Attempt {
  const mode = /^Seccomp:\s*(\d)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return { attempt: "other kinds of sockets", reached: mode !== "2", detail: `seccomp mode ${mode ?? "unknown"}` };
}

function interfaces(): Attempt {
  const devices = readFileSync("/proc/net/dev", "utf8").trim().split("\n").slice(2);
  const others = devices.map((line) => line.split(":")[0]?.trim()).filter((name) => name !== "lo");
  const routes = readFileSync("/proc/net/route", "utf8").trim().split("\n").length - 1;
  const detail = `${routes} routes; interfaces beside lo: ${others.join(", ") || "none"}`;
  return { attempt: "any route", reached: others.length > 0 || routes > 0, detail };
}
