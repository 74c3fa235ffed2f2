import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox, SandboxSpec } from "#ports/sandbox.ts";
import { Secret } from "#ports/secret.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { collect, refused, SECOND, until } from "#test/contracts/sandbox-bench.ts";
import { BURST, PROGRAMS } from "#test/contracts/sandbox-programs.ts";
import { type DaytonaBench, daytonaBench } from "./sandbox-daytona-bench.ts";
import { noBubblewrap } from "./sandbox-local-bench.ts";

const calm = () => AbortSignal.timeout(25_000);
const MINUTE_MS = 60_000;
const HELLO = { exitCode: 3, stdout: "hello\n", stderr: "oops\n" };

describe.skipIf(noBubblewrap !== null)(
  `Daytona when it goes wrong${noBubblewrap === null ? "" : ` (not here: ${noBubblewrap})`}`,
  () => {
    let bench: DaytonaBench;
    let keys = 0;
    const specOf = (more: Partial<SandboxSpec> = {}): SandboxSpec => {
      keys += 1;
      const limits = { memoryMiB: 256, pids: 64 };
      return { key: `fault/${keys}`, image: "base", labels: {}, gateway: null, limits, ttlMs: 60 * MINUTE_MS, ...more };
    };
    const create = (more: Partial<SandboxSpec> = {}): Promise<Sandbox> => bench.provider.create(specOf(more), calm());
    const calls = (method: string, path: RegExp) =>
      bench.double.seen.filter((one) => one.method === method && path.test(one.path));

    beforeAll(async () => {
      bench = await daytonaBench();
    });
    afterEach(async () => {
      Object.assign(bench.double.faults, {
        throttled: { times: 0, seconds: 1, name: "authenticated" },
        starting: Promise.resolve(),
        reads: Promise.resolve(),
        droppedCreates: 0,
        lostCreates: 0,
        cutCreates: 0,
        cutAnswers: 0,
        replays: 0,
        stopsIdle: false,
        openNetwork: false,
        lowTier: false,
        pageSize: 50,
      });
      for (const { id } of await bench.provider.list({})) await bench.provider.destroy(id);
      bench.double.seen.length = 0;
      bench.pauses.length = 0;
    });
    afterAll(() => bench.dispose());

    test.for(["lostCreates", "cutCreates"] as const)(
      "a create whose answer is lost (%s) is found by its label",
      async (fault) => {
        bench.double.faults[fault] = 1;
        const sandbox = await create({ labels: { run: "lost" } });
        expect(await sandbox.exec(PROGRAMS.hello, SECOND)).toMatchObject(HELLO);
        expect(await bench.provider.list({ run: "lost" })).toHaveLength(1);
        expect(calls("POST", /^\/api\/sandbox$/)).toHaveLength(1);
      },
    );

    test("a create that was lost on its way is of unknown outcome, and the same key makes one when it is tried again", async () => {
      const spec = specOf({ labels: { run: "dropped" } });
      bench.double.faults.droppedCreates = 1;
      await refused("unknown_outcome", bench.provider.create(spec, calm()));
      expect(bench.double.sandboxes()).toEqual([]);
      const sandbox = await bench.provider.create(spec, calm());
      expect(await sandbox.exec(PROGRAMS.hello, SECOND)).toMatchObject(HELLO);
      expect(await bench.provider.list({ run: "dropped" })).toMatchObject([{ id: sandbox.id, key: spec.key }]);
      expect(calls("POST", /^\/api\/sandbox$/)).toHaveLength(2);
    });

    test("a create that takes its time is waited for, by its notification", async () => {
      const [gate, reads] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      Object.assign(bench.double.faults, { starting: gate.promise, reads: reads.promise });
      const before = bench.double.followed();
      // A client of its own, so that its listening is told from anybody else's.
      const making = bench.other({}).create(specOf(), calm());
      let made: Sandbox | null = null;
      making.then((sandbox) => (made = sandbox)).catch(() => undefined);
      try {
        // The client asks too, every second, and would hear nothing: only what it is told can end its wait.
        await expect.poll(() => calls("GET", /^\/api\/sandbox\/[^/]+$/).length, { timeout: 10_000 }).toBe(1);
        await expect.poll(() => bench.double.followed(), { timeout: 10_000 }).toBeGreaterThan(before);
        gate.resolve();
        await expect.poll(() => made, { timeout: 15_000 }).not.toBeNull();
      } finally {
        gate.resolve();
        reads.resolve();
      }
      expect(await (await making).exec(PROGRAMS.hello, SECOND)).toMatchObject(HELLO);
    });

    test("a create that fails leaves nothing, and the key is free for another try", async () => {
      const spec = specOf();
      bench.double.faults.starting = Promise.reject(new Error("no runner has room"));
      bench.double.faults.starting.catch(() => undefined);
      await expect(bench.provider.create(spec, calm())).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringContaining("no runner has room"),
      });
      expect(await bench.provider.list({})).toEqual([]);
      bench.double.faults.starting = Promise.resolve();
      expect((await bench.provider.create(spec, calm())).key).toBe(spec.key);
    });

    test("a create that is called off while it starts leaves nothing", async () => {
      const gate = Promise.withResolvers<void>();
      bench.double.faults.starting = gate.promise;
      const off = new AbortController();
      const making = bench.provider.create(specOf(), off.signal);
      await expect.poll(() => calls("POST", /^\/api\/sandbox$/).length).toBe(1);
      off.abort(new Error("called off"));
      gate.resolve();
      await expect(making).rejects.toThrow("called off");
      expect(await bench.provider.list({})).toEqual([]);
    });

    test("too many calls: the call is made again when the platform said, and not before", async () => {
      bench.double.faults.throttled = { times: 2, seconds: 7, name: "sandbox-create" };
      const sandbox = await create();
      expect(bench.pauses.filter((ms) => ms === 7_000)).toHaveLength(2);
      bench.double.faults.throttled = { times: 1, seconds: 3, name: "sandbox-lifecycle" };
      expect(await sandbox.exec(PROGRAMS.hello, SECOND)).toMatchObject(HELLO);
      expect(bench.pauses).toContain(3_000);
    });

    test("a platform that wants us to wait for minutes is unavailable, and nothing was made", async () => {
      bench.double.faults.throttled = { times: 1_000, seconds: 90, name: "sandbox-create" };
      await refused("unavailable", create());
      bench.double.faults.throttled.times = 0;
      expect(await bench.provider.list({})).toEqual([]);
    });

    test("answers that are cut in the middle cost another question, and no byte", async () => {
      const sandbox = await create();
      bench.double.faults.cutAnswers = 2;
      expect(await sandbox.exec(PROGRAMS.hello, SECOND)).toMatchObject(HELLO);
      await sandbox.start("burst", PROGRAMS.burst);
      bench.double.faults.cutAnswers = 3;
      expect((await collect(sandbox, "burst", "out", 0)).equals(BURST)).toBe(true);
      expect(bench.double.faults.cutAnswers).toBe(0);
    });

    test("a command whose answer was cut is not run twice", async () => {
      const sandbox = await create();
      bench.double.faults.cutAnswers = 2;
      const append = { argv: ["sh", "-c", "echo once >> marks; cat marks"] };
      expect((await sandbox.exec(append, SECOND)).stdout).toBe("once\n");
    });

    test("an answer that is the one before is known for what it is", async () => {
      const sandbox = await create();
      await sandbox.start("cat", PROGRAMS.cat);
      await sandbox.input("cat", 0, Buffer.from("one\n"));
      await until(sandbox, "cat", "out", "one\n");
      bench.double.faults.replays = 2;
      await sandbox.input("cat", 4, Buffer.from("two\n"));
      bench.double.faults.replays = 2;
      expect(await until(sandbox, "cat", "out", "one\ntwo\n")).toBe("one\ntwo\n");
      expect(bench.double.faults.replays).toBe(0);
    });

    test("an agent that says nothing for hours is not stopped as idle, and its time to live stays", async () => {
      const sandbox = await create();
      await sandbox.start("agent", PROGRAMS.cat);
      for (let minutes = 0; minutes < 50; minutes += 10) bench.pass(10 * MINUTE_MS);
      await sandbox.input("agent", 0, Buffer.from("still here\n"));
      expect(await until(sandbox, "agent", "out", "still here\n")).toBe("still here\n");
      bench.pass(10 * MINUTE_MS);
      await refused("gone", sandbox.exec(PROGRAMS.hello, SECOND));
    });

    test("whoever follows a silent agent keeps its sandbox alive where idleness is ended all the same", async () => {
      const sandbox = await create();
      bench.double.faults.stopsIdle = true;
      await sandbox.start("agent", PROGRAMS.cat);
      const stop = new AbortController();
      const following = collect(sandbox, "agent", "out", 0, stop.signal);
      following.catch(() => undefined);
      for (let at = 0; at < 3; at += 1) {
        bench.pass(6 * MINUTE_MS);
        // A line wakes the one who follows; that it was told is what the platform has seen.
        await sandbox.input("agent", at * 2, Buffer.from(`${at}\n`));
        await expect.poll(() => calls("POST", /\/last-activity$/).length, { timeout: 20_000 }).toBeGreaterThan(at);
      }
      expect(await sandbox.processes()).toMatchObject([{ procId: "agent", state: "running" }]);
      stop.abort(new Error("enough"));
      await expect(following).rejects.toThrow("enough");
    });

    test("a sandbox that was stopped as idle is gone: listed as stopped, never started again, destroyed", async () => {
      const sandbox = await create({ labels: { run: "idle" } });
      await sandbox.start("agent", PROGRAMS.cat);
      bench.double.faults.stopsIdle = true;
      bench.pass(16 * MINUTE_MS);
      await refused("gone", sandbox.exec(PROGRAMS.hello, SECOND));
      await refused("gone", collect(sandbox, "agent", "out", 0));
      await refused("gone", bench.again().attach(sandbox.id));
      await refused("gone", bench.provider.create(specOf({ key: sandbox.key, labels: { run: "idle" } }), calm()));
      expect(await bench.provider.list({ run: "idle" })).toMatchObject([{ id: sandbox.id, state: "stopped" }]);
      await bench.provider.destroy(sandbox.id);
      expect(await bench.provider.list({ run: "idle" })).toEqual([]);
    });

    test("a sandbox from which the world can be reached is refused and removed, with what was reached", async () => {
      bench.double.faults.openNetwork = true;
      const made = create({ gateway: "unix:/the/gateway.sock" });
      await expect(made).rejects.toMatchObject({
        code: "policy_unenforceable",
        message: expect.stringMatching(/can reach https:\/\/example\.com by the platform's proxy.*third tier/),
      });
      expect(await bench.provider.list({})).toEqual([]);
    });

    test("an organisation that may have no allow list is told so, and nothing is made", async () => {
      bench.double.faults.lowTier = true;
      await expect(create({ gateway: "unix:/the/gateway.sock" })).rejects.toMatchObject({
        code: "policy_unenforceable",
        message: expect.stringMatching(/tier.*third tier/s),
      });
      expect(await bench.provider.list({})).toEqual([]);
    });

    test("a gateway that cannot be reached from inside is said with its address, and nothing is left", async () => {
      const provider = bench.other({ gatewayUrl: "https://gateway.test:1" });
      const spec = specOf({ gateway: "unix:/the/gateway.sock" });
      await expect(provider.create(spec, AbortSignal.timeout(60_000))).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringContaining("the gateway at https://gateway.test:1 cannot be reached"),
      });
      expect(await bench.provider.list({})).toEqual([]);
    });

    test("a snapshot of another size than policy says is refused and removed; an image is given that size", async () => {
      const provider = bench.other({ base: { snapshot: "four-gib" } });
      await expect(provider.create(specOf(), calm())).rejects.toMatchObject({
        code: "policy_unenforceable",
        message: expect.stringContaining("the sandbox has 4 GiB of memory and not 1"),
      });
      expect(await bench.provider.list({})).toEqual([]);
      expect(calls("POST", /^\/api\/sandbox$/).at(-1)?.body).toMatchObject({ snapshot: "four-gib" });
      await create({ limits: { memoryMiB: 1_500, pids: 64, cpus: 2, diskMiB: 5_000 } });
      expect(calls("POST", /^\/api\/sandbox$/).at(-1)?.body).toMatchObject({ cpu: 2, memory: 2, disk: 4 });
    });

    test("a list goes through all of its pages, and another installation's sandboxes are not in it", async () => {
      bench.double.faults.pageSize = 1;
      await Promise.all([create({ labels: { app: "x" } }), create({ labels: { app: "x" } })]);
      const other = bench.other({ installation: () => "installation-2" });
      const theirs = await other.create(specOf({ labels: { app: "x" } }), calm());
      expect(await bench.provider.list({ app: "x" })).toHaveLength(2);
      expect((await other.list({ app: "x" })).map(({ id }) => id)).toEqual([theirs.id]);
      await refused("not_found", bench.provider.attach(theirs.id));
      await bench.provider.destroy(theirs.id);
      expect(await other.list({})).toHaveLength(1);
      await other.destroy(theirs.id);
    });

    test("what the platform is told holds no token and no secret, and all of it is what its client may say", async () => {
      const token = "tok-of-this-run";
      const spec = specOf({ gateway: "unix:/the/gateway.sock", token: new Secret("sandbox_token", token) });
      await bench.world.client.grant(granted(spec.key.replace("/", "-"), token));
      const sandbox = await bench.provider.create({ ...spec, key: spec.key.replace("/", "-") }, calm());
      const env = { API_KEY: "value-of-a-secret" };
      await sandbox.exec({ argv: ["true"], env }, SECOND);
      await sandbox.start("agent", { ...PROGRAMS.cat, env });
      await sandbox.input("agent", 0, Buffer.from("words-of-a-person\n"));
      await sandbox.write(`${sandbox.home}/.gitconfig`, `[http]\n\textraHeader = ${token}\n`);
      const record = bench.double.record();
      for (const each of [token, ...Object.values(env), "words-of-a-person"]) {
        expect(record).not.toContain(each);
        expect(record).not.toContain(Buffer.from(each).toString("base64").replace(/=+$/, "").slice(2, -2));
      }
      const [order] = calls("POST", /^\/api\/sandbox$/).map(({ body }) => body as Record<string, unknown>);
      expect(order).toMatchObject({ autoStopInterval: 0, ttlMinutes: 60, domainAllowList: "gateway.test", env: {} });
      expect(bench.double.invalid).toEqual([]);
    });

    test("no output is ever read as a stream, nor from a session's log", async () => {
      const sandbox = await create();
      await sandbox.start("code", PROGRAMS.hello);
      expect((await collect(sandbox, "code", "out", 0)).toString()).toBe("hello\n");
      const used = new Set(calls("POST", /^\/toolbox\//).map(({ path }) => path.replace(/^\/toolbox\/[^/]+/, "")));
      expect([...used].sort()).toEqual(["/files/bulk-upload", "/process/execute"]);
      expect(bench.double.invalid).toEqual([]);
    });
  },
);

const granted = (sandbox: string, token: string) => bareGrant({ sandbox, run: "r", tokenHash: hashOf(token) });
