import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import type { Command, Sandbox } from "#ports/sandbox.ts";
import { type Cases, SECOND, until } from "./sandbox-bench.ts";
import { DAEMON_PORT, MARK, PROGRAMS } from "./sandbox-programs.ts";

/** What does not come in, and what does not get out. */
export function apartCases({ bench, create, common, holds }: Cases): void {
  holds(
    20,
    "by default nothing is reached: no name, no address, no resolver, whatever the proxy variables say",
    async () => {
      const sandbox = await create({ gateway: "unix:/nobody/listens/here.sock" });
      const proxies = {
        HTTPS_PROXY: sandbox.gatewayUrl,
        HTTP_PROXY: sandbox.gatewayUrl,
        ALL_PROXY: sandbox.gatewayUrl,
      };
      for (const env of [{}, proxies]) {
        const { stdout } = await sandbox.exec({ ...PROGRAMS.reach, env }, SECOND);
        expect(stdout.trim().split("\n")).toEqual([
          "tcp 192.0.2.1 ENETUNREACH",
          "tcp 2001:db8::1 ENETUNREACH",
          "tcp 10.0.0.1 ENETUNREACH",
          "tcp 169.254.169.254 ENETUNREACH",
          "udp 192.0.2.53 ENETUNREACH",
          expect.stringMatching(/^name example\.com (EAI_AGAIN|ENOTFOUND)$/),
        ]);
      }
    },
  );

  holds(24, "a secret of the host is nowhere inside, and what one command is given is in no record", async () => {
    const secret = `secret-${randomUUID()}`;
    process.env.CONTRACT_HOST_SECRET = secret;
    try {
      const sandbox = await create();
      expect(await search(sandbox, secret)).toEqual([]);
      const planted = await search(sandbox, secret, { GIVEN: `x ${secret} x` });
      expect(planted).toEqual([expect.stringMatching(/^environment/)]);
      await sandbox.start("agent", { ...PROGRAMS.cat, env: { TOKEN: secret } });
      await sandbox.input("agent", 0, Buffer.from("hello\n"));
      await until(sandbox, "agent", "out", "hello\n");
      const told = [await sandbox.info(), await sandbox.processes(), await bench().provider.list({})];
      expect(JSON.stringify(told) + (await bench().record())).not.toContain(secret);
    } finally {
      delete process.env.CONTRACT_HOST_SECRET;
    }
  });

  holds(24, "a command sees a clean environment, and no other command sees its token", async () => {
    const sandbox = await common();
    const token: Command = {
      ...PROGRAMS.environment,
      env: { HTTPS_PROXY: "http://token-of-one-command@127.0.0.1:3128" },
    };
    expect((await sandbox.exec(token, SECOND)).stdout).toContain("token-of-one-command");
    const { stdout } = await sandbox.exec(PROGRAMS.environment, SECOND);
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(names.filter((each) => each !== "COUNTERSIGN_PROC").sort()).toEqual(["HOME", "LANG", "PATH", "TERM"]);
    expect(stdout).not.toContain("token-of-one-command");
  });

  holds(25, "a sandbox sees nothing of another: no file, no process, no port", async () => {
    const [one, two] = [await create(), await create()];
    const words = `words-${randomUUID()}`;
    await one.write(`${one.workdir}/notes.txt`, words);
    await one.write("/tmp/notes.txt", words);
    await one.start("service", PROGRAMS.daemon);
    await until(one, "service", "out", "listening\n");
    expect(await search(one, words)).toHaveLength(2);
    expect(await knock(one, DAEMON_PORT)).toBe("connected");
    expect(await search(two, words)).toEqual([]);
    expect(await search(two, MARK)).toEqual([]);
    expect(await two.processes()).toEqual([]);
    expect(await knock(two, DAEMON_PORT)).toBe("ECONNREFUSED");
  });

  holds(25, "a sandbox sees nothing of the host: no file, no process, no port", async () => {
    const sandbox = await common();
    const words = `words-${randomUUID()}`;
    const folder = await mkdtemp(path.join(tmpdir(), "countersign-host-"));
    const server = createServer((socket) => socket.end());
    const neighbour = spawn(process.execPath, ["-e", "process.stdin.resume()", words], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    try {
      await writeFile(path.join(folder, "notes.txt"), words, { mode: 0o644 });
      const port = await new Promise<number>((resolve) => {
        server.listen({ host: "127.0.0.1", port: 0 }, () => resolve((server.address() as { port: number }).port));
      });
      expect(await search(sandbox, words)).toEqual([]);
      expect(await knock(sandbox, port)).toBe("ECONNREFUSED");
    } finally {
      server.close();
      neighbour.kill();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** Places inside where `words` can be read, in files, environments and command lines. */
async function search(sandbox: Sandbox, words: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
  // In another spelling, so that the question itself is not found.
  const question = { ...env, NEEDLE: Buffer.from(words).toString("base64") };
  const { stdout, stderr, exitCode } = await sandbox.exec({ ...PROGRAMS.search, env: question }, SECOND);
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return stdout.split("\n").filter(Boolean);
}

async function knock(sandbox: Sandbox, port: number): Promise<string> {
  return (await sandbox.exec({ ...PROGRAMS.knock, env: { PORT: String(port) } }, SECOND)).stdout.trim();
}
