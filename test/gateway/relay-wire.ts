import { execFile } from "node:child_process";
import type { GitRun } from "./forge.ts";
import { basic, readAll } from "./wire.ts";
import type { World } from "./world.ts";

/** A line of git's own framing: four hex digits of length, then the text. */
export const packet = (text: string): string => `${(Buffer.byteLength(text) + 4).toString(16).padStart(4, "0")}${text}`;

/** What asks for one commit and says that nothing is there yet. */
export const wants = (oid: string): string => `${packet(`want ${oid} ofs-delta\n`)}0000${packet("done\n")}`;

/** The start of a push of one ref; a pack follows. */
export const moves = (old: string, to: string, ref: string): string =>
  `${packet(`${old} ${to} ${ref}\0 report-status`)}0000`;

/** One request to the relay as bytes, the way no git would make it, and the whole answer. */
export async function askRelay(
  world: World,
  who: { sandbox: string; token: string },
  o: { method?: string; path: string; headers?: readonly string[]; body?: Buffer | string },
): Promise<{ status: number; head: string; body: string }> {
  const socket = await world.open(who.sandbox);
  const body = Buffer.from(o.body ?? "");
  const service = /git-(?:upload|receive)-pack$/.exec(o.path)?.[0];
  const head = [
    `${o.method ?? "POST"} /git/acme/site.git/${o.path} HTTP/1.1`,
    "Host: gateway",
    "Connection: close",
    `Authorization: ${basic(who.token)}`,
    ...(service ? [`Content-Type: application/x-${service}-request`] : []),
    ...(o.headers ?? []),
    `Content-Length: ${body.length}`,
  ];
  socket.write(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]));
  const answer = (await readAll(socket)).toString("latin1");
  const end = answer.indexOf("\r\n\r\n");
  return { status: Number(answer.split(" ")[1]), head: answer.slice(0, end), body: answer.slice(end + 4) };
}

interface Place {
  readonly cwd: string;
  readonly home: string;
}

/** The pack of what `tip` has and `without` has not. */
export const packOf = (git: Place, tip: string, without: string): Promise<Buffer> =>
  feed(git, ["pack-objects", "--revs", "--stdout", "-q"], `${tip}\n^${without}\n`);

/** The pack of these objects and no others, whatever they name. */
export const packOfObjects = (git: Place, oids: readonly string[]): Promise<Buffer> =>
  feed(git, ["pack-objects", "--stdout", "-q"], `${oids.join("\n")}\n`);

/** Writes an object that no porcelain would write. */
export const writeObject = async (git: Place, type: string, content: string | Buffer): Promise<string> =>
  (await feed(git, ["hash-object", "-t", type, "-w", "--stdin", "--literally"], content)).toString("utf8").trim();

function feed(git: Place, args: readonly string[], input: string | Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const env = { PATH: "/usr/bin:/bin", HOME: git.home };
    const options = { cwd: git.cwd, encoding: "buffer", env, maxBuffer: 256 * 1024 * 1024 } as const;
    const child = execFile("git", [...args], options, (error, stdout) => (error ? reject(error) : resolve(stdout)));
    child.stdin?.end(input);
  });
}

export const oidOf = (run: GitRun): string => run.stdout.trim();
