import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { carry } from "#adapters/sandbox/local/doorway.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

async function listening(server: net.Server, file: string): Promise<net.Server> {
  await once(server.listen(file), "listening");
  open.push(() => new Promise((closed) => server.close(closed)));
  server.on("connection", (socket) => open.push(() => socket.destroy()));
  return server;
}

/** A sandbox's proxy socket, carried to where a gateway may come to listen. */
async function doorway(holdMs: number) {
  const folder = mkdtempSync(path.join(tmpdir(), "doorway-"));
  open.push(() => rmSync(folder, { recursive: true, force: true }));
  const [inside, gateway] = [path.join(folder, "inside.sock"), path.join(folder, "gateway.sock")];
  const door = net.createServer();
  carry(door, { gateway, key: "run-1", holdMs });
  await listening(door, inside);
  return {
    gateway,
    async connect(): Promise<net.Socket> {
      const socket = net.connect(inside);
      socket.on("error", () => undefined); // However it is told, it ends.
      open.push(() => socket.destroy());
      await once(socket, "connect");
      return socket;
    },
  };
}

test("what a sandbox says while the gateway is away arrives when it is back, behind the sandbox's name", async () => {
  const door = await doorway(60_000);
  const socket = await door.connect();
  socket.end("GET / HTTP/1.1\r\n\r\n");
  const gateway = await listening(net.createServer({ allowHalfOpen: true }), door.gateway);
  const [outer] = (await once(gateway, "connection")) as [net.Socket];
  expect(await text(outer)).toBe("COUNTERSIGN/1 run-1\nGET / HTTP/1.1\r\n\r\n");
  outer.end("HTTP/1.1 204 No Content\r\n\r\n");
  expect(await text(socket)).toBe("HTTP/1.1 204 No Content\r\n\r\n");
});

test("a connection is closed when the gateway stays away for longer than it is held, and none is made later", async () => {
  const door = await doorway(300);
  const socket = await door.connect();
  let heard = "";
  socket.on("data", (data) => {
    heard += data.toString("utf8");
  });
  await once(socket, "close");
  expect(heard).toBe("");
  const gateway = await listening(net.createServer(), door.gateway);
  const came: net.Socket[] = [];
  gateway.on("connection", (one) => came.push(one));
  const next = await door.connect();
  if (came.length === 0) await once(gateway, "connection");
  expect(came).toHaveLength(1);
  next.destroy();
});
