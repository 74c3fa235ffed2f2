import { readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { demo } from "#adapters/agent/profiles.ts";
import type { Agent } from "#ports/agent.ts";
import { agentContract, ended, eventsUntil, is, messageOf, only } from "#test/contracts/agent.ts";
import { demoImage } from "#test/fixtures/acp/demo-image.ts";
import { marked, type RealWorld, realWorld } from "#test/fixtures/acp/world.ts";

const { folder, image } = await demoImage();
afterAll(() => rm(folder, { recursive: true, force: true }));

agentContract("the demo agent over ACP", () => realWorld(demo, image));

describe("the demo agent", () => {
  let world: RealWorld;
  afterEach(() => world.close());

  async function open(procId = "agent-1", restore: string | null = null): Promise<Agent> {
    return world.driver.open(world.sandbox, {
      procId,
      token: "token-1",
      model: "scripted",
      restore,
      signal: AbortSignal.timeout(25_000),
    });
  }

  async function begin(): Promise<Agent> {
    world = await realWorld(demo, image);
    return open();
  }

  async function allowFirst(agent: Agent, after = 0): Promise<number> {
    const told = await eventsUntil(agent, is("permission.asked"), after);
    const [ask] = only(told, "permission.asked");
    await agent.answer(ask?.ask ?? "", "allow");
    return told.at(-1)?.cursor ?? 0;
  }

  const inTree = (name: string) => readFile(path.join(world.sandbox.workdir, name), "utf8");
  const until = async (name: string) => {
    for (;;) {
      const found = await inTree(name).catch(() => "");
      if (found !== "") return;
      await new Promise(setImmediate);
    }
  };

  test("a command's effect is absent before the answer and present after it", async () => {
    const agent = await begin();
    await world.sandbox.write(path.join(world.sandbox.workdir, "build/x"), "1");
    await agent.prompt("t1", "[[script:risky]]");
    const [ask] = only(await eventsUntil(agent, is("permission.asked")), "permission.asked");
    expect(await readdir(world.sandbox.workdir)).toEqual(["build"]);
    await agent.answer(ask?.ask ?? "", "allow");
    await eventsUntil(agent, ended("t1"));
    expect(await readdir(world.sandbox.workdir)).toEqual([]);
  });

  test("after a cancel in the middle of a command no process of it is left, not even one that hid", async () => {
    const agent = await begin();
    await agent.prompt("t1", "[[script:daemon]]");
    await allowFirst(agent);
    await until("daemon.txt");
    await agent.cancel();
    expect(await marked(world)).toEqual([world.sandbox.pidOf("agent-1")]);
  });

  test("stop leaves no process, not even one that hid", async () => {
    const agent = await begin();
    await agent.prompt("t1", "[[script:daemon]]");
    await allowFirst(agent);
    await until("daemon.txt");
    await agent.stop();
    expect(await marked(world)).toEqual([]);
  });

  test("an agent killed in the middle of a command leaves no survivor, and the next one goes on without repeating it", async () => {
    const agent = await begin();
    await agent.prompt("t1", "Go. [[script:crash]]");
    const first = await allowFirst(agent);
    await allowFirst(agent, first);
    await until("steps.txt");
    while (!(await inTree("steps.txt")).includes("step2")) await new Promise(setImmediate);
    process.kill(world.sandbox.pidOf("agent-1"), "SIGKILL");
    const told = await eventsUntil(agent, is("agent.exited"));
    expect(only(told, "turn.ended")).toMatchObject([{ turn: "t1", end: "interrupted" }]);
    expect(only(told, "tool.ended").map((event) => event.status)).toEqual(["ok", "interrupted"]);
    expect(await marked(world)).toEqual([]);

    const second = await open("agent-2", only(told, "agent.started")[0]?.session ?? null);
    await second.prompt("t2", "Your last command was interrupted; its outcome is unknown. Check before repeating.");
    await allowFirst(second);
    expect(messageOf(await eventsUntil(second, ended("t2")))).toBe("Crash script done.");
    expect(await inTree("steps.txt")).toBe("step1\nstep2\nstep3\n");
  });

  test("what was waiting for a permission at a crash did not run, and its ask is stale", async () => {
    const agent = await begin();
    await agent.prompt("t1", "[[script:risky]]");
    const [ask] = only(await eventsUntil(agent, is("permission.asked")), "permission.asked");
    process.kill(world.sandbox.pidOf("agent-1"), "SIGKILL");
    const told = await eventsUntil(agent, is("agent.exited"));
    expect(await agent.answer(ask?.ask ?? "", "allow")).toBe("stale");
    const second = await open("agent-2", only(told, "agent.started")[0]?.session ?? null);
    expect(await second.answer(ask?.ask ?? "", "allow")).toBe("stale");
    await second.prompt("t2", "go on");
    expect(messageOf(await eventsUntil(second, ended("t2")))).toBe("Finished after the risky command.");
    expect(JSON.stringify(world.requests.at(-1)?.body)).toContain("Interrupted before it ran");
  });

  test("a dropped connection is told as the sandbox tells it, and a new attachment loses nothing", async () => {
    const agent = await begin();
    await agent.prompt("t1", "[[script:risky]]");
    await eventsUntil(agent, is("permission.asked"));
    world.sandbox.drop();
    await expect(eventsUntil(agent, ended("t1"))).rejects.toMatchObject({ code: "unavailable" });
    await expect(agent.prompt("t2", "x")).rejects.toMatchObject({ code: "unavailable" });
    const again = await open();
    await allowFirst(again);
    await eventsUntil(again, ended("t1"));
    const sent = world.sandbox
      .written("agent-1")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).method ?? "answer");
    expect(sent).toEqual(["initialize", "session/new", "session/prompt", "answer"]);
  });

  test("the model is called through the gateway with the sandbox's token", async () => {
    const agent = await begin();
    await agent.prompt("t1", "[[script:hello]]");
    await eventsUntil(agent, ended("t1"));
    expect(world.requests.map((request) => request.authorization)).toEqual(["Bearer token-1"]);
  });

  test("an agent that cannot start is named with its own last words", async () => {
    world = await realWorld({ ...demo, launch: (run) => ({ ...demo.launch(run), env: {} }) }, image);
    await expect(open()).rejects.toThrow(/demo: scripted model did not start: .*\nMODEL_BASE_URL is not set/s);
    expect(await marked(world)).toEqual([]);
  });

  test("an agent that says nothing is ended at its deadline", async () => {
    const silent = () => ({ argv: ["sleep", "300"], env: {}, files: {} });
    world = await realWorld({ ...demo, startDeadlineMs: 300, launch: silent }, image);
    await expect(open()).rejects.toThrow("demo: scripted model did not start within 0.3 s");
    expect(await marked(world)).toEqual([]);
  });

  test("plain words become a plan, an edit, a command and a blocked host, told as they went", async () => {
    const agent = await begin();
    await world.sandbox.write(path.join(world.sandbox.workdir, "README.md"), "# Hi\n\nteh start\n");
    await agent.prompt(
      "t1",
      "Please replace “teh” with “the” in README.md, run `ls`, then fetch https://blocked.example/x",
    );
    const before = await eventsUntil(agent, is("permission.asked"));
    // To look is no question; to leave the sandbox is one, which policy answers.
    expect(only(before, "permission.asked")).toMatchObject([
      { toolKind: "fetch", title: "Fetch https://blocked.example/x", command: null },
    ]);
    await agent.answer(only(before, "permission.asked")[0]?.ask ?? "", "allow");
    const told = await eventsUntil(agent, ended("t1"));
    expect(await inTree("README.md")).toBe("# Hi\n\nthe start\n");
    expect(
      only(told, "agent.plan")
        .at(-1)
        ?.entries.map((entry) => entry.status),
    ).toEqual(["complete", "complete", "in_progress"]);
    expect(messageOf(told)).toContain("README.md: “teh” is now “the”.");
    expect(messageOf(told)).toContain(
      "blocked.example is blocked: No rule of this run's policy names this destination.",
    );
  });
});
