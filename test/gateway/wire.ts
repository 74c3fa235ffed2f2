import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A destination's authority, written the way a client writes it. */
export function connectRequest(authority: string, authorization: string | null): Buffer {
  const auth = authorization === null ? "" : `Proxy-Authorization: ${authorization}\r\n`;
  return Buffer.concat([
    Buffer.from("CONNECT "),
    Buffer.from(authority, "utf8"),
    Buffer.from(` HTTP/1.1\r\n${auth}\r\n`),
  ]);
}

export const basic = (token: string): string => `Basic ${Buffer.from(`run:${token}`).toString("base64")}`;

/** Everything until the other side is done. */
export async function readAll(socket: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return await new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    const done = () => resolve(Buffer.concat(chunks));
    socket.once("end", done).once("close", done).once("error", done);
    socket.resume();
  });
}

/** Reads `count` answers, by length or in chunks, or fewer when the connection ends first. Bytes behind them are put back. */
export async function readAnswers(socket: Duplex, count = 1): Promise<Answer[]> {
  let seen: Buffer = Buffer.alloc(0);
  const answers: Answer[] = [];
  return await new Promise((resolve) => {
    const finish = () => {
      socket.off("data", onData).off("end", finish).off("close", finish).off("error", finish);
      socket.pause();
      if (seen.length > 0 && !socket.destroyed && !socket.readableEnded) socket.unshift(seen);
      resolve(answers);
    };
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      for (let found = firstAnswer(seen); found && answers.length < count; found = firstAnswer(seen)) {
        answers.push(found.answer);
        seen = seen.subarray(found.end);
      }
      if (answers.length >= count) finish();
    };
    socket.on("data", onData).once("end", finish).once("close", finish).once("error", finish);
    socket.resume();
  });
}

function firstAnswer(bytes: Buffer): { answer: Answer; end: number } | null {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const [first = "", ...lines] = bytes.subarray(0, headEnd).toString("latin1").split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines)
    headers[line.slice(0, line.indexOf(":")).toLowerCase()] = line.slice(line.indexOf(":") + 1).trim();
  const start = headEnd + 4;
  const length = Number(headers["content-length"] ?? 0);
  const sized =
    bytes.length < start + length ? null : { body: bytes.subarray(start, start + length), end: start + length };
  const read = /\bchunked\b/i.test(headers["transfer-encoding"] ?? "") ? readChunks(bytes, start) : sized;
  if (!read) return null;
  return {
    answer: { status: Number(first.split(" ")[1]), headers, body: read.body.toString("latin1") },
    end: read.end,
  };
}

/** RFC 9112 §7.1, without trailers. `null`: more is to come. */
function readChunks(bytes: Buffer, start: number): { body: Buffer; end: number } | null {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return null;
    const size = Number.parseInt(bytes.subarray(at, line).toString("latin1"), 16);
    const end = line + 2 + size + 2;
    if (bytes.length < end) return null;
    if (size === 0) return { body: Buffer.concat(chunks), end };
    chunks.push(bytes.subarray(line + 2, line + 2 + size));
    at = end;
  }
}

/** Sends a CONNECT and reads its answer. */
export async function askConnect(
  socket: Socket,
  authority: string,
  authorization: string | null,
): Promise<Answer | null> {
  socket.write(connectRequest(authority, authorization));
  return (await readAnswers(socket))[0] ?? null;
}

/** TLS over an open tunnel. `null`: refused or cut during the handshake. */
export async function startTls(socket: Socket, servername: string, ca: string): Promise<TLSSocket | null> {
  const secure = connectTls({ socket, servername, ca, ALPNProtocols: ["http/1.1"] });
  return await new Promise((resolve) => {
    secure.once("secureConnect", () => resolve(secure));
    secure.once("error", () => resolve(null));
    secure.once("close", () => resolve(null));
  });
}

/** The ClientHello that Node would send for `servername`, as bytes; `null`: without a server name. */
export async function clientHello(servername: string | null): Promise<Buffer> {
  const { Duplex: Pipe } = await import("node:stream");
  return await new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const wire = new Pipe({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk);
        done();
        // The first flight may come in pieces, all of them within this turn.
        setImmediate(() => {
          resolve(Buffer.concat(chunks));
          secure.destroy();
        });
      },
    });
    const secure = connectTls({ socket: wire, ...(servername === null ? {} : { servername }) });
    secure.on("error", () => undefined);
  });
}
