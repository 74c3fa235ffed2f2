import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { refuseGit } from "#gateway/denial.ts";
import { drained } from "#gateway/drained.ts";

const HEAD_BYTES = 65_536;

/**
 * Feeds `body` to a CGI program and streams its answer (RFC 3875 §6) to the client. Resolves when the program has ended
 * and the answer is out; a client that leaves ends the program.
 */
export async function answerFromCgi(
  child: ChildProcessWithoutNullStreams,
  body: Readable | null,
  res: ServerResponse,
): Promise<void> {
  const closed = once(child, "close").catch(() => undefined);
  const leave = () => void child.kill("SIGTERM");
  res.once("close", leave);
  // Either side may end first: git when it refuses early, the client at any time. Both are seen through "close".
  child.stdin.on("error", () => body?.destroy());
  child.stderr.resume();
  if (body) body.on("error", () => child.stdin.destroy()).pipe(child.stdin);
  else child.stdin.end();

  let head: Buffer | null = Buffer.alloc(0);
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      let rest = chunk;
      if (head !== null) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) {
          if (head.length > HEAD_BYTES) break;
          continue;
        }
        const { status, headers } = readHead(head.subarray(0, end).toString("latin1"));
        res.writeHead(status, headers);
        rest = head.subarray(end + 4);
        head = null;
      }
      if (rest.length > 0 && !res.write(rest)) await drained(res);
    }
  } catch {
    res.destroy();
  }
  await closed;
  res.off("close", leave);
  if (head !== null) refuseGit(res, { status: 502, reason: "internal", rule: null });
  else res.end();
}

function readHead(text: string): { status: number; headers: Record<string, string> } {
  const headers: Record<string, string> = {};
  let status = 200;
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "status") status = Number.parseInt(value, 10) || 500;
    else if (colon > 0) headers[name] = value;
  }
  return { status, headers };
}
