import { expect } from "vitest";
import { type Sandbox, SandboxError } from "#ports/sandbox.ts";
import { type Cases, collect, refused, SECOND, until } from "./sandbox-bench.ts";
import { BURST, PROGRAMS } from "./sandbox-programs.ts";

/** What becomes of a program that is started, and of what goes into it and comes out. */
export function processCases({ bench, create, common, holds, cannotShow }: Cases): void {
  holds(12, "output is byte-exact from any offset, through a 5 MB burst", async () => {
    const sandbox = await common();
    await sandbox.start("burst", PROGRAMS.burst);
    const whole = await collect(sandbox, "burst", "out", 0);
    expect(whole.equals(BURST)).toBe(true);
    expect((await collect(sandbox, "burst", "out", 4_999_990)).equals(BURST.subarray(4_999_990))).toBe(true);
    const other = await bench().again().attach(sandbox.id);
    expect((await collect(other, "burst", "out", 1_234_567)).equals(BURST.subarray(1_234_567))).toBe(true);
    expect(await collect(other, "burst", "out", BURST.length)).toHaveLength(0);
  });

  holds(13, "a stream that is cut does not look like its end", async () => {
    const sandbox = await create();
    await sandbox.start("agent", PROGRAMS.forever);
    await until(sandbox, "agent", "out", "started\n");
    const cut = new AbortController();
    const following = collect(sandbox, "agent", "out", 0, cut.signal);
    cut.abort(new Error("the line is cut"));
    await expect(following).rejects.toThrow("the line is cut");
    const lost = collect(sandbox, "agent", "out", 0);
    await Promise.all([expect(lost).rejects.toThrow(SandboxError), bench().provider.destroy(sandbox.id)]);
  });

  holds(14, "bytes that look like another protocol's markers are only bytes", async () => {
    const sandbox = await common();
    await sandbox.start("markers", PROGRAMS.markers);
    expect((await collect(sandbox, "markers", "out", 0)).toString("latin1")).toBe("a\x01\x01\x01b\x02\x02\x02c\x00d");
    expect(await collect(sandbox, "markers", "err", 0)).toHaveLength(0);
  });

  holds(15, "exit code and signal are told apart", async () => {
    const sandbox = await create();
    await sandbox.start("code", PROGRAMS.hello);
    await sandbox.start("signal", PROGRAMS.forever);
    await until(sandbox, "signal", "out", "started\n");
    await sandbox.kill("signal", "TERM");
    await collect(sandbox, "code", "out", 0);
    await collect(sandbox, "signal", "out", 0);
    const exits = await endings(sandbox);
    expect(exits.get("code")).toEqual({ code: 3, signal: null, oom: false });
    expect(exits.get("signal")).toEqual({ code: null, signal: "SIGTERM", oom: false });
  });

  holds(15, "a death by memory is told from every other, and the sandbox outlives it", async (ctx) => {
    const { capabilities } = await bench().provider.preflight();
    if (capabilities.limits.memory !== "hard" && capabilities.isolation !== "none")
      cannotShow(ctx, 15, "nothing limits memory on this machine, and preflight says so");
    const sandbox = await create();
    await sandbox.start("memory", PROGRAMS.greedy);
    await collect(sandbox, "memory", "out", 0);
    expect((await endings(sandbox)).get("memory")).toEqual({ code: null, signal: "SIGKILL", oom: true });
    expect((await sandbox.exec(PROGRAMS.hello, SECOND)).exitCode).toBe(3);
  });

  holds(null, "a program that cannot be started is a process that ended with 127", async () => {
    const sandbox = await common();
    const result = await sandbox.exec({ argv: ["no-such-program"] }, SECOND);
    expect(result).toMatchObject({ exitCode: 127, stderr: "cannot start no-such-program: ENOENT\n" });
  });

  holds(18, "an exec that takes too long is killed and says so", async () => {
    const result = await (await common()).exec(PROGRAMS.forever, { timeoutMs: 500 });
    expect(result).toMatchObject({ timedOut: true, exitCode: null, signal: "SIGKILL", stdout: "started\n" });
    await refused("invalid", (await common()).exec(PROGRAMS.hello, { timeoutMs: 3_600_000 }));
  });

  holds(null, "an exec that is called off is killed", async () => {
    const off = new AbortController();
    const running = (await common()).exec(PROGRAMS.forever, { timeoutMs: 60_000, signal: off.signal });
    off.abort(new Error("called off"));
    await expect(running).rejects.toThrow("called off");
  });

  holds(19, "starting the same process twice starts it once", async () => {
    const sandbox = await create();
    const [first, second] = await Promise.all([
      sandbox.start("agent", PROGRAMS.cat),
      sandbox.start("agent", PROGRAMS.cat),
    ]);
    expect(second).toEqual(first);
    expect(await sandbox.start("agent", PROGRAMS.hello)).toEqual(first);
    expect(await sandbox.processes()).toHaveLength(1);
    await refused("invalid", sandbox.start("../agent", PROGRAMS.cat));
  });

  holds(null, "input that is repeated is written once, and other bytes conflict", async () => {
    const sandbox = await create();
    await sandbox.start("agent", PROGRAMS.cat);
    await sandbox.input("agent", 0, Buffer.from("one\n"));
    await sandbox.input("agent", 0, Buffer.from("one\n"));
    await sandbox.input("agent", 2, Buffer.from("e\ntwo\n"));
    await refused("conflict", sandbox.input("agent", 0, Buffer.from("ONE\n")));
    await refused("conflict", sandbox.input("agent", 9, Buffer.from("gap\n")));
    expect(await until(sandbox, "agent", "out", "one\ntwo\n")).toBe("one\ntwo\n");
    expect(await until(sandbox, "agent", "in", "one\ntwo\n")).toBe("one\ntwo\n");
    await sandbox.kill("agent", "KILL");
    await sandbox.input("agent", 4, Buffer.from("two\n"));
    await refused("invalid", sandbox.input("agent", 8, Buffer.from("three\n")));
    await refused("not_found", sandbox.input("nobody", 0, Buffer.from("hello")));
  });

  holds(null, "kill takes a finished process calmly, and killAll leaves nobody", async () => {
    const sandbox = await create();
    await sandbox.start("one", PROGRAMS.forever);
    await sandbox.start("two", PROGRAMS.cat);
    await sandbox.kill("one", "KILL");
    await sandbox.kill("one", "KILL");
    await sandbox.kill("one", "TERM");
    await sandbox.killAll();
    await sandbox.killAll();
    expect((await sandbox.processes()).map((one) => one.state)).toEqual(["exited", "exited"]);
    expect((await sandbox.exec(PROGRAMS.hello, SECOND)).exitCode).toBe(3);
  });

  holds(null, "a command runs in the workspace unless it is told where", async () => {
    const sandbox = await common();
    expect((await sandbox.exec(PROGRAMS.where, SECOND)).stdout).toBe(`${sandbox.workdir}\n`);
    expect((await sandbox.exec({ ...PROGRAMS.where, cwd: "/tmp" }, SECOND)).stdout).toBe("/tmp\n");
    expect(sandbox.home.startsWith(`${sandbox.workdir}/`)).toBe(false);
  });

  holds(28, "files come back as they were written, and never from elsewhere", async () => {
    const sandbox = await common();
    const every = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    await sandbox.write(`${sandbox.workdir}/deep/er/all.bin`, every, { mode: 0o750 });
    await sandbox.write(`${sandbox.workdir}/deep/er/all.bin`, every);
    expect(Buffer.from(await sandbox.read(`${sandbox.workdir}/deep/er/all.bin`, { maxBytes: 256 })).equals(every)).toBe(
      true,
    );
    await refused("too_large", sandbox.read(`${sandbox.workdir}/deep/er/all.bin`, { maxBytes: 255 }));
    await refused("not_found", sandbox.read(`${sandbox.workdir}/nothing`, { maxBytes: 1 }));
    for (const path of [
      "/etc/passwd",
      `${sandbox.workdir}/../../etc/passwd`,
      "relative",
      `${sandbox.workdir}/a\0b`,
      "/proc/1/environ",
    ]) {
      await refused("denied_path", sandbox.read(path, { maxBytes: 1_000 }));
      await refused("denied_path", sandbox.write(path, "x"));
    }
  });
}

async function endings(sandbox: Sandbox) {
  return new Map((await sandbox.processes()).map((one) => [one.procId, one.exit]));
}
