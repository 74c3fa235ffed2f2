import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, rootCertificates, TLSSocket } from "node:tls";
import { decideEgress, type EgressRule } from "#policy/egress.ts";
import type { CertificateAuthority } from "./ca.ts";
import type { Intercept } from "./connect.ts";
import { credentialFault, swapCredential } from "./credentials.ts";
import { type Denial, refuse, refuseRaw, why } from "./denial.ts";
import { dialVetted } from "./destination.ts";
import { carry, crossingHeaders } from "./forward.ts";
import { canonicalPath, isHost, PARSER_HEAD_BYTES, strictFault } from "./http-strict.ts";
import { admitCarrier, askedNote, countUpload, record, type Wall } from "./wall.ts";

type Tunnel = Parameters<Intercept>[0];

const HANDSHAKE_MS = 10_000;

/**
 * Ends TLS under the installation's CA and asks policy again for each request, now with method and path. HTTP/1.1 only;
 * Host, server name and authority are one; nothing that names a proxy or another protocol crosses.
 */
export function interceptor(wall: Wall, ca: CertificateAuthority): { intercept: Intercept; close(): void } {
  const tunnels = new WeakMap<object, Tunnel>();
  const http = createServer({
    maxHeaderSize: PARSER_HEAD_BYTES,
    requireHostHeader: false,
    keepAliveTimeout: 60_000,
    requestTimeout: 600_000,
  });

  const denyLine = async (tunnel: Tunnel, method: string | null, denial: Denial): Promise<Denial> => {
    const written = await recordRequest(wall, tunnel, method, {
      outcome: "deny",
      reason: denial.reason,
      rule: denial.rule,
    });
    return written ? denial : { status: 403, reason: "fail_closed", rule: null };
  };

  http.on("request", (req, res) => {
    const tunnel = tunnels.get(req.socket);
    if (!tunnel) return void res.destroy();
    serveOne(wall, tunnel, req, res).catch((error: unknown) => {
      process.emitWarning(`gateway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      refuse(res, { status: 500, reason: "internal", rule: null });
    });
  });
  http.on("connect", (_req, socket: Duplex) => {
    const tunnel = tunnels.get(socket);
    if (!tunnel) return void socket.destroy();
    void denyLine(tunnel, "CONNECT", { status: 403, reason: "method", rule: null }).then((denial) =>
      refuseRaw(socket, denial),
    );
  });
  http.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const tunnel = tunnels.get(socket);
    if (!tunnel || error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    const [status, reason] = error.code === "HPE_HEADER_OVERFLOW" ? [431, "limit"] : [400, "bad_request"];
    void denyLine(tunnel, null, { status, reason, rule: null }).then((denial) => refuseRaw(socket, denial));
  });

  return {
    intercept(tunnel) {
      const secure = new TLSSocket(tunnel.socket, {
        isServer: true,
        secureContext: ca.contextFor(tunnel.host),
        ALPNProtocols: ["http/1.1"],
      });
      const destination = { host: tunnel.host, port: tunnel.port };
      const cut = () => {
        secure.destroy();
        tunnel.socket.destroy();
      };
      const late = setTimeout(cut, HANDSHAKE_MS);
      const remove = wall.connections.add({ sandbox: tunnel.grant.sandbox, destination, cut });
      secure.once("secure", () => clearTimeout(late));
      // The client may not trust our CA (a pinned client): it says so by leaving.
      secure.on("error", cut);
      secure.once("close", () => {
        clearTimeout(late);
        remove();
      });
      tunnels.set(secure, tunnel);
      http.emit("connection", secure);
    },
    close: () => void http.close(),
  };
}

async function serveOne(wall: Wall, tunnel: Tunnel, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { host, port } = tunnel;
  const method = req.method ?? "";
  const deny = async (denial: Denial) => {
    const written = await recordRequest(wall, tunnel, method, {
      outcome: "deny",
      reason: denial.reason,
      rule: denial.rule,
    });
    refuse(res, written ? denial : { status: 403, reason: "fail_closed", rule: null });
  };
  const admission = admitCarrier(wall, tunnel.grant.sandbox);
  if (!admission.ok) return await deny({ status: 403, reason: admission.reason, rule: null });
  const { grant } = admission;
  const fault = strictFault(req);
  if (fault) return await deny(fault);
  const target = req.url ?? "";
  if (!target.startsWith("/")) return await deny({ status: 400, reason: "host_mismatch", rule: null });
  if (!isHost(req.headers.host, host, port, 443))
    return await deny({ status: 421, reason: "host_mismatch", rule: null });
  // The connection may be older than the grant: what was asked for a while is over, or was taken away.
  const still = decideEgress(grant.egress, { host, port, method: null, path: null });
  if (still.outcome === "deny") return await deny({ status: 403, reason: still.reason, rule: still.rule?.at ?? null });
  const byCredential = credentialFault(grant, host, port, req);
  if (byCredential) return await deny(byCredential);
  const path = canonicalPath(target);
  if (path === null) return await deny({ status: 400, reason: "path", rule: null });
  const decision = decideEgress(grant.egress, { host, port, method, path });
  if (decision.outcome === "deny") {
    const note = askedNote(grant, { host, port, method, path });
    const rule = decision.rule?.at ?? null;
    const plain = { status: 403, reason: decision.reason, rule, ...note, ...why(decision.rule) };
    return await deny({ ...plain, ...forgeReason(method, path) });
  }
  const { rule } = decision;
  const length = Number(req.headers["content-length"] ?? 0);
  if (rule.maxBodyBytes !== null && length > rule.maxBodyBytes) {
    return await deny({ status: 413, reason: "limit", rule: rule.rule.at });
  }
  await forward(wall, { ...tunnel, grant }, rule, req, res, deny);
}

/** A forge's two doors to every repository, refused like any path, have words of their own: there is another way. */
function forgeReason(method: string, path: string): { readonly reason?: string } {
  const [name = ""] = path.split("?");
  if (method !== "POST") return {};
  if (name === "/graphql" || name === "/api/graphql") return { reason: "graphql" };
  return name.endsWith("/git-receive-pack") ? { reason: "use_git_relay" } : {};
}

async function forward(
  wall: Wall,
  tunnel: Tunnel,
  rule: EgressRule,
  req: IncomingMessage,
  res: ServerResponse,
  deny: (denial: Denial) => Promise<void>,
): Promise<void> {
  const { host, port, grant } = tunnel;
  const swapped = await swapCredential(wall, grant, rule, crossingHeaders(req));
  if (!swapped) return await deny({ status: 502, reason: "secret", rule: rule.rule.at });
  const raw = await dialVetted(wall, tunnel.addresses, port);
  if (!raw) return await deny({ status: 502, reason: "unreachable", rule: rule.rule.at });
  const upstream = await secureUpstream(wall, raw, host);
  if (!upstream) {
    raw.destroy();
    return await deny({ status: 502, reason: "upstream_cert", rule: rule.rule.at });
  }
  try {
    const ruling = { outcome: "allow", reason: "rule", rule: rule.rule.at } as const;
    if (!(await recordRequest(wall, tunnel, req.method ?? "", ruling))) {
      return refuse(res, { status: 403, reason: "fail_closed", rule: null });
    }
    const hostHeader = port === 443 ? host : `${host}:${port}`;
    const count = (bytes: number) => countUpload(wall, grant, bytes);
    const { maxBodyBytes } = rule;
    await carry({ req, res, upstream, host: hostHeader, ...swapped, maxBodyBytes, countUpload: count });
  } finally {
    upstream.destroy();
  }
}

/** TLS to the vetted address, its certificate verified for `host`. `null`: not valid, or no TLS 1.2. */
function secureUpstream(wall: Wall, raw: Duplex, host: string): Promise<TLSSocket | null> {
  return new Promise((resolve) => {
    const socket = connectTls({
      socket: raw as Socket,
      servername: host,
      ALPNProtocols: ["http/1.1"],
      minVersion: "TLSv1.2",
      ...(wall.world.trust.length > 0 ? { ca: [...rootCertificates, ...wall.world.trust] } : {}),
    });
    raw.on("error", () => socket.destroy());
    const timer = setTimeout(() => socket.destroy(new Error("the handshake takes too long")), HANDSHAKE_MS);
    socket.once("error", () => resolve(null));
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(null);
    });
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.on("error", () => undefined);
      resolve(socket);
    });
  });
}

function recordRequest(
  wall: Wall,
  tunnel: Tunnel,
  method: string | null,
  ruling: { outcome: "allow" | "deny"; reason: string; rule: string | null },
): Promise<boolean> {
  const { host, port, grant } = tunnel;
  return record(wall, {
    kind: "egress",
    via: "http",
    host,
    port,
    method,
    run: grant.run,
    sandbox: grant.sandbox,
    ...ruling,
  });
}
