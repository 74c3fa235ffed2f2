import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

const PING_MS = 20_000;
/** RFC 6455 §1.3. */
const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The notifications of the platform: socket.io 5 over engine.io 4 over a WebSocket, as much of it as the client uses. */
export function notifications(apiKeys: readonly string[]) {
  const listeners = new Set<(text: string) => void>();
  const open = new Set<Duplex>();
  let followed = 0;
  return {
    followed: () => followed,
    /** Takes the connection over. */
    accept(req: IncomingMessage, socket: Duplex): void {
      const key = createHash("sha1").update(`${req.headers["sec-websocket-key"]}${MAGIC}`).digest("base64");
      const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
      socket.write([...head, `Sec-WebSocket-Accept: ${key}`, "", ""].join("\r\n"));
      open.add(socket);
      const send = (text: string) => void socket.write(frame(text));
      const ping = setInterval(() => send("2"), PING_MS).unref();
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        clearInterval(ping);
        open.delete(socket);
        listeners.delete(send);
      });
      send(`0${JSON.stringify({ sid: randomUUID(), upgrades: [], pingInterval: 25_000, pingTimeout: 20_000 })}`);
      let seen: Buffer = Buffer.alloc(0);
      socket.on("data", (chunk: Buffer) => {
        seen = Buffer.concat([seen, chunk]);
        for (let one = unframed(seen); one !== null; one = unframed(seen)) {
          seen = seen.subarray(one.length);
          if (one.opcode === 8) return void socket.end();
          if (!one.text.startsWith("40")) continue;
          const { token } = JSON.parse(one.text.slice(2) || "{}") as { token?: string };
          if (token === undefined || !apiKeys.includes(token))
            return send(`44${JSON.stringify({ message: "unauthorized" })}`);
          send(`40${JSON.stringify({ sid: randomUUID() })}`);
          listeners.add(send);
          followed += 1;
        }
      });
    },
    tell(event: string, data: unknown): void {
      for (const send of listeners) send(`42${JSON.stringify([event, data])}`);
    },
    close(): void {
      for (const socket of open) socket.destroy();
    },
  };
}

/** One text frame of a server (RFC 6455 §5.2). */
function frame(text: string): Buffer {
  const data = Buffer.from(text);
  const head = Buffer.alloc(data.length < 126 ? 2 : 4);
  head[0] = 0x81;
  if (data.length < 126) head[1] = data.length;
  else {
    head[1] = 126;
    head.writeUInt16BE(data.length, 2);
  }
  return Buffer.concat([head, data]);
}

/** The first whole frame of a client, which is always masked; `null`: there is none yet. */
function unframed(bytes: Buffer): { opcode: number; text: string; length: number } | null {
  if (bytes.length < 6) return null;
  const short = (bytes[1] ?? 0) & 0x7f;
  const at = short === 126 ? 4 : 2;
  if (bytes.length < at + 4) return null;
  const size = short === 126 ? bytes.readUInt16BE(2) : short;
  const length = at + 4 + size;
  if (bytes.length < length) return null;
  const mask = bytes.subarray(at, at + 4);
  const data = Buffer.from(bytes.subarray(at + 4, length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return { opcode: (bytes[0] ?? 0) & 0x0f, text: data.toString("utf8"), length };
}
