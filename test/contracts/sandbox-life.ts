import { expect } from "vitest";
import { type Cases, calm, refused, SECOND, until } from "./sandbox-bench.ts";
import { MARK, PROGRAMS } from "./sandbox-programs.ts";

/** How a sandbox comes to be, is found again, and ends. */
export function lifeCases({ bench, specOf, create, common, holds }: Cases): void {
  holds(1, "a new sandbox runs a command and tells its output and its exit", async () => {
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

  holds(2, "the same key and spec give the same sandbox, at once and later", async () => {
    const spec = specOf({ labels: { run: "twice" } });
    const both = await Promise.all([bench().provider.create(spec, calm()), bench().again().create(spec, calm())]);
    const later = await bench().again().create(spec, calm());
    expect(new Set([...both, later].map((one) => one.id)).size).toBe(1);
    expect(await bench().provider.list({ run: "twice" })).toHaveLength(1);
  });

  holds(3, "the same key with another spec conflicts", async () => {
    const spec = specOf();
    await bench().provider.create(spec, calm());
    await refused("conflict", bench().provider.create({ ...spec, limits: { memoryMiB: 512, pids: 64 } }, calm()));
  });

  holds(4, "a create that is aborted leaves nothing", async () => {
    const before = (await bench().provider.list({})).length;
    const signals = [AbortSignal.abort(new Error("never mind")), ...[1, 25, 75].map((ms) => AbortSignal.timeout(ms))];
    for (const signal of signals) {
      await create({}, signal).then(
        (sandbox) => bench().provider.destroy(sandbox.id), // It was faster than the signal.
        (error: unknown) => expect(error).toBe(signal.reason),
      );
    }
    expect(await bench().provider.list({})).toHaveLength(before);
  });

  holds(null, "a spec that cannot be honoured is refused, not bent", async () => {
    await refused("invalid", create({ key: "two words" }));
    await refused("invalid", create({ gateway: "http://example.test" }));
    await refused("invalid", create({ image: "../escape" }));
    await refused("invalid", create({ ttlMs: 0 }));
  });

  holds(5, "a fresh process attaches and finds the running process and all its output", async () => {
    const sandbox = await create();
    await sandbox.start("agent", PROGRAMS.cat);
    await sandbox.input("agent", 0, Buffer.from("first\n"));
    await until(sandbox, "agent", "out", "first\n");
    const found = await bench().again().attach(sandbox.id);
    expect(await found.processes()).toMatchObject([{ procId: "agent", state: "running", exit: null }]);
    await found.input("agent", 6, Buffer.from("second\n"));
    expect(await until(found, "agent", "out", "first\nsecond\n")).toBe("first\nsecond\n");
    expect({ key: found.key, workdir: found.workdir, home: found.home }).toEqual({
      key: sandbox.key,
      workdir: sandbox.workdir,
      home: sandbox.home,
    });
  });

  holds(6, "attaching to what was never there is not_found and starts nothing", async () => {
    const before = await bench().provider.list({});
    await refused("not_found", bench().provider.attach("sb_00000000000000000000"));
    await refused("not_found", bench().provider.attach("../../etc"));
    expect(await bench().provider.list({})).toHaveLength(before.length);
  });

  holds(7, "a list by label finds what a crash left behind", async () => {
    const sandbox = await create({ labels: { installation: "one", run: "lost" } });
    const found = await bench().again().list({ installation: "one", run: "lost" });
    expect(found).toMatchObject([{ id: sandbox.id, key: sandbox.key, state: "running", labels: { run: "lost" } }]);
    expect(found[0]?.expiresAt.getTime()).toBe((found[0]?.createdAt.getTime() ?? 0) + 600_000);
    expect(await bench().provider.list({ installation: "one", run: "other" })).toEqual([]);
    expect(await sandbox.info()).toEqual(found[0]);
  });

  holds(9, "destroy may be repeated, and what is destroyed is gone", async () => {
    const sandbox = await create();
    await bench().provider.destroy(sandbox.id);
    await bench().again().destroy(sandbox.id);
    await refused("gone", sandbox.exec(PROGRAMS.hello, SECOND));
    await refused("not_found", bench().provider.attach(sandbox.id));
    expect((await bench().provider.list({})).map((one) => one.id)).not.toContain(sandbox.id);
  });

  holds(11, "a sandbox ends when its time is over, whoever is watching", async () => {
    const ttlMs = bench().pass === undefined ? 2_500 : 60_000;
    const sandbox = await create({ ttlMs, labels: { run: "short" } });
    await sandbox.start("service", PROGRAMS.daemon);
    await until(sandbox, "service", "out", "listening\n");
    expect(await bench().provider.list({ run: "short" })).toHaveLength(1);
    bench().pass?.(ttlMs);
    await expect.poll(() => bench().provider.list({ run: "short" }), { timeout: 20_000 }).toEqual([]);
    expect(bench().survivors(MARK)).toBe(0);
    await refused("not_found", bench().provider.attach(sandbox.id));
  });

  holds(10, "destroy ends a daemon that left its parent and its session, and its port is free again", async () => {
    const spec = specOf();
    const sandbox = await bench().provider.create(spec, calm());
    await sandbox.start("service", PROGRAMS.daemon);
    await until(sandbox, "service", "out", "listening\n");
    expect(bench().survivors(MARK)).toBeGreaterThan(0);
    await bench().provider.destroy(sandbox.id);
    expect(bench().survivors(MARK)).toBe(0);
    const next = await bench().provider.create(spec, calm());
    await next.start("service", PROGRAMS.daemon);
    expect(await until(next, "service", "out", "\n")).toBe("listening\n");
    await bench().provider.destroy(next.id);
  });
}
