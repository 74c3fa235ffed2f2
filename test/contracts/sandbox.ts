import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Command,
  type Sandbox,
  SandboxError,
  type SandboxErrorCode,
  type SandboxProvider,
  type SandboxSpec,
  type Stream,
} from "#ports/sandbox.ts";
import { BURST, PROGRAMS } from "./sandbox-programs.ts";

/** What the contract needs of an adapter under test. */
export interface SandboxBench {
  readonly provider: SandboxProvider;
  /** As a process that has just started would have it. */
  again(): SandboxProvider;
  /** An image there is. */
  readonly image: string;
  /** Lets time pass where it can be told to; where it cannot, the contract waits. */
  readonly pass?: (ms: number) => void;
  dispose(): Promise<void>;
}

const LIMITS = { memoryMiB: 256, pids: 64 };
const calm = () => AbortSignal.timeout(25_000);
const SECOND = { timeoutMs: 10_000 };

/**
 * What every sandbox provider must do; the numbers are those of the conformance list. `skip`: sentence → reason.
 */
export function sandboxContract(
  name: string,
  makeBench: () => Promise<SandboxBench>,
  o: { skip?: Record<string, string> } = {},
): void {
  describe(`the sandbox contract, over ${name}`, () => {
    let bench: SandboxBench;
    const made: string[] = [];
    let keys = 0;

    beforeAll(async () => {
      bench = await makeBench();
    });
    afterAll(async () => {
      for (const id of made) await bench.provider.destroy(id);
      await bench.dispose();
    });

    const specOf = (more: Partial<SandboxSpec> = {}): SandboxSpec => {
      keys += 1;
      return {
        key: `contract/${keys}`,
        image: bench.image,
        labels: {},
        gateway: null,
        limits: LIMITS,
        ttlMs: 600_000,
        ...more,
      };
    };
    const create = async (more: Partial<SandboxSpec> = {}, signal = calm()): Promise<Sandbox> => {
      const sandbox = await bench.provider.create(specOf(more), signal);
      made.push(sandbox.id);
      return sandbox;
    };
    /** One sandbox that the gentle cases share. */
    let shared: Promise<Sandbox> | null = null;
    const common = (): Promise<Sandbox> => {
      shared ??= create();
      return shared;
    };
    const unused = Object.keys(o.skip ?? {});
    const holds = (sentence: string, body: () => Promise<void>) => {
      const reason = o.skip?.[sentence];
      if (unused.includes(sentence)) unused.splice(unused.indexOf(sentence), 1);
      if (reason === undefined) test(sentence, body);
      else test.skip(`${sentence} (not here: ${reason})`, body);
    };

    holds("a new sandbox runs a command and tells its output and its exit", async () => {
      const result = await (await common()).exec(PROGRAMS.hello, SECOND);
      expect(result).toMatchObject({
        exitCode: 3,
        signal: null,
        stdout: "hello\n",
        stderr: "oops\n",
        truncated: false,
        timedOut: false,
      });
    });

    holds("the same key and spec give the same sandbox, at once and later", async () => {
      const spec = specOf({ labels: { run: "twice" } });
      const both = await Promise.all([bench.provider.create(spec, calm()), bench.again().create(spec, calm())]);
      made.push(both[0].id);
      const later = await bench.again().create(spec, calm());
      expect(new Set([...both, later].map((one) => one.id)).size).toBe(1);
      expect(await bench.provider.list({ run: "twice" })).toHaveLength(1);
    });

    holds("the same key with another spec conflicts", async () => {
      const spec = specOf();
      made.push((await bench.provider.create(spec, calm())).id);
      await refused("conflict", bench.provider.create({ ...spec, limits: { memoryMiB: 512, pids: 64 } }, calm()));
    });

    holds("a create that is aborted leaves nothing", async () => {
      const before = (await bench.provider.list({})).length;
      await expect(create({}, AbortSignal.abort(new Error("never mind")))).rejects.toThrow("never mind");
      const midway = new AbortController();
      const creating = create({ labels: { run: "midway" } }, midway.signal);
      midway.abort(new Error("not now"));
      await creating.then(
        (sandbox) => bench.provider.destroy(sandbox.id), // It was faster than we were.
        (error: unknown) => expect(String(error)).toContain("not now"),
      );
      expect(await bench.provider.list({})).toHaveLength(before);
    });

    holds("a spec that cannot be honoured is refused, not bent", async () => {
      await refused("invalid", create({ key: "two words" }));
      await refused("invalid", create({ gateway: "http://example.test" }));
      await refused("invalid", create({ image: "../escape" }));
      await refused("invalid", create({ ttlMs: 0 }));
    });

    holds("a fresh process attaches and finds the running process and all its output", async () => {
      const sandbox = await create();
      await sandbox.start("agent", PROGRAMS.cat);
      await sandbox.input("agent", 0, Buffer.from("first\n"));
      await until(sandbox, "agent", "out", "first\n");
      const found = await bench.again().attach(sandbox.id);
      expect(await found.processes()).toMatchObject([{ procId: "agent", state: "running", exit: null }]);
      await found.input("agent", 6, Buffer.from("second\n"));
      expect(await until(found, "agent", "out", "first\nsecond\n")).toBe("first\nsecond\n");
      expect({ key: found.key, workdir: found.workdir, home: found.home }).toEqual({
        key: sandbox.key,
        workdir: sandbox.workdir,
        home: sandbox.home,
      });
    });

    holds("attaching to what was never there is not_found and starts nothing", async () => {
      const before = await bench.provider.list({});
      await refused("not_found", bench.provider.attach("sb_00000000000000000000"));
      await refused("not_found", bench.provider.attach("../../etc"));
      expect(await bench.provider.list({})).toHaveLength(before.length);
    });

    holds("a list by label finds what a crash left behind", async () => {
      const sandbox = await create({ labels: { installation: "one", run: "lost" } });
      const found = await bench.again().list({ installation: "one", run: "lost" });
      expect(found).toMatchObject([{ id: sandbox.id, key: sandbox.key, state: "running", labels: { run: "lost" } }]);
      expect(found[0]?.expiresAt.getTime()).toBe((found[0]?.createdAt.getTime() ?? 0) + 600_000);
      expect(await bench.provider.list({ installation: "one", run: "other" })).toEqual([]);
      expect(await sandbox.info()).toEqual(found[0]);
    });

    holds("destroy may be repeated, and what is destroyed is gone", async () => {
      const sandbox = await create();
      await bench.provider.destroy(sandbox.id);
      await bench.again().destroy(sandbox.id);
      await refused("gone", sandbox.exec(PROGRAMS.hello, SECOND));
      await refused("not_found", bench.provider.attach(sandbox.id));
      expect((await bench.provider.list({})).map((one) => one.id)).not.toContain(sandbox.id);
    });

    holds("a sandbox ends when its time is over, whoever is watching", async () => {
      const ttlMs = bench.pass === undefined ? 1_500 : 60_000;
      const sandbox = await create({ ttlMs, labels: { run: "short" } });
      expect(await bench.provider.list({ run: "short" })).toHaveLength(1);
      bench.pass?.(ttlMs);
      await expect.poll(() => bench.provider.list({ run: "short" }), { timeout: 20_000 }).toEqual([]);
      await refused("not_found", bench.provider.attach(sandbox.id));
    });

    holds("output is byte-exact from any offset, through a 5 MB burst", async () => {
      const sandbox = await common();
      await sandbox.start("burst", PROGRAMS.burst);
      const whole = await collect(sandbox, "burst", "out", 0);
      expect(whole.equals(BURST)).toBe(true);
      expect((await collect(sandbox, "burst", "out", 4_999_990)).equals(BURST.subarray(4_999_990))).toBe(true);
      const other = await bench.again().attach(sandbox.id);
      expect((await collect(other, "burst", "out", 1_234_567)).equals(BURST.subarray(1_234_567))).toBe(true);
      expect(await collect(other, "burst", "out", BURST.length)).toHaveLength(0);
    });

    holds("a stream that is cut does not look like its end", async () => {
      const sandbox = await create();
      await sandbox.start("agent", PROGRAMS.forever);
      await until(sandbox, "agent", "out", "started\n");
      const cut = new AbortController();
      const following = collect(sandbox, "agent", "out", 0, cut.signal);
      cut.abort(new Error("the line is cut"));
      await expect(following).rejects.toThrow("the line is cut");
      const lost = collect(sandbox, "agent", "out", 0);
      await Promise.all([expect(lost).rejects.toThrow(SandboxError), bench.provider.destroy(sandbox.id)]);
    });

    holds("bytes that look like another protocol's markers are only bytes", async () => {
      const sandbox = await common();
      await sandbox.start("markers", PROGRAMS.markers);
      expect((await collect(sandbox, "markers", "out", 0)).toString("latin1")).toBe("a\x01\x01\x01b\x02\x02\x02c\x00d");
      expect(await collect(sandbox, "markers", "err", 0)).toHaveLength(0);
    });

    holds("exit code, signal and death by memory are told apart", async () => {
      const sandbox = await create();
      const { capabilities } = await bench.provider.preflight();
      await sandbox.start("code", PROGRAMS.hello);
      await sandbox.start("signal", PROGRAMS.forever);
      await until(sandbox, "signal", "out", "started\n");
      await sandbox.kill("signal", "TERM");
      await collect(sandbox, "code", "out", 0);
      await collect(sandbox, "signal", "out", 0);
      const exits = await endings(sandbox);
      expect(exits.get("code")).toEqual({ code: 3, signal: null, oom: false });
      expect(exits.get("signal")).toEqual({ code: null, signal: "SIGTERM", oom: false });
      if (capabilities.limits.memory !== "hard" && capabilities.isolation !== "none") return;
      await sandbox.start("memory", PROGRAMS.greedy);
      await collect(sandbox, "memory", "out", 0);
      expect((await endings(sandbox)).get("memory")).toEqual({ code: null, signal: "SIGKILL", oom: true });
      expect((await sandbox.exec(PROGRAMS.hello, SECOND)).exitCode).toBe(3);
    });

    holds("a program that cannot be started is a process that ended with 127", async () => {
      const sandbox = await common();
      const result = await sandbox.exec({ argv: ["no-such-program"] }, SECOND);
      expect(result).toMatchObject({ exitCode: 127, stderr: "cannot start no-such-program: ENOENT\n" });
    });

    holds("an exec that takes too long is killed and says so", async () => {
      const result = await (await common()).exec(PROGRAMS.forever, { timeoutMs: 500 });
      expect(result).toMatchObject({ timedOut: true, exitCode: null, signal: "SIGKILL", stdout: "started\n" });
      await refused("invalid", (await common()).exec(PROGRAMS.hello, { timeoutMs: 3_600_000 }));
    });

    holds("an exec that is called off is killed", async () => {
      const off = new AbortController();
      const running = (await common()).exec(PROGRAMS.forever, { timeoutMs: 60_000, signal: off.signal });
      off.abort(new Error("called off"));
      await expect(running).rejects.toThrow("called off");
    });

    holds("starting the same process twice starts it once", async () => {
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

    holds("input that is repeated is written once, and other bytes conflict", async () => {
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

    holds("kill takes a finished process calmly, and killAll leaves nobody", async () => {
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

    holds("a command sees a clean environment, and no other command sees its token", async () => {
      const sandbox = await common();
      const token: Command = {
        ...PROGRAMS.environment,
        env: { HTTPS_PROXY: "http://token-of-one-command@127.0.0.1:3128" },
      };
      const mine = await sandbox.exec(token, SECOND);
      expect(mine.stdout).toContain("token-of-one-command");
      const others = await sandbox.exec(PROGRAMS.environment, SECOND);
      const names = others.stdout
        .trim()
        .split("\n")
        .map((line) => line.split("=")[0]);
      expect(names.filter((each) => each !== "COUNTERSIGN_PROC").sort()).toEqual(["HOME", "LANG", "PATH", "TERM"]);
      expect(JSON.stringify([others, await sandbox.info(), await sandbox.processes()])).not.toContain(
        "token-of-one-command",
      );
    });

    holds("a command runs in the workspace unless it is told where", async () => {
      const sandbox = await common();
      expect((await sandbox.exec(PROGRAMS.where, SECOND)).stdout).toBe(`${sandbox.workdir}\n`);
      expect((await sandbox.exec({ ...PROGRAMS.where, cwd: "/tmp" }, SECOND)).stdout).toBe("/tmp\n");
      expect(sandbox.home.startsWith(`${sandbox.workdir}/`)).toBe(false);
    });

    holds("files come back as they were written, and never from elsewhere", async () => {
      const sandbox = await common();
      const every = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
      await sandbox.write(`${sandbox.workdir}/deep/er/all.bin`, every, { mode: 0o750 });
      await sandbox.write(`${sandbox.workdir}/deep/er/all.bin`, every);
      expect(
        Buffer.from(await sandbox.read(`${sandbox.workdir}/deep/er/all.bin`, { maxBytes: 256 })).equals(every),
      ).toBe(true);
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

    test("every skipped sentence is one of the contract's", () => {
      expect(unused).toEqual([]);
    });
  });
}

/** The promise must fail with this code. */
export async function refused(code: SandboxErrorCode, promise: Promise<unknown>): Promise<void> {
  const outcome = await promise.then(
    () => "it succeeded",
    (error: unknown) => (error instanceof SandboxError ? error.code : error),
  );
  expect(outcome).toBe(code);
}

/** Follows a stream to its end. */
export async function collect(
  sandbox: Sandbox,
  procId: string,
  stream: Stream,
  from: number,
  signal = calm(),
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of sandbox.output(procId, stream, from, { follow: true, signal })) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Follows a stream until it has said `text`. */
export async function until(sandbox: Sandbox, procId: string, stream: Stream, text: string): Promise<string> {
  let said = "";
  for await (const piece of sandbox.output(procId, stream, 0, { follow: true, signal: calm() })) {
    said += Buffer.from(piece).toString("utf8");
    if (said.includes(text)) break;
  }
  return said;
}

async function endings(sandbox: Sandbox) {
  return new Map((await sandbox.processes()).map((one) => [one.procId, one.exit]));
}
