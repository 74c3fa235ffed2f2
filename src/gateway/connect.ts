import type { Socket } from "node:net";
import { decideEgress, type EgressRule } from "#policy/egress.ts";
import type { Grant } from "#ports/gateway.ts";
import { type Authority, parseAuthority, parseHost } from "./authority.ts";
import { HELLO_BYTES, type Hello, readClientHello } from "./client-hello.ts";
import { type Denial, refuseRaw, why } from "./denial.ts";
import { dialVetted, vet } from "./destination.ts";
import { type ConnectHead, gather } from "./head.ts";
import { relay } from "./relay.ts";
import { tokenOf } from "./token.ts";
import { admit, askedNote, inForce, record, type Wall } from "./wall.ts";

/** Ends TLS for an intercepted destination and serves what comes through it. Owns the socket from then on. */
export type Intercept = (tunnel: {
  readonly grant: Grant;
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly socket: Socket;
}) => void;

const BAD_AUTHORITY: Authority = { kind: "bad" };

interface Asked {
  readonly host: string;
  readonly port: number;
  readonly run: string | null;
  readonly sandbox: string | null;
}

/** How a client's protocol says yes and no. */
export interface Dialect {
  open(socket: Socket): void;
  refuse(socket: Socket, denial: Denial): void;
}

/** A way out that was asked for, in whatever protocol. */
export interface TunnelRequest {
  readonly socket: Socket;
  readonly carrier: string | null;
  readonly token: string | null;
  readonly authority: Authority;
  /** Why the protocol's own part is refused, once it is known who asks; `null`: it is in order. */
  readonly fault: string | null;
  /** What the client sent behind its request. */
  readonly rest: Buffer;
  readonly dialect: Dialect;
}

const HTTP: Dialect = {
  open: (socket) => void socket.write("HTTP/1.1 200 Connection Established\r\n\r\n"),
  refuse: refuseRaw,
};

/** One CONNECT of HTTP. */
export async function handleConnect(
  wall: Wall,
  intercept: Intercept,
  connection: { socket: Socket; carrier: string | null; head: ConnectHead; rest: Buffer },
): Promise<void> {
  const { head, ...from } = connection;
  const authority = head.authority === null || head.malformed ? BAD_AUTHORITY : parseAuthority(head.authority);
  const token = tokenOf(head.headers.get("proxy-authorization"));
  await openTunnelTo(wall, intercept, { ...from, token, authority, fault: null, dialect: HTTP });
}

/**
 * One way out, in this order: who, where to (bytes), may it (policy), what address (asked once), then the yes, what the
 * client really wants (its ClientHello), the dial, the audit line, and only then the first byte upstream.
 */
export async function openTunnelTo(wall: Wall, intercept: Intercept, request: TunnelRequest): Promise<void> {
  const { socket, carrier, authority, dialect, rest } = request;
  const named = authority.kind === "bad" ? { host: "", port: 0 } : authority;
  const admission = admit(wall, request.token, carrier);
  const refuse = (denial: Denial) => dialect.refuse(socket, denial);
  const deny = (asked: Asked, denial: Denial) => denyTunnel(wall, refuse, asked, denial);
  if (!admission.ok) {
    const status = admission.reason === "no_run" || admission.reason === "run_over" ? 407 : 403;
    const asked = { host: named.host, port: named.port, run: admission.run, sandbox: admission.sandbox };
    return await deny(asked, { status, reason: admission.reason, rule: null });
  }
  const { grant } = admission;
  const asked: Asked = { host: named.host, port: named.port, run: grant.run, sandbox: grant.sandbox };
  if (request.fault !== null) return await deny(asked, { status: 400, reason: request.fault, rule: null });
  if (authority.kind === "bad") return await deny(asked, { status: 400, reason: "bad_authority", rule: null });
  if (authority.kind === "ip") return await deny(asked, { status: 403, reason: "ip_literal", rule: null });

  const decision = decideEgress(grant.egress, { host: authority.host, port: authority.port, method: null, path: null });
  if (decision.outcome === "deny") {
    const rule = decision.rule?.at ?? null;
    const note = askedNote(grant, { host: authority.host, port: authority.port, method: null, path: null });
    return await deny(asked, { status: 403, reason: decision.reason, rule, ...note, ...why(decision.rule) });
  }
  const { rule } = decision;
  const vetted = await vet(wall, authority.host, rule);
  if (!vetted.ok) {
    const status = vetted.reason === "dns" ? 502 : 403;
    return await deny(asked, { status, reason: vetted.reason, rule: rule.rule.at });
  }

  if (wall.connections.of(grant.sandbox).length >= wall.world.limits.connections) {
    return await deny(asked, { status: 403, reason: "connections", rule: null });
  }
  dialect.open(socket);
  const { hello, bytes } = await readHello(socket, rest, wall.world.limits.helloMs);
  const fault = typeof hello === "string" ? hello : helloFault(hello, authority.host);
  if (fault !== null) {
    await recordConnect(wall, asked, { outcome: "deny", reason: fault, rule: rule.rule.at });
    return cutWithAlert(socket);
  }
  socket.unshift(bytes);
  if (rule.mode === "intercept") {
    const written = await recordConnect(wall, asked, { outcome: "allow", reason: "rule", rule: rule.rule.at });
    if (!written) return cutWithAlert(socket);
    return intercept({ grant, host: authority.host, port: authority.port, addresses: vetted.addresses, socket });
  }
  await openTunnel(wall, { socket, grant, rule, asked, addresses: vetted.addresses });
}

async function openTunnel(
  wall: Wall,
  tunnel: { socket: Socket; grant: Grant; rule: EgressRule; asked: Asked; addresses: readonly string[] },
): Promise<void> {
  const { socket, grant, rule, asked } = tunnel;
  const upstream = await dialVetted(wall, tunnel.addresses, asked.port);
  if (upstream === null) {
    await recordConnect(wall, asked, { outcome: "deny", reason: "unreachable", rule: rule.rule.at });
    return cutWithAlert(socket);
  }
  const written = await recordConnect(wall, asked, { outcome: "allow", reason: "rule", rule: rule.rule.at });
  // The grant may have gone or been narrowed while the client dawdled over its hello.
  const now = wall.grants.bySandbox(grant.sandbox);
  const request = { host: asked.host, port: asked.port, method: null, path: null };
  const egress = now === null || now.revoked ? [] : inForce(now.grant, wall.world.now()).egress;
  const stands = decideEgress(egress, request).outcome === "allow";
  if (!written || !stands) {
    upstream.destroy();
    return cutWithAlert(socket);
  }
  relay(wall, { client: socket, upstream, grant, host: asked.host, port: asked.port, rule: rule.rule.at });
}

async function readHello(
  socket: Socket,
  rest: Buffer,
  deadlineMs: number,
): Promise<{ hello: Hello | "handshake_timeout" | "client_left"; bytes: Buffer }> {
  let bytes = rest;
  const judge = () => {
    const hello = readClientHello(bytes);
    if (hello.kind !== "more") return { hello, bytes };
    return bytes.length > HELLO_BYTES ? { hello: { kind: "bad" } as const, bytes } : null;
  };
  const early = judge();
  if (early) return early;
  const step = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    return judge();
  };
  return await gather<{ hello: Hello | "handshake_timeout" | "client_left"; bytes: Buffer }>(
    socket,
    deadlineMs,
    step,
    (how) => ({ hello: how === "late" ? "handshake_timeout" : "client_left", bytes }),
  );
}

/** Why a hello may not go to `host`; `null` when it may. */
function helloFault(hello: Hello, host: string): string | null {
  if (hello.kind === "not_tls") return "not_tls";
  if (hello.kind !== "hello") return "bad_hello";
  if (hello.serverName === null) return "no_sni";
  if (parseHost(hello.serverName)?.host !== host) return "sni_mismatch";
  return hello.tls12 ? null : "tls_version";
}

/** Writes the line, then refuses in the client's words. What cannot be recorded is refused as that. */
export async function denyTunnel(
  wall: Wall,
  refuse: (denial: Denial) => void,
  asked: Asked,
  denial: Denial,
): Promise<void> {
  const written = await recordConnect(wall, asked, { outcome: "deny", reason: denial.reason, rule: denial.rule });
  refuse(written ? denial : { status: 403, reason: "fail_closed", rule: null });
}

function recordConnect(
  wall: Wall,
  asked: Asked,
  ruling: { outcome: "allow" | "deny"; reason: string; rule: string | null },
): Promise<boolean> {
  return record(wall, { kind: "egress", via: "connect", method: null, ...asked, ...ruling });
}

/** Fatal alert 49, access_denied: a TLS client then says so instead of "connection reset". */
function cutWithAlert(socket: Socket): void {
  socket.end(Buffer.from([21, 3, 3, 0, 2, 2, 49]), () => socket.destroy());
}
