import { randomUUID } from "node:crypto";
import type { Program } from "#adapters/sandbox/memory-process.ts";

/** One program twice: as it is run in a real sandbox, and as the in-memory one plays it. */
export interface ContractProgram {
  readonly argv: readonly string[];
  readonly play: Program;
}

/** 5 MB that hold every byte, NULs, markers of other protocols and no final newline. */
export const BURST = Buffer.alloc(5_000_003, Buffer.from(Array.from({ length: 257 }, (_, at) => at & 255)));

/** A word in the command line of `daemon`: this machine may be running the contract twice. */
export const MARK = `daemon-${randomUUID()}`;
export const DAEMON_PORT = 4815;

const LISTEN = `require("node:net").createServer().on("error", (error) => console.log(error.code))
  .listen(${DAEMON_PORT}, "127.0.0.1", () => console.log("listening"))`;

const KNOCK = `require("node:net").connect(Number(process.env.PORT), "127.0.0.1")
  .on("connect", function () { console.log("connected"); this.destroy(); }).on("error", (error) => console.log(error.code))`;

const REACH = `
const net = require("node:net"), dgram = require("node:dgram"), dns = require("node:dns");
const tcp = (host, port) => new Promise((done) => {
  const say = (word) => { socket.destroy(); done("tcp " + host + " " + word); };
  const socket = net.connect({ host, port, timeout: 3000 }).on("connect", () => say("connected"));
  socket.on("timeout", () => say("no answer, no refusal")).on("error", (error) => say(error.code));
});
const udp = (host) => new Promise((done) => {
  const socket = dgram.createSocket("udp4");
  socket.send(Buffer.alloc(12), 53, host, (error) => { socket.close(); done("udp " + host + " " + (error ? error.code : "sent")); });
});
const name = (host) => new Promise((done) =>
  dns.lookup(host, (error, address) => done("name " + host + " " + (error ? error.code : address))));
Promise.all([tcp("192.0.2.1", 443), tcp("2001:db8::1", 443), tcp("10.0.0.1", 443), tcp("169.254.169.254", 80),
  udp("192.0.2.53"), name("example.com")]).then((lines) => console.log(lines.join("\\n")));
`;

/** Looks through every environment and command line and every file outside of the read-only system. */
const SEARCH = `
const fs = require("node:fs"), path = require("node:path");
const needle = Buffer.from(process.env.NEEDLE, "base64");
const holds = (file) => { try { return fs.readFileSync(file).includes(needle); } catch { return false; } };
for (const pid of fs.readdirSync("/proc").filter((name) => Number(name) > 0)) {
  if (holds("/proc/" + pid + "/environ")) console.log("environment of " + pid);
  if (holds("/proc/" + pid + "/cmdline")) console.log("command line of " + pid);
}
const skipped = new Set(["/proc", "/sys", "/dev", "/usr", "/opt/node"]);
const walk = (folder) => {
  let entries = [];
  try { entries = fs.readdirSync(folder, { withFileTypes: true }); } catch {}
  for (const entry of entries) {
    const at = path.join(folder, entry.name);
    if (skipped.has(at)) continue;
    if (entry.isDirectory()) walk(at);
    else if (entry.isFile() && holds(at)) console.log("file " + at);
  }
};
walk("/");
`;

export const PROGRAMS = {
  hello: {
    argv: ["sh", "-c", "echo hello; echo oops >&2; exit 3"],
    play: async (ctx) => {
      ctx.out("hello\n");
      ctx.err("oops\n");
      return 3;
    },
  },
  cat: {
    argv: ["cat"],
    play: async (ctx) => {
      for await (const data of ctx.stdin) ctx.out(data);
      return 0;
    },
  },
  burst: {
    argv: [
      "node",
      "-e",
      "process.stdout.write(Buffer.alloc(5000003, Buffer.from(Array.from({length:257},(_,at)=>at&255))))",
    ],
    play: async (ctx) => {
      for (let at = 0; at < BURST.length; at += 100_000) ctx.out(BURST.subarray(at, at + 100_000));
      return 0;
    },
  },
  markers: {
    argv: ["sh", "-c", "printf 'a\\001\\001\\001b\\002\\002\\002c\\000d'"],
    play: async (ctx) => {
      ctx.out(Buffer.from("a\x01\x01\x01b\x02\x02\x02c\x00d", "latin1"));
      return 0;
    },
  },
  forever: {
    argv: ["sh", "-c", "echo started; sleep 1000 & wait"],
    play: (ctx) => {
      ctx.out("started\n");
      return new Promise<never>(() => undefined);
    },
  },
  environment: {
    argv: ["env"],
    play: async (ctx) => {
      for (const [name, value] of Object.entries(ctx.env)) ctx.out(`${name}=${value}\n`);
      return 0;
    },
  },
  where: {
    argv: ["pwd"],
    play: async (ctx) => {
      ctx.out(`${ctx.cwd}\n`);
      return 0;
    },
  },
  /** Leaves its parent, its session and its environment, and listens. */
  daemon: {
    argv: ["sh", "-c", `setsid env -i PATH="$PATH" node -e '${LISTEN}' ${MARK} & wait`],
    play: (ctx) => {
      ctx.out(`${ctx.listen(DAEMON_PORT)}\n`);
      return new Promise<never>(() => undefined);
    },
  },
  /** Connects to a port of the loopback, PORT, and says what became of it. */
  knock: {
    argv: ["node", "-e", KNOCK],
    play: async (ctx) => {
      ctx.out(`${ctx.connect("127.0.0.1", Number(ctx.env.PORT))}\n`);
      return 0;
    },
  },
  /** Tries every kind of way out, and says what became of each. */
  reach: {
    argv: ["node", "-e", REACH],
    play: async (ctx) => {
      for (const host of ["192.0.2.1", "2001:db8::1", "10.0.0.1", "169.254.169.254"])
        ctx.out(`tcp ${host} ${ctx.connect(host, 443)}\n`);
      ctx.out(`udp 192.0.2.53 ${ctx.connect("192.0.2.53", 53)}\n`);
      ctx.out(`name example.com ${ctx.connect("example.com", 443)}\n`);
      return 0;
    },
  },
  /** Names every place that holds the bytes of NEEDLE, which is in Base64. */
  search: {
    argv: ["node", "-e", SEARCH],
    play: async (ctx) => {
      const needle = Buffer.from(ctx.env.NEEDLE ?? "", "base64");
      const holds = (text: string | Uint8Array) => Buffer.from(text).includes(needle);
      if (holds(JSON.stringify(ctx.env))) ctx.out("environment of this one\n");
      if (holds(ctx.argv.join("\0"))) ctx.out("command line of this one\n");
      for (const [file, { data }] of ctx.files) if (holds(data)) ctx.out(`file ${file}\n`);
      return 0;
    },
  },
  greedy: {
    argv: ["node", "-e", "const held = []; for (;;) held.push(Buffer.alloc(8_000_000, 1))"],
    play: async () => ({ code: null, signal: "SIGKILL", oom: true }),
  },
} as const satisfies Record<string, ContractProgram>;

/** For `memorySandboxes`: the programs above, and nothing else. */
export function contractProgram(argv: readonly string[]): Program | null {
  const wanted = JSON.stringify(argv);
  return Object.values(PROGRAMS).find((program) => JSON.stringify(program.argv) === wanted)?.play ?? null;
}
