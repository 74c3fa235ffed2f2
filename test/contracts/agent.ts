import { afterEach, describe, expect, test } from "vitest";
import { type Agent, type AgentDriver, AgentError, type AgentEvent } from "#ports/agent.ts";
import type { Sandbox } from "#ports/sandbox.ts";

/** A driver with one sandbox, made anew for each test. The agent's model must know the scripts of the playground. */
export interface AgentWorld {
  readonly driver: AgentDriver;
  readonly sandbox: Sandbox;
  close(): Promise<void>;
}

export interface Told {
  readonly cursor: number;
  readonly event: AgentEvent;
}

type Kind = AgentEvent["kind"];
export type EventOf<K extends Kind> = Extract<AgentEvent, { kind: K }>;

const PATIENCE_MS = 25_000;
const patience = () => AbortSignal.timeout(PATIENCE_MS);

/** Everything from `cursor` up to and with the first event that `last` accepts. */
export async function eventsUntil(agent: Agent, last: (event: AgentEvent) => boolean, cursor = 0): Promise<Told[]> {
  const told: Told[] = [];
  for await (const entry of agent.events(cursor, patience())) {
    told.push(entry);
    if (last(entry.event)) return told;
  }
  throw new Error(`the events ended without it: ${told.map((entry) => entry.event.kind).join(" ")}`);
}

export const ended = (turn: string) => (event: AgentEvent) => event.kind === "turn.ended" && event.turn === turn;
export const is =
  (...kinds: Kind[]) =>
  (event: AgentEvent) =>
    kinds.includes(event.kind);

export function only<K extends Kind>(told: readonly Told[], kind: K): EventOf<K>[] {
  return told.map((entry) => entry.event).filter((event): event is EventOf<K> => event.kind === kind);
}

export const messageOf = (told: readonly Told[]): string =>
  only(told, "agent.message")
    .map((event) => event.text)
    .join("");

/** What every agent driver promises. `world` must be quick to make; a skip carries its reason. */
export function agentContract(
  name: string,
  world: () => Promise<AgentWorld>,
  o: { skip?: Readonly<Record<string, string>> } = {},
): void {
  const open: AgentWorld[] = [];
  afterEach(async () => {
    for (const it of open.splice(0)) await it.close();
  });

  async function start(more: { procId?: string; restore?: string; signal?: AbortSignal; in?: AgentWorld } = {}) {
    const here = more.in ?? (await world());
    if (!more.in) open.push(here);
    const agent = await here.driver.open(here.sandbox, {
      procId: more.procId ?? "agent-1",
      token: "token-1",
      model: "scripted",
      restore: more.restore ?? null,
      signal: more.signal ?? patience(),
    });
    return { agent, here };
  }

  function promises(sentence: string, body: () => Promise<void>): void {
    const reason = o.skip?.[sentence];
    if (reason === undefined) test(sentence, body);
    else test.skip(`${sentence} (${reason})`, body);
  }

  async function firstAsk(agent: Agent): Promise<EventOf<"permission.asked">> {
    const told = await eventsUntil(agent, is("permission.asked"));
    const [ask] = only(told, "permission.asked");
    if (!ask) throw new Error("nothing was asked");
    return ask;
  }

  describe(`agent: ${name}`, () => {
    promises("a turn speaks and ends done, with rising cursors", async () => {
      const { agent } = await start();
      await agent.prompt("t1", "Say hello. [[script:hello]]");
      const told = await eventsUntil(agent, ended("t1"));
      expect(told[0]?.event.kind).toBe("agent.started");
      expect(messageOf(told)).toBe("Hello from the scripted model.");
      expect(told.at(-1)?.event).toEqual({ kind: "turn.ended", turn: "t1", end: "done", detail: null });
      const cursors = told.map((entry) => entry.cursor);
      expect(cursors).toEqual([...new Set(cursors)].sort((a, b) => a - b));
      expect(cursors[0]).toBeGreaterThan(0);
    });

    promises("another attachment reads the same events at the same cursors", async () => {
      const { agent, here } = await start();
      await agent.prompt("t1", "[[script:hello]]");
      const first = await eventsUntil(agent, ended("t1"));
      const { agent: second } = await start({ in: here });
      expect(await eventsUntil(second, ended("t1"))).toEqual(first);
      const middle = first[Math.floor(first.length / 2)];
      expect(await eventsUntil(second, ended("t1"), middle?.cursor)).toEqual(
        first.filter((it) => it.cursor > (middle?.cursor ?? 0)),
      );
    });

    promises("a prompt repeated under its key is done once, also by another attachment", async () => {
      const { agent, here } = await start();
      await agent.prompt("t1", "[[script:hello]]");
      await agent.prompt("t1", "[[script:hello]]");
      await eventsUntil(agent, ended("t1"));
      const { agent: second } = await start({ in: here });
      await second.prompt("t1", "[[script:hello]]");
      await second.prompt("t2", "[[script:hello]]");
      const told = await eventsUntil(second, ended("t2"));
      expect(only(told, "turn.ended").map((event) => event.turn)).toEqual(["t1", "t2"]);
    });

    promises("a second turn is refused while one runs", async () => {
      const { agent } = await start();
      await agent.prompt("t1", "[[script:risky]]");
      await firstAsk(agent);
      await expect(agent.prompt("t2", "[[script:hello]]")).rejects.toThrow(AgentError);
    });

    promises("a permission shows the exact command, and allowing it lets it run", async () => {
      const { agent } = await start();
      await agent.prompt("t1", "[[script:risky]]");
      const ask = await firstAsk(agent);
      expect(ask).toMatchObject({ toolKind: "execute", command: "rm -rf build && echo removed" });
      expect(JSON.stringify(ask.input)).toContain("rm -rf build && echo removed");
      expect(await agent.answer(ask.ask, "allow")).toBe("applied");
      const told = await eventsUntil(agent, ended("t1"));
      expect(
        only(told, "tool.output")
          .map((event) => event.text)
          .join(""),
      ).toContain("removed");
      expect(only(told, "tool.ended")).toMatchObject([{ status: "ok", exitCode: 0 }]);
      expect(only(told, "turn.ended")).toMatchObject([{ end: "done" }]);
      expect(await agent.answer(ask.ask, "allow")).toBe("applied");
      expect(await agent.answer(ask.ask, "reject")).toBe("stale");
    });

    promises("a refused command does not run, and the turn ends as the profile says", async () => {
      const { agent, here } = await start();
      await agent.prompt("t1", "[[script:risky]]");
      const ask = await firstAsk(agent);
      expect(await agent.answer(ask.ask, "reject")).toBe("applied");
      const told = await eventsUntil(agent, ended("t1"));
      expect(only(told, "tool.ended").map((event) => event.status)).not.toContain("ok");
      expect(only(told, "turn.ended")[0]?.end).toBe(here.driver.profile.onReject === "turn-ends" ? "rejected" : "done");
    });

    promises("an ask nobody made is stale", async () => {
      const { agent } = await start();
      expect(await agent.answer("agent-1/nothing", "allow")).toBe("stale");
    });

    promises("an attachment made later answers what was asked before it", async () => {
      const leave = new AbortController();
      const { agent, here } = await start({ signal: leave.signal });
      await agent.prompt("t1", "[[script:risky]]");
      const ask = await firstAsk(agent);
      leave.abort(new Error("the control plane died"));
      await expect(eventsUntil(agent, ended("t1"))).rejects.toThrow("the control plane died");
      const { agent: second } = await start({ in: here });
      expect(await firstAsk(second)).toEqual(ask);
      expect(await second.answer(ask.ask, "allow")).toBe("applied");
      expect(only(await eventsUntil(second, ended("t1")), "turn.ended")).toMatchObject([{ end: "done" }]);
    });

    promises("cancel ends the turn in the middle of a command, and the session goes on", async () => {
      const { agent } = await start();
      await agent.prompt("t1", "[[script:long]]");
      const ask = await firstAsk(agent);
      await agent.answer(ask.ask, "allow");
      await agent.cancel();
      const told = await eventsUntil(agent, ended("t1"));
      expect(only(told, "turn.ended")).toMatchObject([{ end: "cancelled" }]);
      await agent.prompt("t2", "[[script:hello]]");
      expect(only(await eventsUntil(agent, ended("t2"), told.at(-1)?.cursor), "turn.ended")).toMatchObject([
        { end: "done" },
      ]);
    });

    promises("cancel while a permission is open makes that permission stale", async () => {
      const { agent } = await start();
      await agent.prompt("t1", "[[script:risky]]");
      const ask = await firstAsk(agent);
      await agent.cancel();
      expect(await agent.answer(ask.ask, "allow")).toBe("stale");
      const told = await eventsUntil(agent, ended("t1"));
      expect(only(told, "turn.ended")).toMatchObject([{ end: "cancelled" }]);
      expect(only(told, "tool.ended").map((event) => event.status)).not.toContain("ok");
    });

    promises("cancel without a turn does nothing", async () => {
      const { agent } = await start();
      await agent.cancel();
      await agent.prompt("t1", "[[script:hello]]");
      expect(only(await eventsUntil(agent, ended("t1")), "turn.ended")).toMatchObject([{ end: "done" }]);
    });

    promises("stop interrupts the turn, ends the events, and may be repeated", async () => {
      const { agent } = await start();
      await agent.prompt("t1", "[[script:risky]]");
      const ask = await firstAsk(agent);
      await agent.stop();
      await agent.stop();
      const told: Told[] = [];
      for await (const entry of agent.events(0, patience())) told.push(entry);
      expect(only(told, "turn.ended")).toMatchObject([{ end: "interrupted" }]);
      expect(told.at(-1)?.event.kind).toBe("agent.exited");
      expect(await agent.answer(ask.ask, "allow")).toBe("stale");
      await expect(agent.prompt("t2", "[[script:hello]]")).rejects.toThrow(AgentError);
    });

    promises("a stopped agent can still be read by a later attachment", async () => {
      const { agent, here } = await start();
      await agent.prompt("t1", "[[script:hello]]");
      const before = await eventsUntil(agent, ended("t1"));
      await agent.stop();
      const { agent: second } = await start({ in: here });
      const told = await eventsUntil(second, is("agent.exited"));
      expect(told.slice(0, before.length)).toEqual(before);
    });

    promises("a new process goes on with the session of the one that is gone", async () => {
      const { agent, here } = await start();
      await agent.prompt("t1", "[[script:hello]]");
      const [started] = only(await eventsUntil(agent, ended("t1")), "agent.started");
      await agent.stop();
      const { agent: second } = await start({ in: here, procId: "agent-2", restore: started?.session ?? "" });
      await second.prompt("t2", "[[script:hello]]");
      const told = await eventsUntil(second, ended("t2"));
      expect(only(told, "agent.started")[0]?.session).toBe(started?.session);
      expect(messageOf(told)).toBe("Hello from the scripted model.");
    });

    promises("a session the agent no longer knows begins anew, under another name", async () => {
      const { agent } = await start({ restore: "00000000-0000-4000-8000-000000000000" });
      const [started] = only(await eventsUntil(agent, is("agent.started")), "agent.started");
      expect(started?.session).not.toBe("00000000-0000-4000-8000-000000000000");
    });

    promises("a model that refuses fails the turn and says why", async () => {
      const { agent } = await start();
      await agent.prompt("t1", "[[script:err403]]");
      const [end] = only(await eventsUntil(agent, ended("t1")), "turn.ended");
      expect(end).toMatchObject({ end: "failed" });
      expect(end?.detail).toContain("403");
    });

    promises("a command that fails is a failed tool in a turn that goes on", async () => {
      const { agent } = await start();
      await agent.prompt("t1", "[[script:fail]]");
      const ask = await firstAsk(agent);
      await agent.answer(ask.ask, "allow");
      const told = await eventsUntil(agent, ended("t1"));
      expect(only(told, "tool.ended")).toMatchObject([{ status: "failed", exitCode: 3 }]);
      expect(messageOf(told)).toContain("Saw the failure.");
    });

    promises("an edit tells which file changed, by its path in the work tree", async () => {
      const { agent, here } = await start();
      await here.sandbox.write(`${here.sandbox.workdir}/app.txt`, "old line\n");
      await agent.prompt("t1", "[[script:edit]]");
      const told = await eventsUntil(agent, ended("t1"));
      expect(only(told, "file.changed")).toEqual([{ kind: "file.changed", path: "app.txt" }]);
      const content = await here.sandbox.read(`${here.sandbox.workdir}/app.txt`, { maxBytes: 1_000 });
      expect(Buffer.from(content).toString()).toBe("new line\n");
    });

    promises("a plan arrives with the state of each step", async () => {
      const { agent } = await start();
      await agent.prompt("t1", "[[script:plan]]");
      expect(only(await eventsUntil(agent, ended("t1")), "agent.plan").at(-1)?.entries).toEqual([
        { title: "look", status: "in_progress" },
        { title: "do", status: "pending" },
      ]);
    });
  });
}
