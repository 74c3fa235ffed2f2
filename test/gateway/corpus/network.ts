import { INCIDENTS } from "#gateway/denial.ts";
import type { EgressRule } from "#policy/egress.ts";
import type { AuditLine } from "#ports/gateway.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { askConnect, basic, clientHello, readAll, readAnswers, startTls } from "#test/gateway/wire.ts";
import type { World } from "#test/gateway/world.ts";
import type { CorpusCase } from "./cases.ts";
import { decisionIn, expandBase64, type Outcome } from "./outcome.ts";

/** Tries a network case on a fresh sandbox of its own: real sockets, a real ClientHello, a recording origin. */
export async function tryNetwork(world: World, rules: readonly EgressRule[], each: CorpusCase): Promise<Outcome> {
  world.reset();
  const sandbox = `sb-${each.id}`;
  const run = `run-${each.id}`;
  const token = `token-${each.id}`;
  const egress = each.expect.policy === "empty" ? [] : rules;
  const expired = each.input.proxy_authorization === "expired";
  const expiresAt = new Date(Date.now() + (expired ? -1_000 : 3_600_000)).toISOString();
  const secrets = [{ name: "corpus", placeholderHash: hashOf("OPAQUE") }];
  await world.client.grant(bareGrant({ sandbox, run, tokenHash: hashOf(token), egress, expiresAt, secrets }));
  await world.client.grant(
    bareGrant({ sandbox: `${sandbox}-other`, run: `${run}-other`, tokenHash: hashOf("other-token"), egress }),
  );
  if (each.input.proxy_authorization === "finished") await world.client.revoke(sandbox);
  const { dns, authority = "" } = each.input;
  const host = authority.slice(0, authority.lastIndexOf(":")).toLowerCase().replace(/\.$/, "");
  if (dns) world.dns.set(host, dns.map((entry) => (typeof entry === "string" ? dns : entry)) as string[][]);
  world.selfSigned = each.input.origin_cert === "self-signed";

  const authorization = credential(each, token);
  const seen = await drive(world, each, { sandbox, host, authorization });
  const lines = await world.auditOf(sandbox);
  return {
    ...decisionIn(lines, run),
    upstreamConnects: world.dials.length,
    upstreamRequests: world.requests.length,
    resolverCalls: world.lookups.length,
    dialled: world.dials[0]?.address ?? null,
    upstreamHeaders: headersAt(world),
    upstreamBytes: world.requests.map((request) => `${request.url}\n${request.body}`).join("\n"),
    secretSentUpstream: world.requests.some((request) => request.rawHeaders.join("\n").includes("REAL")),
    alert: lines.some((line) => line.kind === "egress" && INCIDENTS.has(line.reason)),
    logBytes: await world.auditText(),
    first: firstOutcome(lines),
    followed: world.requests.length > 1,
    ...seen,
  };
}

function credential(each: CorpusCase, token: string): string | null {
  const given = each.input.proxy_authorization;
  if (given === null) return null;
  if (given === undefined || given === "expired" || given === "finished") return basic(token);
  return given === "other-sandbox" ? basic("other-token") : given;
}

function headersAt(world: World): string[] {
  const raw = world.requests.at(-1)?.rawHeaders ?? [];
  return raw.flatMap((name, i) => (i % 2 === 0 ? [`${name.toLowerCase()}: ${raw[i + 1]}`] : []));
}

function firstOutcome(lines: readonly AuditLine[]): "allow" | "deny" {
  // Pipelined requests are decided side by side: the log's order is not the requests'.
  return lines.some((line) => line.kind === "egress" && line.via === "http" && line.outcome === "allow")
    ? "allow"
    : "deny";
}

interface Client {
  readonly sandbox: string;
  readonly host: string;
  readonly authorization: string | null;
}

async function drive(world: World, each: CorpusCase, client: Client): Promise<Partial<Outcome>> {
  const socket = await world.open(client.sandbox);
  try {
    if (each.via === "absolute" || each.via === "raw") {
      const auth = `Proxy-Authorization: ${client.authorization}\n`;
      const text = (each.input.request ?? "").replace("\n", `\n${auth}`);
      socket.write(wireText(text));
      const [answer] = await readAnswers(socket);
      return { status: answer?.status ?? null, clientBytes: answer?.body ?? "" };
    }
    if (each.via === "socks5") {
      socket.write(socksText(each.input.socks5 ?? "", `token-${each.id}`));
      const answer = await readAll(socket);
      // Greeting and password are accepted, the request is not.
      const refused = answer.length === 14 && answer[5] !== 0;
      return refused ? {} : { faults: [`answered ${answer.toString("hex")}`] };
    }
    const answer = await askConnect(socket, each.input.authority ?? "", client.authorization);
    if (answer?.status !== 200) return { status: answer?.status ?? null };
    if (each.via === "connect+tls+http") return await insideTls(world, each, client, socket);
    const sni = each.input.sni === undefined ? client.host : each.input.sni;
    const payload = each.input.payload === undefined ? await clientHello(sni) : Buffer.from(each.input.payload);
    return { status: 200, ...(await insideTunnel(world, each, client, socket, payload)) };
  } finally {
    socket.destroy();
  }
}

/** "DOMAINNAME name", "IPV4 address" or "UDP ASSOCIATE", to port 443, with the run token as the password. */
function socksText(request: string, token: string): Buffer {
  const [what = "", given = ""] = request.split(" ");
  const name = Buffer.from(given.replaceAll("\\x00", "\0"), "latin1");
  const address = Buffer.from(what === "IPV4" ? given.split(".").map(Number) : [0, 0, 0, 0]);
  const whom =
    what === "DOMAINNAME"
      ? Buffer.concat([Buffer.from([3, name.length]), name])
      : Buffer.concat([Buffer.from([1]), address]);
  const password = Buffer.concat([
    Buffer.from([1, 3]),
    Buffer.from("run"),
    Buffer.from([token.length]),
    Buffer.from(token),
  ]);
  const command = what === "UDP" ? 3 : 1;
  return Buffer.concat([Buffer.from([5, 1, 2]), password, Buffer.from([5, command, 0]), whom, Buffer.from([1, 187])]);
}

async function insideTunnel(
  world: World,
  each: CorpusCase,
  client: Client,
  socket: Awaited<ReturnType<World["open"]>>,
  payload: Buffer,
): Promise<Partial<Outcome>> {
  if (each.input.trickle_ms !== undefined) {
    socket.write(payload.subarray(0, 20));
    await readAll(socket);
    return {};
  }
  let at = 0;
  for (const next of each.input.split ?? []) {
    // A segment of its own: written only when the one before has left this process.
    await new Promise((resolve) => socket.write(payload.subarray(at, next), resolve));
    at = next;
  }
  socket.write(payload.subarray(at));
  const first = await new Promise<Buffer>((resolve) => {
    socket.once("data", resolve).once("close", () => resolve(Buffer.alloc(0)));
    socket.resume();
  });
  const answered = first[0] === 22;
  if (each.input.event !== "cancel run after 1 s")
    return answered || each.expect.decision === "deny" ? {} : { faults: ["no TLS answer"] };
  const closed = readAll(socket).then(() => true);
  await world.client.revoke(client.sandbox);
  return { closed: answered && (await closed) };
}

async function insideTls(
  world: World,
  each: CorpusCase,
  client: Client,
  socket: Awaited<ReturnType<World["open"]>>,
): Promise<Partial<Outcome>> {
  const secure = await startTls(socket, each.input.sni ?? client.host, await world.client.certificate());
  if (!secure) return { faults: ["the TLS handshake failed"] };
  secure.on("error", () => secure.destroy());
  const text = wireText(each.input.request ?? "", client.host);
  secure.write(text);
  const answers = await readAnswers(secure, each.expect.upstream_requests === undefined ? 1 : 2);
  const last = answers.at(-1);
  const clientBytes = answers.map((answer) => JSON.stringify(answer)).join("\n");
  secure.destroy();
  return { status: last?.status ?? null, clientBytes, ...(await tryThen(world, each, client)) };
}

/** A redirect is the client's to follow, through the gateway again. */
async function tryThen(world: World, each: CorpusCase, client: Client): Promise<Partial<Outcome>> {
  if (!each.expect.then) return {};
  const before = world.requests.length;
  const sandbox = `${client.sandbox}-other`;
  const socket = await world.open(sandbox);
  const answer = await askConnect(socket, each.expect.then.authority, basic("other-token"));
  socket.destroy();
  return { redirected: answer?.status === 200 ? "allow" : "deny", followed: world.requests.length !== before };
}

/** The corpus writes requests short; this is what goes onto the wire. */
export function wireText(request: string, host = ""): Buffer {
  const filled = expandBase64(request).replace("<70 KB>", "a".repeat(70_000)).replace("<64 KB>", "a".repeat(64_000));
  if (/ HTTP\/\d/.test(filled) && filled.includes("\n")) {
    const [head = "", body = ""] = splitOnce(filled, "\n\n");
    const withLength = body !== "" && !/content-length|transfer-encoding/i.test(head) && !/^(GET|PRI) /.test(head);
    const length = withLength ? `\nContent-Length: ${Buffer.byteLength(body)}` : "";
    return Buffer.from(`${head}${length}\n\n${body}`.replaceAll("\n", "\r\n"), "latin1");
  }
  if (filled.includes("<max_upload + 1 bytes>")) {
    return Buffer.from(
      `POST /upload HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1000001\r\n\r\n${"a".repeat(1_000_001)}`,
    );
  }
  const [method = "", path = "", ...rest] = filled.split(" ");
  const extra = rest.join(" ");
  const header = /^with (.+)$/.exec(extra)?.[1];
  const body = /^(\{.*|tools:.*)$/.exec(extra)?.[1] ?? "";
  const json = body.startsWith("tools:")
    ? JSON.stringify({ model: "claude-x", tools: [{ type: "web_fetch_20250910" }] })
    : body;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...(header ? [header] : []),
    `Content-Length: ${json.length}`,
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${json}`);
}

function splitOnce(text: string, at: string): [string, string] {
  const i = text.indexOf(at);
  return i < 0 ? [text, ""] : [text.slice(0, i), text.slice(i + at.length)];
}
