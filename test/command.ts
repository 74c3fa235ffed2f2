import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import path from "node:path";

/** `countersign …` in a process of its own, as it is started from a shell. */
export interface Command {
  readonly pid: number;
  /** Everything it has said so far, both streams. */
  words(): string;
  /** Resolves with the first match in what it says; rejects with its words when it ends without. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves with the exit code when it has ended and its streams are closed; `null`: a signal ended it. */
  readonly ended: Promise<number | null>;
  /** SIGTERM, as a person's Ctrl-C. */
  stop(): Promise<number | null>;
}

const root = path.resolve(import.meta.dirname, "..");

/** Nothing of our environment goes along but where programs are. */
export function command(args: readonly string[], env: Readonly<Record<string, string>> = {}): Command {
  const child = spawn(process.execPath, [path.join(root, "src", "main.ts"), ...args], {
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: process.env.HOME ?? "/", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let words = "";
  const listening = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      words += chunk;
      for (const look of listening) look();
    });
  }
  const ended = once(child, "close").then(() => child.exitCode);
  return {
    pid: child.pid ?? 0,
    words: () => words,
    says(pattern) {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const look = () => {
        const match = pattern.exec(words);
        if (match !== null) resolve(match);
      };
      listening.add(look);
      look();
      void ended.then((code) => reject(new Error(`it ended with ${code} and did not say ${pattern}:\n${words}`)));
      return promise.finally(() => listening.delete(look));
    },
    ended,
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** What a machine behind a proxy of its own says of authorities to trust, for what goes out to a package registry. */
export function trusted(): Readonly<Record<string, string>> {
  const { NODE_EXTRA_CA_CERTS } = process.env;
  return NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port was free");
  return address.port;
}
