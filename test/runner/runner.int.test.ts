import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunnerLink, runnerLink } from "#adapters/sandbox/local/runner-link.ts";
import type { RunnerConfig } from "#runner/main.ts";
import type { Op, Reply, Request } from "#runner/protocol.ts";

/** The runner as a plain process of this host, without a wall around it. */
describe("a runner without a sandbox", () => {
  let folder: string;
  let child: ChildProcess;
  let link: RunnerLink;
  const exited: string[] = [];
  const call = <O extends Op>(op: O, request: Request<O>): Promise<Reply<O>> =>
    link.call(op, request, AbortSignal.timeout(20_000));
  const sh = (script: string) => ({ argv: ["sh", "-c", script], cwd: null, env: {} });

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "countersign-runner-"));
    await mkdir(path.join(folder, "work"));
    const config: RunnerConfig = {
      workdir: path.join(folder, "work"),
      roots: [path.join(folder, "work")],
      journals: path.join(folder, "journals"),
      env: { PATH: "/usr/bin:/bin" },
      link: 3,
      proxyPort: null,
      soleTenant: true, // Not believed: pid 1 here is not bubblewrap, and what runs here is not ours to end.
    };
    const main = path.resolve(import.meta.dirname, "../../src/runner/main.ts");
    child = spawn(process.execPath, [main, JSON.stringify(config)], {
      env: {},
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
    link = runnerLink(child.stdio[3] as Duplex, { exited: (procId) => exited.push(procId) });
    await link.ready;
  });
  afterAll(async () => {
    child.stdio[3]?.destroy();
    await once(child, "exit");
    await rm(folder, { recursive: true });
  });

  test("it sees that egress is not held, so that nobody believes otherwise", async () => {
    const canary: Server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(canary, "listening");
    const { port } = canary.address() as { port: number };
    const attempts = await call("probe", { canaryPort: port, canaryName: "nobody-listens-here" });
    canary.close();
    expect(attempts.find((one) => one.attempt === "the host's 127.0.0.1")).toMatchObject({ reached: true });
    expect(attempts.find((one) => one.attempt === "the host's abstract sockets")).toMatchObject({ reached: false });
  });

  test("killAll ends its own and nobody else", async () => {
    const stranger = spawn("sleep", ["1000"], { stdio: "ignore", detached: true });
    await call("start", { procId: "mine", ...sh("setsid sleep 1000 & sleep 1000") });
    await call("killAll", {});
    expect(await call("processes", {})).toMatchObject([{ procId: "mine", state: "exited" }]);
    expect(stranger.exitCode).toBeNull();
    expect(stranger.signalCode).toBeNull();
    stranger.kill("SIGKILL");
    await once(stranger, "exit");
  });

  test("journals and the exit are files that can be read without it", async () => {
    await call("start", { procId: "files", ...sh("read line; echo got $line; echo err >&2; exit 7") });
    await call("input", { procId: "files", at: 0, data: Buffer.from("hello\n").toString("base64") });
    await expect.poll(() => exited).toContain("files");
    const at = (name: string) => readFile(path.join(folder, "journals/files", name), "utf8");
    expect([await at("in"), await at("out"), await at("err")]).toEqual(["hello\n", "got hello\n", "err\n"]);
    expect(JSON.parse(await at("exit.json"))).toMatchObject({ code: 7, signal: null });
  });

  test("output to /dev/stdout appends like any other, and cannot cut the journal", async () => {
    await call("start", {
      procId: "cut",
      ...sh("echo one; echo two > /dev/stdout; echo no > /dev/stderr; echo three"),
    });
    await expect.poll(() => exited).toContain("cut");
    const { data, ended } = await call("output", { procId: "cut", stream: "out", from: 0, waitMs: 0 });
    expect(Buffer.from(data, "base64").toString()).toBe("one\ntwo\nthree\n");
    expect(ended).toBe(true);
  });

  test("a call it does not know, or with a field too many, is refused by name", async () => {
    await expect(link.call("nonsense" as Op, {} as never, AbortSignal.timeout(1_000))).rejects.toMatchObject({
      code: "invalid",
    });
    await expect(call("kill", { procId: "x", signal: "HUP" as "TERM" })).rejects.toMatchObject({ code: "invalid" });
    await expect(call("kill", { procId: "nobody", signal: "TERM" })).rejects.toMatchObject({ code: "not_found" });
  });

  test("each stream of exec is cut at 1 MiB and says so", async () => {
    const result = await call("exec", { ...sh("head -c 3000000 /dev/zero | tr '\\0' x"), timeoutMs: 10_000 });
    expect(result.truncated).toBe(true);
    expect(result.stdout).toHaveLength(1024 * 1024);
  });
});
