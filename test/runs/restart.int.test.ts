import { afterEach, expect, test } from "vitest";
import { eventsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const MINUTE = 60_000;

/** An agent that deletes something before it writes, and asks about that each time it begins. */
async function asking() {
  house = await memoryHouse({
    play: () => [
      { run: "rm -rf build", ask: true, output: "gone" },
      { write: "sql/x.sql", content: "x" },
    ],
    changes: { files: [{ path: "sql/x.sql", status: "added", additions: 1, deletions: 0 }] },
  });
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  return { run, first: await house.question(run) };
}

/** The agent's process ends while nobody of us looks. */
async function agentDies(run: Run): Promise<void> {
  const sandbox = await sandboxOf(run);
  const signal = new AbortController().signal;
  const of = { procId: "agent-1-0", token: "", model: run.model, signal };
  await (await house.core.agents.get("scripted")?.open(sandbox, of))?.stop();
  await sandbox.start(of.procId, { argv: ["no-such-program"] });
  while ((await sandbox.processes())[0]?.state !== "exited") await new Promise((resolve) => setImmediate(resolve));
}

const sandboxOf = async (run: Run) => {
  const [box] = await house.sandboxes.list({ run: run.id });
  if (!box) throw new Error("the run has no sandbox");
  return house.sandboxes.attach(box.id);
};

/** The first question is over and said to be; a second one about the same bytes is there, and its yes runs the command once. */
async function askedAnew(run: Run, first: { readonly id: string; readonly digest: string }): Promise<void> {
  const second = await house.question(run);
  expect(second).toMatchObject({ digest: first.digest, askNo: 2 });
  expect((await house.core.stores.approvals.get(first.id))?.status).toBe("void");
  expect(await house.notices(run)).toEqual([expect.stringContaining("What it had asked is void")]);
  expect([...(await house.show()).values()]).toContainEqual(
    expect.objectContaining({ kind: "approval", approval: expect.objectContaining({ id: first.id, status: "void" }) }),
  );
  expect(await house.answer(BO, first.id)).toMatchObject({ kind: "refused", refusal: { code: "already_decided" } });
  expect(await house.answer(BO, second.id)).toMatchObject({ kind: "noted", what: "approved" });
  await house.until("in_review");
  const used = (await eventsOf(house.core, run.id)).flatMap(({ body }) =>
    body.kind === "grant.used" ? [body.approval] : [],
  );
  expect(used).toEqual([second.id]);
}

test("a sandbox that is lost while its agent waits for an answer takes the question with it", async () => {
  const { run, first } = await asking();
  await house.sandboxes.destroy((await sandboxOf(run)).id);
  await house.pass(MINUTE, run);
  await askedAnew(run, first);
});

test("an agent that died while it waited for an answer is not asked for, and its question is void", async () => {
  const { run, first } = await asking();
  await agentDies(run);
  await house.pass(MINUTE, run);
  await askedAnew(run, first);
});

test("a yes to an agent that died while it waited is not spent on it", async () => {
  const { run, first } = await asking();
  await agentDies(run);
  await house.answer(BO, first.id);
  await house.until("in_review");
  const events = (await eventsOf(house.core, run.id)).map(({ body }) => body);
  expect(events.filter((body) => body.kind === "approval.opened")).toHaveLength(1);
  expect(events.filter((body) => body.kind === "tool.output")).toEqual([expect.objectContaining({ text: "gone" })]);
});

test("time that was added for an answer is taken back when nobody is asked any more", async () => {
  const { run, first } = await asking();
  const during = await house.core.stores.runs.get(run.id);
  await house.sandboxes.destroy((await sandboxOf(run)).id);
  await house.pass(MINUTE, run);
  const second = await house.question(run);
  const after = await house.core.stores.runs.get(run.id);
  // The second question's time takes the place of the first one's.
  const added = (after?.deadlineAt?.getTime() ?? 0) - (during?.deadlineAt?.getTime() ?? 0);
  expect(added).toBeLessThanOrEqual(second.expiresAt.getTime() - first.expiresAt.getTime());
});
