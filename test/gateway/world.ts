import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer as createHttp, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { type CertificateAuthority, openAuthority } from "#gateway/ca.ts";
import { gatewayClient } from "#gateway/client.ts";
import { type RunningGateway, startGateway } from "#gateway/serve.ts";
import { type GatewayConfig, LIMITS, type Limits } from "#gateway/settings.ts";
import type { AuditLine, Gateway } from "#ports/gateway.ts";

export const PUBLIC_IP = "203.0.113.10";
export const SELF_IP = "198.51.100.77";

/** What reached the recording origin. */
export interface OriginRequest {
  readonly host: string;
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** A real gateway on real sockets, with names, addresses and origins that the test holds. */
export interface World {
  readonly gateway: RunningGateway;
  readonly client: Gateway;
  readonly stateDir: string;
  /** Dials made by the gateway, in order. */
  readonly dials: { address: string; port: number }[];
  readonly lookups: string[];
  readonly requests: OriginRequest[];
  /** Answers of the fake resolver; one list, or one list per lookup. Default: PUBLIC_IP. */
  readonly dns: Map<string, readonly (readonly string[])[]>;
  /** Whether origins show a certificate that nobody signed for. */
  selfSigned: boolean;
  /** A connection from a sandbox, as its supervisor carries it; `null`: without the preamble. */
  open(sandbox: string | null): Promise<Socket>;
  /** A TCP port that carries to the gateway for one sandbox, for programs such as git. */
  carry(sandbox: string): Promise<{ port: number; close(): Promise<void> }>;
  auditOf(sandbox: string): Promise<AuditLine[]>;
  auditText(): Promise<string>;
  reset(): void;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly limits?: Partial<Limits>;
  readonly config?: Partial<GatewayConfig>;
  readonly now?: () => number;
  /** Runs before the gateway starts, with its folder. */
  readonly before?: (stateDir: string) => Promise<void>;
  readonly origin?: RequestListener;
}

export async function makeWorld(o: WorldOptions = {}): Promise<World> {
  const root = await mkdtemp(path.join(tmpdir(), "cs-gw-"));
  const stateDir = path.join(root, "s");
  await mkdir(stateDir, { mode: 0o700 });
  await mkdir(path.join(root, "good"));
  await mkdir(path.join(root, "bad"));
  await o.before?.(stateDir);
  const good = await openAuthority(path.join(root, "good"), Date.now);
  const bad = await openAuthority(path.join(root, "bad"), Date.now);
  const requests: OriginRequest[] = [];
  const dials: { address: string; port: number }[] = [];
  const lookups: string[] = [];
  const dns = new Map<string, readonly (readonly string[])[]>();
  const state = { selfSigned: false };
  const origins = await startOrigins(requests, () => (state.selfSigned ? bad : good), o.origin);

  // Nobody renews the lease here, and a busy machine needs minutes for a file. Who brings a clock, minds the time.
  const patience = o.now === undefined ? { leaseMs: 600_000 } : {};
  const gateway = await startGateway(
    {
      stateDir,
      models: { openai: null, anthropic: null },
      registry: null,
      selfAddresses: [SELF_IP],
      ...patience,
      ...o.config,
    },
    {
      async resolve(host) {
        const answers = dns.get(host) ?? [[PUBLIC_IP]];
        const nth = lookups.filter((each) => each === host).length;
        lookups.push(host);
        return (answers[Math.min(nth, answers.length - 1)] ?? []).map((each) => (each === "@gateway" ? SELF_IP : each));
      },
      async dial(address, port) {
        dials.push({ address, port });
        const socket = connect({
          host: "127.0.0.1",
          port: port === 80 ? origins.plain : origins.tls,
          allowHalfOpen: true,
        });
        await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
        return socket;
      },
      limits: { ...LIMITS, ...o.limits },
      trust: [good.certificate],
      ...(o.now ? { now: o.now } : {}),
    },
  );
  const client = gatewayClient(gateway);
  const carriers = new Set<() => Promise<void>>();

  const open = async (sandbox: string | null) => {
    const socket = connect({ path: gateway.dataSocket, allowHalfOpen: true });
    socket.on("error", () => socket.destroy());
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    if (sandbox !== null) socket.write(`COUNTERSIGN/1 ${sandbox}\n`);
    return socket;
  };
  /** All of it that is kept, oldest first. */
  const journal = async () => {
    const rolled = (await readdir(stateDir)).filter((name) => /^audit-\d+\.jsonl$/.test(name)).sort();
    const files = [...rolled, "audit.jsonl"].map((name) => readFile(path.join(stateDir, name), "utf8"));
    return (await Promise.all(files)).join("");
  };
  return {
    gateway,
    client,
    stateDir,
    dials,
    lookups,
    requests,
    dns,
    get selfSigned() {
      return state.selfSigned;
    },
    set selfSigned(value: boolean) {
      state.selfSigned = value;
    },
    open,
    async carry(sandbox) {
      const server = createServer({ allowHalfOpen: true }, (inside) => {
        inside.on("error", () => inside.destroy());
        void open(sandbox).then((outside) => {
          inside.pipe(outside).pipe(inside);
          inside.once("close", () => outside.destroy());
          outside.once("close", () => inside.destroy());
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const close = () => new Promise<void>((resolve) => void server.close(() => resolve()));
      carriers.add(close);
      return { port: (server.address() as AddressInfo).port, close };
    },
    auditText: journal,
    async auditOf(sandbox) {
      const lines = (await journal()).split("\n").filter(Boolean);
      return lines.map((line) => JSON.parse(line) as AuditLine).filter((line) => line.sandbox === sandbox);
    },
    reset() {
      requests.length = 0;
      dials.length = 0;
      lookups.length = 0;
      dns.clear();
      state.selfSigned = false;
    },
    async close() {
      await gateway.close();
      for (const close of carriers) await close();
      await origins.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function startOrigins(
  requests: OriginRequest[],
  authority: () => CertificateAuthority,
  handler: RequestListener | undefined,
): Promise<{ plain: number; tls: number; close(): Promise<void> }> {
  const listener: RequestListener = (req, res) => {
    void bodyOf(req).then((body) => {
      const { method = "", url = "", rawHeaders } = req;
      requests.push({ host: req.headers.host ?? "", method, url, rawHeaders, body });
      if (handler) return handler(req, res);
      const answer = url.startsWith("/v1/echo") ? JSON.stringify({ headers: rawHeaders, body }) : "ok";
      const headers = { "content-length": Buffer.byteLength(answer) };
      if (url.startsWith("/v1/redirect-denied")) res.writeHead(302, { location: "https://denied.test/", ...headers });
      else res.writeHead(200, headers);
      res.end(answer);
    });
  };
  const plain = createHttp(listener);
  const tls = createHttps({ SNICallback: (name, done) => done(null, authority().contextFor(name)) }, listener);
  const ports: number[] = [];
  for (const server of [plain, tls] as Server[]) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ports.push((server.address() as AddressInfo).port);
  }
  return {
    plain: ports[0] ?? 0,
    tls: ports[1] ?? 0,
    async close() {
      for (const server of [plain, tls] as Server[]) {
        server.closeAllConnections();
        await new Promise<void>((resolve) => void server.close(() => resolve()));
      }
    },
  };
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

/** The audit lines of a run until `last` says that all is there. */
export async function linesUntil(
  world: World,
  run: string,
  last: (lines: readonly AuditLine[]) => boolean,
): Promise<AuditLine[]> {
  const stop = new AbortController();
  const lines: AuditLine[] = [];
  for await (const { line } of world.client.audit(0, stop.signal)) {
    if (line.run === run) lines.push(line);
    if (last(lines)) break;
  }
  stop.abort();
  return lines;
}
