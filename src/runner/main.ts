import { mkdirSync, readFileSync } from "node:fs";
import net from "node:net";
import type { Place } from "./child.ts";
import { readSafely, writeSafely } from "./files.ts";
import { onLines } from "./lines.ts";
import { pipeMaker } from "./pipes.ts";
import { probe, probeAddresses } from "./probe.ts";
import { processes } from "./processes.ts";
import {
  CALLS,
  isOp,
  LINE_BYTES,
  type Op,
  parseDownward,
  type Reply,
  type Request,
  RunnerError,
  type Upward,
} from "./protocol.ts";

/** Argument of the program, as JSON. */
export interface RunnerConfig {
  readonly workdir: string;
  /** Folders that `read` and `write` may touch. */
  readonly roots: readonly string[];
  /** Where the journals are kept. */
  readonly journals: string;
  readonly env: Readonly<Record<string, string>>;
  /** Descriptor of the connection to the one who started us. */
  readonly link: number;
  /** Port on 127.0.0.1 whose listening socket is handed out over IPC; `null` for no way out at all. */
  readonly proxyPort: number | null;
  /** We were started as the only tenant of a pid namespace. Believed only when pid 1 looks like it. */
  readonly soleTenant: boolean;
}

const config = JSON.parse(process.argv[2] ?? "{}") as RunnerConfig;
const link = new net.Socket({ fd: config.link, readable: true, writable: true });
const say = (message: Upward) => link.write(`${JSON.stringify(message)}\n`);

const pidOneIsBubblewrap = () => process.ppid === 1 && readFileSync("/proc/1/comm", "utf8").trim() === "bwrap";
mkdirSync(config.journals, { recursive: true });
const place: Place = {
  pipe: pipeMaker(config.journals),
  workdir: config.workdir,
  env: config.env,
  soleTenant: config.soleTenant && pidOneIsBubblewrap(),
};
const addresses = probeAddresses(); // Begun early: the answers are there when they are asked for.
const table = processes({ place, folder: config.journals, ended: (procId) => say({ kind: "exited", procId }) });

const handlers: { [O in Op]: (request: Request<O>, signal: AbortSignal) => Reply<O> | Promise<Reply<O>> } = {
  exec: (request, signal) => table.exec(request, signal),
  start: (request) => table.start(request.procId, request),
  processes: () => table.all(),
  output: (request, signal) => table.output(request, signal),
  input: (request) => table.input(request),
  kill: (request) => table.kill(request),
  killAll: () => table.killAll(),
  read: ({ path, maxBytes }) => ({ data: readSafely(path, maxBytes, config.roots).toString("base64") }),
  write: ({ path, data, mode }) => {
    writeSafely(path, Buffer.from(data, "base64"), mode, config.roots);
    return null;
  },
  probe: (request) => probe(request, addresses),
};

async function answer<O extends Op>(op: O, request: unknown, signal: AbortSignal): Promise<Reply<O>> {
  return handlers[op](CALLS[op].request(request, op) as Request<O>, signal);
}

const underWay = new Map<number, AbortController>();

function receive(line: string): void {
  const message = parseDownward(line);
  if ("cancel" in message) {
    underWay.get(message.cancel)?.abort();
    return;
  }
  const { id, op, request } = message;
  const controller = new AbortController();
  underWay.set(id, controller);
  const answered = isOp(op)
    ? answer(op, request, controller.signal)
    : Promise.reject(new RunnerError("invalid", `no call ${op}`));
  void answered
    .then(
      (body) => say({ kind: "reply", id, body }),
      (error: unknown) => {
        const code = error instanceof RunnerError ? error.code : "invalid";
        say({ kind: "error", id, code, message: error instanceof Error ? error.message : String(error) });
      },
    )
    .finally(() => underWay.delete(id));
}

/**
 * Hands the listening socket out and resolves when our own copy is closed. Two listeners on one socket would both
 * accept, and what we accept nobody reads: so nothing may run in here before this is over.
 */
function handOut(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port, backlog: 128 }, () => {
      process.once("message", () => server.close(() => resolve()));
      process.send?.({ kind: "listening" }, server);
    });
  });
}

process.umask(0o022);
if (config.proxyPort !== null) {
  await handOut(config.proxyPort);
  process.disconnect?.();
}
// Whoever started us is gone: nothing may run on without someone to answer to.
link.once("close", () => process.exit(0));
link.once("error", () => process.exit(1));
onLines(link, LINE_BYTES, receive);
say({ kind: "ready" });
