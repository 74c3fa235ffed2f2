import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "#ports/sandbox.ts";
import { calm, type SandboxBench } from "./sandbox-bench.ts";
import { evaluate, QUICK, sh } from "./sandbox-inside.ts";

/** What a process may try that wants out and not through the gateway, on a real kernel. */
export function sandboxAround(name: string, makeBench: () => Promise<SandboxBench>): void {
  describe(`the ways around the gateway, over ${name}`, () => {
    let bench: SandboxBench;
    let one: Sandbox;

    beforeAll(async () => {
      bench = await makeBench();
      const limits = { memoryMiB: 512, pids: 64 };
      const spec = { key: "around", image: bench.image, labels: {}, gateway: null, limits, ttlMs: 600_000 };
      one = await bench.provider.create(spec, calm());
    });
    afterAll(async () => {
      await bench.provider.destroy(one.id);
      await bench.dispose();
    });

    test("no address can be reached: IPv4, IPv6, metadata, by TCP or by UDP", async () => {
      const outcome = await evaluate(
        one,
        `async () => {
          const net = require("node:net"), dgram = require("node:dgram");
          const tcp = (host) => new Promise((done) => {
            const socket = net.connect({ host, port: 80, timeout: 3000 });
            socket.on("connect", () => done("connected")).on("timeout", () => done("timeout")).on("error", (error) => done(error.code));
          });
          const udp = (host, type) => new Promise((done) => {
            const socket = dgram.createSocket(type);
            const say = (error) => { socket.close(); done(error ? error.code : "sent"); };
            socket.send("x", 53, host, say);
          });
          return [await tcp("1.1.1.1"), await tcp("2606:4700:4700::1111"), await tcp("169.254.169.254"), await tcp("10.0.0.1"),
            await udp("8.8.8.8", "udp4"), await udp("2001:4860:4860::8888", "udp6")].map(String);
        }`,
      );
      expect(new Set(outcome as string[])).toEqual(new Set(["ENETUNREACH"]));
    });

    test("no name resolves, with or without the proxy variables", async () => {
      const lookup = `async () => require("node:dns").promises.lookup("example.com").then((found) => found.address, (error) => error.code)`;
      expect(["EAI_AGAIN", "ENOTFOUND"]).toContain(await evaluate(one, lookup));
      const cleared = await sh(one, "unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy; getent hosts example.com");
      expect(cleared).toMatchObject({ stdout: "", exitCode: 2 });
    });

    test("what listens on the host's loopback is not there", async () => {
      const server = createServer((socket) => socket.end("host"));
      const port = await new Promise<number>((resolve) => {
        server.listen({ host: "127.0.0.1", port: 0 }, () => resolve((server.address() as { port: number }).port));
      });
      const knock = `async () => new Promise((done) => require("node:net").connect(${port}, "127.0.0.1")
        .on("connect", () => done("connected")).on("error", (error) => done(error.code)))`;
      expect(await evaluate(one, knock)).toBe("ECONNREFUSED");
      server.close();
    });

    test("without a gateway nothing answers at its address either", async () => {
      const knock = `async () => fetch(${JSON.stringify(one.gatewayUrl)}).then(() => "answered", (error) => error.cause.code)`;
      expect(await evaluate(one, knock)).toBe("ECONNREFUSED");
    });

    test("no other kind of socket opens: to the hypervisor, raw, packet, ICMP, or past the filter by io_uring", async (ctx) => {
      if ((await sh(one, "command -v perl")).exitCode !== 0)
        ctx.skip("there is no perl here, and node opens no such socket");
      const families = `for my $f (0..63) { print "$f " if grep { socket(my $s, $f, $_, 0) } 1..6 }`;
      const opened = (await one.exec({ argv: ["perl", "-e", families] }, QUICK)).stdout.trim().split(" ").map(Number);
      // AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: each is the namespace's own.
      expect(opened.filter((family) => ![1, 2, 10, 16].includes(family))).toEqual([]);
      expect(opened).toContain(2);
      const icmp = "print join(' ', map { socket(my $s, 2, $_, 1) ? 'open' : 'refused' } 2, 3)";
      expect((await one.exec({ argv: ["perl", "-e", icmp] }, QUICK)).stdout).toBe("refused refused");
      // io_uring_setup has one number on every processor.
      const ring = "use Errno; print syscall(425, 1, 0) == -1 && $!{ENOSYS} ? 'refused' : 'open'";
      expect((await one.exec({ argv: ["perl", "-e", ring] }, QUICK)).stdout).toBe("refused");
    });

    test("no socket of the host is there, neither by a path nor by an abstract name", async () => {
      const name = `countersign-abstract-${process.pid}`;
      const server = createServer((socket) => socket.end("host"));
      await new Promise<void>((resolve) => void server.listen(`\0${name}`, resolve));
      const knock = `async () => new Promise((done) => require("node:net").connect("\\0${name}")
        .on("connect", () => done("connected")).on("error", (error) => done(error.code)))`;
      expect(await evaluate(one, knock)).toBe("ECONNREFUSED");
      server.close();
      expect((await sh(one, "find / -path /proc -prune -o -type s -print 2>/dev/null")).stdout).toBe("");
      expect((await sh(one, "awk 'NF > 7 { print $8 }' /proc/net/unix")).stdout).toBe("Path\n");
    });
  });
}
