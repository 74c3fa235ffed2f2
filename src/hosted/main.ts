import { spawn } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import path from "node:path";
import { onLines } from "#runner/lines.ts";
import { LINE_BYTES } from "#runner/protocol.ts";
import { calls, question } from "./calls.ts";
import { forwarder, tried } from "./forwarder.ts";
import { INSIDE, MARK, type Order, order } from "./order.ts";
import { probeWaysOut } from "./probe.ts";
import { type Answer, type Runner, startRunner } from "./runner.ts";
import type { Way } from "./tunnel.ts";

/**
 * The host inside a hosted sandbox: what a supervisor is on our own machine. It starts the runner, carries connections
 * to the gateway, and keeps the answers to the control plane's questions. Arguments: "start" or "serve", and the folder
 * that was uploaded. "start" returns when a host answers, whoever started it, and prints what that one says of itself.
 */
/** As root: who the runner and everything from it is. */
const AGENT_UID = 1000;

const SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";
/** Each kind of program asks for its authorities by another name; Node adds what it is given to what it knows. */
const TRUST: Readonly<Record<string, "all" | "own">> = {
  SSL_CERT_FILE: "all",
  CURL_CA_BUNDLE: "all",
  GIT_SSL_CAINFO: "all",
  REQUESTS_CA_BUNDLE: "all",
  NODE_EXTRA_CA_CERTS: "own",
};

const [, , mode, upload = ""] = process.argv;
const orderFile = path.join(upload, "order.json");

/** The order, which is gone from the disk when this returns: it holds the sandbox's token. */
function takeOrder(): Order {
  const taken = order(JSON.parse(readFileSync(orderFile, "utf8")), "order");
  rmSync(orderFile);
  return taken;
}

/** What a host that answers says of itself; `null` when none does. */
function greet(run: string): Promise<string | null> {
  return new Promise((resolve) => {
    let said = "";
    const socket = net.connect(path.join(run, INSIDE.control));
    socket.setEncoding("utf8").on("data", (piece: string) => {
      said += piece;
    });
    socket.once("connect", () =>
      socket.write(
        `${JSON.stringify({ id: `hello-${process.pid}`, op: "hello", request: {}, waitMs: 50_000, from: 0 })}\n`,
      ),
    );
    socket.once("error", () => resolve(null));
    socket.once("close", () => resolve(said.endsWith("\n") ? said.trim() : null));
  });
}

async function start(): Promise<void> {
  const { run } = order(JSON.parse(readFileSync(orderFile, "utf8")), "order");
  const there = await greet(run);
  if (there !== null) return finish(there);
  // One was ready once and is gone: what it ran is gone too, and nobody may take this place for a fresh one.
  if (existsSync(path.join(run, INSIDE.ready))) throw new Error("the host of this sandbox has ended");
  mkdirSync(run, { recursive: true, mode: 0o711 });
  const log = path.join(run, INSIDE.log);
  const out = openSync(log, "a", 0o600);
  const child = spawn(process.execPath, [process.argv[1] ?? "", "serve", upload], {
    detached: true,
    cwd: "/",
    env: process.env,
    stdio: ["ignore", out, out],
  });
  child.unref();
  const ended = new Promise<null>((resolve) => child.once("exit", () => resolve(null)));
  for (;;) {
    // It takes the question at once and answers when it is ready; another one may have been quicker than ours.
    const said = await greet(run);
    if (said !== null) return finish(said);
    const left = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20, true))]);
    if (left === null && (await greet(run)) === null) {
      throw new Error(`the host does not start: ${readFileSync(log, "utf8").slice(-2_000)}`);
    }
  }
}

function finish(said: string): void {
  rmSync(orderFile, { force: true });
  process.stdout.write(`\n${MARK}${said}${MARK}\n`);
}

/** The platform's own proxy, where it puts one in front of everything. */
const platformProxy = (): string | null => process.env.HTTPS_PROXY ?? process.env.https_proxy ?? null;

/** Writes what programs inside trust; names the files by the variables they are found by. */
function authorities(run: string, own: string): Record<string, string> {
  const folder = path.join(run, INSIDE.authorities);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const system = existsSync(SYSTEM_AUTHORITIES) ? readFileSync(SYSTEM_AUTHORITIES, "utf8") : "";
  writeFileSync(path.join(folder, "own.pem"), own, { mode: 0o644 });
  writeFileSync(path.join(folder, "all.pem"), `${system}\n${own}`, { mode: 0o644 });
  return Object.fromEntries(Object.entries(TRUST).map(([name, file]) => [name, path.join(folder, `${file}.pem`)]));
}

async function serve(): Promise<void> {
  process.umask(0o022);
  const { run, workdir, home, port, trust, gateway, runner: program } = takeOrder();
  const proxy = platformProxy();
  const way: Way | null = gateway === null ? null : { ...gateway, proxy };
  const hello = Promise.withResolvers<Answer>();
  const runner = Promise.withResolvers<Runner>();
  if (!(await listen(run, runner.promise, hello.promise))) process.exit(0);

  const journals = path.join(run, INSIDE.journals);
  mkdirSync(journals, { recursive: true, mode: 0o700 });
  const uid = process.getuid?.() === 0 ? AGENT_UID : null;
  for (const folder of [journals, workdir, home]) if (uid !== null) chownSync(folder, uid, uid);
  // Both take long where a firewall is silent, so they are under way while everything else begins.
  const found = Promise.all([probeWaysOut(proxy), way === null ? null : tried(way)]);
  const config = {
    workdir,
    roots: [workdir, home, "/tmp"],
    journals,
    env: {
      PATH: `${path.dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
      HOME: home,
      LANG: "C.UTF-8",
      TERM: "dumb",
      ...(trust === null ? {} : authorities(run, trust)),
    },
    proxyPort: null,
    soleTenant: false,
  };
  const started = startRunner(program, config, uid);
  if (way !== null) await forwarder(way, { port, say: (line) => console.error(line) });
  await started.ready;
  runner.resolve(started);
  const [attempts, door] = await found;
  // Where it is called from outlives the upload that won.
  copyFileSync(path.join(upload, INSIDE.call), path.join(run, `${INSIDE.call}.new`));
  renameSync(path.join(run, `${INSIDE.call}.new`), path.join(run, INSIDE.call));
  writeFileSync(path.join(run, INSIDE.ready), "");
  hello.resolve({ body: { attempts, door } });
  await started.ended;
  process.exit(1);
}

/** Takes questions, and answers when there is somebody to ask. `false`: another host was quicker. */
async function listen(run: string, runner: Promise<Runner>, hello: Promise<Answer>): Promise<boolean> {
  const control = path.join(run, INSIDE.control);
  const answer = runner.then((one) => calls(one, hello));
  answer.catch(() => undefined); // Whoever asks hears of it.
  const server = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    onLines(socket, LINE_BYTES, (line) => {
      answer
        .then((ask) => ask(question(JSON.parse(line), "question")))
        .then(
          (said) => socket.end(`${JSON.stringify(said)}\n`),
          (error: unknown) => {
            console.error(error);
            socket.destroy();
          },
        );
    });
  });
  const taken = () =>
    new Promise<boolean>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) =>
        error.code === "EADDRINUSE" ? resolve(false) : reject(error),
      );
      server.listen(control, () => resolve(true));
    });
  if (await taken()) return true;
  if (await answers(control)) return false;
  // Left over from a host that died before it was ready.
  rmSync(control, { force: true });
  return await taken();
}

const answers = (control: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(control);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

if (mode === "start") await start();
else await serve();
