import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";

/** Answers git's smart HTTP protocol out of the bare repositories in `root`, whole requests at a time. */
export async function answerGit(
  request: IncomingMessage,
  response: ServerResponse,
  o: {
    readonly root: string;
    readonly home: string;
    /** "/acme/shop.git/info/refs?service=…". */
    readonly url: URL;
    readonly body: Buffer;
    /** Once git is done, before anybody hears of it. */
    readonly done: () => Promise<void>;
  },
): Promise<void> {
  const child = spawn("git", ["http-backend"], {
    cwd: o.home,
    env: {
      PATH: process.env.PATH,
      HOME: o.home,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "http.receivepack",
      GIT_CONFIG_VALUE_0: "true",
      GIT_PROJECT_ROOT: o.root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: o.url.pathname,
      QUERY_STRING: o.url.search.slice(1),
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      CONTENT_LENGTH: String(o.body.length),
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      REMOTE_USER: "app",
    },
  });
  const out: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.resume();
  // It may refuse before it has read everything.
  child.stdin.on("error", () => {});
  child.stdin.end(o.body);
  await new Promise((resolve) => child.on("close", resolve));
  await o.done();
  const all = Buffer.concat(out);
  const end = all.indexOf("\r\n\r\n");
  const head = all.subarray(0, end).toString("latin1");
  const headers = Object.fromEntries(
    head
      .split("\r\n")
      .map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const status = Number.parseInt(headers.status ?? "200", 10);
  response.writeHead(status, { "content-type": headers["content-type"] ?? "text/plain" });
  response.end(all.subarray(end + 4));
}

export const gitDirIn = (root: string, repo: string): string => path.join(root, `${repo}.git`);
