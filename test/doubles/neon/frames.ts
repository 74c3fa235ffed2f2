import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** RFC 6455 §1.3. */
const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const LARGEST = 64 * 1024 * 1024;

export interface BinarySocket {
  /** `false`: wait for `drained`. */
  send(data: Buffer): boolean;
  /** Says goodbye with a close frame, as a server that stops. */
  close(): void;
  /** Without a word, as a network that breaks. */
  cut(): void;
}

/** Takes an upgrade over and speaks binary frames. */
export function acceptBinary(
  req: IncomingMessage,
  socket: Duplex,
  on: { data(data: Buffer): void; drained(): void; closed(): void; wrong(what: string): void },
): BinarySocket {
  const key = createHash("sha1").update(`${req.headers["sec-websocket-key"]}${MAGIC}`).digest("base64");
  const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  socket.write([...head, `Sec-WebSocket-Accept: ${key}`, "", ""].join("\r\n"));
  let seen: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    try {
      for (let one = unframed(seen); one !== null; one = unframed(seen)) {
        seen = seen.subarray(one.length);
        if (one.opcode === CLOSE) return void socket.end(framed(CLOSE, one.data));
        if (one.opcode === PING) socket.write(framed(PONG, one.data));
        // A continuation (0) of what was begun is binary too.
        else if (one.opcode === BINARY || one.opcode === 0) on.data(one.data);
        else throw new Error(`a frame of type ${one.opcode}`);
      }
    } catch (error) {
      on.wrong(String(error));
      socket.destroy();
    }
  });
  socket.on("drain", on.drained);
  socket.on("error", () => socket.destroy());
  socket.once("close", on.closed);
  return {
    send: (data) => socket.writable && socket.write(framed(BINARY, data)),
    close: () => void socket.end(framed(CLOSE, Buffer.from([0x03, 0xe9]))),
    cut: () => void socket.destroy(),
  };
}

/** One frame of a server, which is never masked (RFC 6455 §5.2). */
function framed(opcode: number, data: Buffer): Buffer {
  const head = Buffer.alloc(data.length < 126 ? 2 : data.length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  if (data.length < 126) head[1] = data.length;
  else if (data.length < 65_536) {
    head[1] = 126;
    head.writeUInt16BE(data.length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(data.length), 2);
  }
  return Buffer.concat([head, data]);
}

/** The first whole frame of a client, which is always masked; `null`: there is none yet. */
function unframed(bytes: Buffer): { opcode: number; data: Buffer; length: number } | null {
  if (bytes.length < 2) return null;
  const [first = 0, second = 0] = bytes;
  if ((second & 0x80) === 0) throw new Error("a frame without a mask");
  const short = second & 0x7f;
  const at = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < at + 4) return null;
  const size = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (size > LARGEST) throw new Error(`a frame of ${size} bytes`);
  const length = at + 4 + size;
  if (bytes.length < length) return null;
  const mask = bytes.subarray(at, at + 4);
  const data = Buffer.from(bytes.subarray(at + 4, length));
  for (let index = 0; index < data.length; index += 1) data[index] = (data[index] ?? 0) ^ (mask[index % 4] ?? 0);
  return { opcode: first & 0x0f, data, length };
}
