import type { EgressRule } from "#policy/egress.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { type LocalBench, localBench } from "#test/adapters/sandbox-local-bench.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { basic } from "#test/gateway/wire.ts";
import type { World } from "#test/gateway/world.ts";
import type { CorpusCase } from "./cases.ts";
import type { Outcome } from "./outcome.ts";

const KEY = "around";
const RUN = "run-around";
const TOKEN = "token-around";
const NEIGHBOUR_PORT = 4816;

/** A real sandbox whose only way out is the world's gateway, and a neighbour that listens. */
export interface Around {
  readonly sandbox: Sandbox;
  close(): Promise<void>;
}

export async function openAround(world: World, rules: readonly EgressRule[]): Promise<Around> {
  const bench: LocalBench = await localBench();
  const limits = { memoryMiB: 512, pids: 64 };
  const make = (key: string) =>
    bench.provider.create(
      { key, image: bench.image, labels: {}, gateway: world.gateway.address, limits, ttlMs: 600_000 },
      AbortSignal.timeout(25_000),
    );
  await world.client.grant(bareGrant({ sandbox: KEY, run: RUN, tokenHash: hashOf(TOKEN), egress: rules }));
  const [sandbox, neighbour] = await Promise.all([make(KEY), make(`${KEY}-neighbour`)]);
  const listen = `require("node:net").createServer((s) => s.end("hello")).listen(${NEIGHBOUR_PORT}, "::", () => console.log("up"))`;
  await neighbour.start("service", { argv: ["node", "-e", listen] });
  for await (const piece of neighbour.output("service", "out", 0, {
    follow: true,
    signal: AbortSignal.timeout(20_000),
  }))
    if (Buffer.from(piece).toString("utf8").includes("up")) break;
  return {
    sandbox,
    async close() {
      for (const one of [sandbox, neighbour]) await bench.provider.destroy(one.id);
      await bench.dispose();
    },
  };
}

/** In front of every attempt. Each says one line: "refused CODE" when the kernel says that there is no way, else what it got. */
const TOOLS = `
const net = require("node:net"), dgram = require("node:dgram"), dns = require("node:dns"), http = require("node:http"), https = require("node:https");
const say = (line) => { console.log(line); process.exit(); };
const failed = (error) => say("refused " + error.code);
setTimeout(() => say("sent, and nobody answered"), 4000);
const tcp = (host, port) => net.connect({ host, port }).on("connect", () => say("connected")).on("error", failed);
const udp = (type, host, port) => { const socket = dgram.createSocket(type); socket.on("message", () => say("answered"));
  socket.send(Buffer.alloc(1200), port, host, (error) => error && failed(error)); };
const get = (client, url) => client.get(url, () => say("answered")).on("error", failed);
`;

/** What the corpus calls by the names of tools that a sandbox need not have. */
const ATTEMPTS: Readonly<Record<string, string>> = {
  "curl --noproxy '*' https://api.allowed.test": `get(https, "https://api.allowed.test/")`,
  "nc 203.0.113.10 443": `tcp("203.0.113.10", 443)`,
  "nc 2001:db8::1 443": `tcp("2001:db8::1", 443)`,
  "dig @198.51.100.53": `udp("udp4", "198.51.100.53", 53)`,
  "dig c2VjcmV0.denied.test": `dns.lookup("c2VjcmV0.denied.test", (none, address) => address ? say("resolved") :
    dns.resolve4("c2VjcmV0.denied.test", (error) => error ? failed(error) : say("resolved")))`,
  "udp 203.0.113.10:443": `udp("udp4", "203.0.113.10", 443)`,
  "curl http://169.254.169.254/": `get(http, "http://169.254.169.254/")`,
  "connect to another sandbox": `tcp("127.0.0.1", ${NEIGHBOUR_PORT})`,
};

const PING = `use Socket; for my $type (SOCK_RAW, SOCK_DGRAM) { next unless socket(my $s, AF_INET, $type, 1);
  my $echo = pack("CCnnn", 8, 0, 0xf7fe, 0, 1); if (send($s, $echo, 0, sockaddr_in(0, inet_aton("203.0.113.10")))) { print "sent"; exit } }
  print "refused $!"`;

/** A relay of the sandbox's own in front of the way to the gateway, and a client that asks it for a host that is denied. */
const RELAY = `${TOOLS}
const relay = net.createServer((inner) => { const outer = net.connect(3128, "127.0.0.1"); inner.pipe(outer).pipe(inner);
  inner.on("error", () => outer.destroy()); outer.on("error", () => inner.destroy()); });
relay.listen(9999, "127.0.0.1", () => {
  const client = net.connect(9999, "127.0.0.1", () => client.write("CONNECT denied.test:443 HTTP/1.1\\r\\n" +
    "Proxy-Authorization: ${basic(TOKEN)}\\r\\n\\r\\n"));
  client.once("data", (data) => { const status = String(data).split(" ")[1]; say(status === "403" ? "refused 403" : "status " + status); });
});`;

/** Tries to get out without the gateway. `null`: the tool for it is not on this machine. */
export async function tryAround(world: World, { sandbox }: Around, each: CorpusCase): Promise<Outcome | null> {
  world.reset();
  const before = (await world.auditOf(KEY)).length;
  const what = each.input.command ?? "";
  const isRelay = what.startsWith("socat relay");
  const isPing = what.startsWith("ping ");
  const script = isRelay ? RELAY : ATTEMPTS[what];
  if (script === undefined && !isPing)
    throw new Error(`the corpus has a command that the runner does not know: ${what}`);
  const argv = isPing ? ["perl", "-e", PING] : ["node", "-e", isRelay ? RELAY : `${TOOLS}${script}`];
  const ran = await sandbox.exec({ argv }, { timeoutMs: 8_000 });
  if (isPing && ran.exitCode === 127) return null;
  const said = ran.stdout.trim() || ran.stderr.trim();
  const lines = (await world.auditOf(KEY)).slice(before);
  // Through the relay the gateway is asked and denies; nothing else may even be heard of there.
  const denials = lines.filter((line) => line.kind === "egress" && line.outcome === "deny" && line.run === RUN);
  const expected = isRelay ? 1 : 0;
  const faults = [
    ...(lines.length === expected && denials.length === expected ? [] : [`${lines.length} audit lines`]),
    ...(world.lookups.length === 0 ? [] : ["the gateway resolved a name"]),
  ];
  const refused = said.startsWith("refused ");
  return {
    decision: refused ? "deny" : "allow",
    reason: refused ? "no_path" : said,
    upstreamConnects: world.dials.length,
    faults,
  };
}
