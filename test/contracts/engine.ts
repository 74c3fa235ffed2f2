import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Engine, Handlers, Queue } from "#ports/engine.ts";
import type { Store } from "#ports/store.ts";
import { Fenced } from "#runs/run.ts";

/** Something to test an engine with. Every engine retries a job twice before it calls `dead`. */
export interface EngineBench {
  readonly store: Store;
  /** One more worker on the same jobs, not working yet. */
  engine(): Promise<Engine>;
  close(): Promise<void>;
}

/** What handlers were called with, for a test to wait on. */
export function witness() {
  const seen: string[] = [];
  const waiting: { line: string; times: number; resolve: () => void }[] = [];
  const count = (line: string) => seen.filter((one) => one === line).length;
  return {
    seen,
    count,
    saw(line: string): void {
      seen.push(line);
      for (const one of waiting) if (count(one.line) >= one.times) one.resolve();
    },
    until: (line: string, times = 1) =>
      new Promise<void>((resolve) => {
        if (count(line) >= times) resolve();
        else waiting.push({ line, times, resolve });
      }),
  };
}

export function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, opened: promise };
}

export function engineContract(
  name: string,
  open: () => Promise<EngineBench>,
  /** "one": its jobs live in the process, so a test of two workers has nothing to show. */
  o: { readonly workers: "many" | "one" },
): void {
  describe(name, () => {
    let bench: EngineBench;
    const working: Engine[] = [];
    beforeAll(async () => {
      bench = await open();
    });
    afterEach(async () => {
      for (const engine of working.splice(0)) await engine.drain(1_000);
    });
    afterAll(() => bench.close());

    const nothing: Handlers = { async tick() {}, async agent() {}, async control() {}, async dead() {} };
    const start = async (handlers: Partial<Handlers>): Promise<Engine> => {
      const engine = await bench.engine();
      working.push(engine);
      await engine.work({ ...nothing, ...handlers });
      return engine;
    };
    const wake = (engine: Engine, run: string, queue: Queue) => bench.store.tx((tx) => engine.wake(tx, run, queue));

    test("a committed wake reaches the handler of its queue", async () => {
      const run = randomUUID();
      const seen = witness();
      const engine = await start({
        tick: async (id) => seen.saw(`tick ${id}`),
        agent: async (id) => seen.saw(`agent ${id}`),
        control: async (id) => seen.saw(`control ${id}`),
      });
      for (const queue of ["tick", "agent", "control"] as const) {
        await wake(engine, run, queue);
        await seen.until(`${queue} ${run}`);
      }
      expect(seen.seen).toEqual([`tick ${run}`, `agent ${run}`, `control ${run}`]);
    });

    test("an engine that works says when it last looked for jobs, and one that does not has never looked", async () => {
      const idle = await bench.engine();
      working.push(idle);
      expect((await idle.stats()).lookedMsAgo).toBeNull();
      expect((await (await start({})).stats()).lookedMsAgo).toBeGreaterThanOrEqual(0);
    });

    test("a transaction that rolls back wakes nobody", async () => {
      const [never, run] = [randomUUID(), randomUUID()];
      const seen = witness();
      const engine = await start({ tick: async (id) => seen.saw(id) });
      const rolledBack = bench.store.tx(async (tx) => {
        await engine.wake(tx, never, "tick");
        throw new Error("no");
      });
      await expect(rolledBack).rejects.toThrow("no");
      await wake(engine, run, "tick");
      await seen.until(run);
      expect(seen.seen).toEqual([run]);
      expect((await engine.stats()).queued.tick).toBe(0);
    });

    test("wakes that nobody has served yet are one job", async () => {
      const run = randomUUID();
      const engine = await bench.engine();
      working.push(engine);
      for (let n = 0; n < 5; n += 1) await wake(engine, run, "tick");
      expect((await engine.stats()).queued.tick).toBe(1);
      const seen = witness();
      await engine.work({
        ...nothing,
        tick: async (id) => seen.saw(id),
        control: async (id) => seen.saw(`last ${id}`),
      });
      await seen.until(run);
      await wake(engine, run, "control");
      await seen.until(`last ${run}`);
      expect(seen.count(run)).toBe(1);
    });

    test("a wake while the run is active is one more turn after it, however many there are", async () => {
      const run = randomUUID();
      const seen = witness();
      const door = gate();
      const engine = await start({
        async agent(id) {
          seen.saw(id);
          await door.opened;
          seen.saw(`done ${id}`);
        },
      });
      await wake(engine, run, "agent");
      await seen.until(run);
      for (let n = 0; n < 4; n += 1) await wake(engine, run, "agent");
      expect(seen.count(run)).toBe(1);
      door.open();
      await seen.until(`done ${run}`, 2);
      expect(seen.count(run)).toBe(2);
    });

    test("a woken run that is active stands in nobody's way, on its queue or another", async () => {
      const [busy, other] = [randomUUID(), randomUUID()];
      const seen = witness();
      const door = gate();
      const engine = await start({
        async agent(id) {
          seen.saw(`agent ${id}`);
          if (id === busy) await door.opened;
        },
        control: async (id) => seen.saw(`control ${id}`),
      });
      await wake(engine, busy, "agent");
      await seen.until(`agent ${busy}`);
      await wake(engine, busy, "agent");
      await wake(engine, other, "agent");
      await wake(engine, busy, "control");
      await Promise.all([seen.until(`agent ${other}`), seen.until(`control ${busy}`)]);
      door.open();
      await seen.until(`agent ${busy}`, 2);
      expect(seen.count(`agent ${other}`)).toBe(1);
    });

    test("a handler that fails is tried again, and after that the run is reported dead with the reason", async () => {
      const run = randomUUID();
      const seen = witness();
      const engine = await start({
        async agent(id) {
          seen.saw(id);
          throw new Error("the disk is full");
        },
        dead: async (id, queue, error) => seen.saw(`dead ${id} ${queue} ${error}`),
      });
      await wake(engine, run, "agent");
      await seen.until(`dead ${run} agent the disk is full`);
      expect(seen.count(run)).toBe(3);
    });

    test("a wake does not wait for the pause of a run that failed", async () => {
      const run = randomUUID();
      const seen = witness();
      let fails = true;
      const engine = await start({
        async tick(id) {
          seen.saw(fails ? `failed ${id}` : `done ${id}`);
          if (fails) throw new Error("not yet");
        },
      });
      await wake(engine, run, "tick");
      await seen.until(`failed ${run}`);
      fails = false;
      await wake(engine, run, "tick");
      await seen.until(`done ${run}`);
      expect(seen.seen.slice(0, 2)).toEqual([`failed ${run}`, `done ${run}`]);
      await seen.until(`done ${run}`, 2);
    });

    test("a fenced handler is finished: another worker has the run", async () => {
      const run = randomUUID();
      const seen = witness();
      const engine = await start({
        async tick(id) {
          seen.saw(id);
          throw new Fenced("taken");
        },
        control: async (id) => seen.saw(`control ${id}`),
        dead: async (id) => seen.saw(`dead ${id}`),
      });
      await wake(engine, run, "tick");
      await seen.until(run);
      await engine.drain(5_000);
      expect(await engine.stats().then(({ queued, active }) => queued.tick + active.tick)).toBe(0);
      expect(seen.seen).toEqual([run]);
    });

    test("draining waits for what is short, tells agents to leave, and the next worker has their runs", async () => {
      const [short, long] = [randomUUID(), randomUUID()];
      const seen = witness();
      const door = gate();
      const engine = await start({
        async tick(id) {
          seen.saw(id);
          await door.opened;
          seen.saw(`done ${id}`);
        },
        async agent(id, signal) {
          seen.saw(id);
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
          door.open();
        },
      });
      await wake(engine, short, "tick");
      await wake(engine, long, "agent");
      await Promise.all([seen.until(short), seen.until(long)]);
      await engine.drain(20_000);
      expect(seen.count(`done ${short}`)).toBe(1);
      const next = o.workers === "many" ? await start({ agent: async (id) => seen.saw(`next ${id}`) }) : engine;
      if (o.workers === "one") await next.work({ ...nothing, agent: async (id) => seen.saw(`next ${id}`) });
      await seen.until(`next ${long}`);
      expect(seen.count(short)).toBe(1);
    });

    test.skipIf(o.workers === "one")("a handler that does not leave loses its run when patience ends", async () => {
      const run = randomUUID();
      const seen = witness();
      const never = gate();
      const engine = await start({
        async agent(id) {
          seen.saw(id);
          await never.opened;
        },
      });
      await wake(engine, run, "agent");
      await seen.until(run);
      await engine.drain(50);
      await start({ agent: async (id) => seen.saw(`next ${id}`) });
      await seen.until(`next ${run}`);
      never.open();
      expect(seen.count(run)).toBe(1);
    });

    test.skipIf(o.workers === "one")("two workers share the jobs, each done once", async () => {
      const runs = Array.from({ length: 40 }, () => randomUUID());
      const seen = witness();
      const [one] = [
        await start({ tick: async (id) => seen.saw(id) }),
        await start({ tick: async (id) => seen.saw(id) }),
      ];
      await Promise.all(runs.map((run) => wake(one, run, "tick")));
      await Promise.all(runs.map((run) => seen.until(run)));
      expect([...seen.seen].sort()).toEqual([...runs].sort());
    });

    test("something scheduled is done again and again, and stops with the worker", async () => {
      const seen = witness();
      const engine = await start({});
      await engine.schedule(`test ${randomUUID()}`, 20, async () => seen.saw("swept"));
      await seen.until("swept", 3);
      await engine.drain(1_000);
      const done = seen.count("swept");
      await bench.store.tx(async () => {});
      expect(seen.count("swept")).toBe(done);
    });
  });
}
