import { afterEach, beforeEach, expect, test } from "vitest";
import type { Run } from "#runs/run.ts";
import { ANA, BO } from "#test/runs/memory-house.ts";
import { type LinearWorld, linearWorld } from "./world.ts";

let world: LinearWorld;
beforeEach(async () => {
  world = await linearWorld();
  for (const [account, person] of [
    [ANA, world.people.ana],
    [BO, world.people.bo],
  ] as const)
    await world.prompt(world.session(world.issue("Link"), person), person, await world.code(account));
});
afterEach(async () => {
  await world.close();
});

/** `acme/shop` asks a lead before a run starts there. */
const TASK = 'append "Orders are shipped from Lyon." to README.md';
const runs = () => world.core.stores.runs.recent(world.core.orgId, 50);
async function only(): Promise<Run> {
  const all = await runs();
  expect(all).toHaveLength(1);
  return all[0] as Run;
}

test("a ticket's run waits in the team's channel: the first message opens a thread, the question is in it, and the ticket leads there", async () => {
  const session = world.session(world.issue("Shipping text", TASK), world.people.ana);
  await world.created(session);
  const run = await world.house.until("waiting");
  expect(run.because).toMatch(/^tickets of SHOP belong to team shop \(org\.yaml:/);
  expect(run.text).toBe(`${session.issue.identifier}: Shipping text\n\n${TASK}`);
  expect(run.mirror).toEqual({ provider: "slack", workspace: "T0LOCAL", channel: "C0SHOP", thread: "" });
  await world.show();
  const { mirror } = await only();
  expect(mirror?.thread).toMatch(/\.000$/);
  const status = world.slackShown.get(`slack:${run.id}:status`);
  expect(status?.place.channel).toBe("C0SHOP");
  const question = [...world.slackShown].find(([key]) => key.startsWith(`slack:${run.id}:approval:`))?.[1];
  expect(question?.place).toEqual(mirror);

  const url = `https://acme.slack.com/archives/C0SHOP/p${mirror?.thread.replace(".", "")}`;
  const asked = world.tracker.posted.filter((one) => one.session === session.id && one.activity.kind === "elicitation");
  expect(asked).toHaveLength(1);
  expect(JSON.stringify(asked)).toContain(url);
  expect(asked[0]?.signIn).toBeUndefined();
  expect(world.said(session).join("\n")).toContain("An answer on this ticket is no vote");
  expect(world.tracker.outlines.get(session.id)?.links.map(({ label }) => label)).toEqual([
    `Run ${run.number}`,
    "Slack thread",
  ]);
});

test("approved in Slack by another, it ends as a pull request: the ticket shows who approved, our checks and the end", async () => {
  const session = world.session(world.issue("Shipping text", TASK), world.people.ana);
  await world.created(session);
  const run = await world.house.until("waiting");
  await world.show();
  const question = await world.house.question(run);
  expect(await world.house.answer(BO, question.id)).toMatchObject({ kind: "noted", what: "approved" });
  await world.house.until("in_review");
  await world.show();
  const said = world.said(session).join("\n");
  expect(said).toContain("thought: Bo approved the start of this run in Slack.");
  expect(said).toMatch(/response: Draft pull request .* waits for a review\. We never merge/);
  expect(said).toContain("Approved by Bo.");
  expect(world.tracker.begun).toEqual([session.issue.id]);
  const outline = world.tracker.outlines.get(session.id);
  expect(outline?.plan.at(-1)).toEqual({ content: "Open the pull request", status: "completed" });
  expect(outline?.links.map(({ label }) => label)).toEqual([`Run ${run.number}`, "Slack thread", "Pull request #1"]);
  const ids = world.tracker.posted.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("words on the ticket that sound like a yes are words for the agent, and approve nothing", async () => {
  const session = world.session(world.issue("Shipping text", TASK), world.people.ana);
  await world.created(session);
  const run = await world.house.until("waiting");
  await world.prompt(session, world.people.bo, "approve");
  expect((await world.core.stores.approvals.ofRun(run.id)).some(({ status }) => status === "approved")).toBe(false);
  expect((await only()).state).toBe("waiting");
  // Whoever adds words is an author from then on, wherever they said them.
  const question = await world.house.question(run);
  expect(await world.house.answer(BO, question.id)).toMatchObject({ refusal: { code: "own_run" } });
});

test("a word on the ticket reaches the run, and a session that ended takes it as the next run", async () => {
  const session = world.session(world.issue("Fix the query", "tidy sql/top.sql", "DATA"), world.people.ana);
  await world.created(session);
  await world.house.until("in_review");
  await world.prompt(session, world.people.ana, "and mention it in the README");
  const all = await runs();
  expect(all).toHaveLength(2);
  expect(all[0]).toMatchObject({ text: "and mention it in the README", place: { thread: session.id } });
});

test("a word on the ticket while its run waits is the next turn of the same run, and the ticket says whose word it reads", async () => {
  const session = world.session(world.issue("Shipping text", TASK), world.people.ana);
  await world.created(session);
  const run = await world.house.until("waiting");
  await world.prompt(session, world.people.ana, "and thank them for waiting");
  const question = await world.house.question(run);
  expect(await world.house.answer(BO, question.id)).toMatchObject({ kind: "noted", what: "approved" });
  await world.house.until("in_review");
  expect((await only()).id).toBe(run.id);
  const turns = await world.core.stores.turns.all(run.id);
  expect(turns.map(({ cause, person, text }) => [cause, person?.name, text])).toEqual([
    ["request", "Ana", run.text],
    ["follow_up", "Ana", "and thank them for waiting"],
  ]);
  await world.show();
  expect(world.said(session)).toContain("thought: The agent reads what Ana added.");
});

test("what is said in the run's Slack thread is said to the run: status, and stop", async () => {
  const session = world.session(world.issue("Shipping text", TASK), world.people.ana);
  await world.created(session);
  await world.house.until("waiting");
  await world.show();
  const { mirror, number } = await only();
  if (mirror === null) throw new Error("the run has no mirror");
  expect(await world.inSlack(BO, "status", mirror)).toMatchObject({ kind: "list", runs: [{ number }] });
  expect(await world.inSlack(ANA, "stop", mirror)).toMatchObject({ kind: "noted", what: "stopping" });
  await world.house.until("cancelled");
  await world.show();
  expect(world.said(session).at(-1)).toBe("response: Ana stopped it. All its processes have ended.");
});

test("the stop button stops it, and a final response says so; in Slack the thread shows who did", async () => {
  const session = world.session(world.issue("Shipping text", TASK), world.people.ana);
  await world.created(session);
  const run = await world.house.until("waiting");
  await world.prompt(session, world.people.ana, "", { stop: true });
  await world.house.until("cancelled");
  await world.show();
  expect(world.said(session).at(-1)).toBe("response: Ana stopped it. All its processes have ended.");
  const status = world.slackShown.get(`slack:${run.id}:status`)?.view;
  expect(status?.kind === "status" && status.facts.stoppedBy?.name).toBe("Ana");
});

test("whoever may not stop it is told who may, and it goes on", async () => {
  const { mallory } = world.people;
  const session = world.session(world.issue("Fix", TASK), world.people.ana);
  await world.created(session);
  await world.house.until("waiting");
  await world.prompt(session, mallory, "", { stop: true });
  expect(world.said(session).at(-1)).toContain("I do not know whose account this is in Slack");
  expect((await only()).cancelRequestedBy).toBeNull();
});

test("taking the ticket from the agent stops its run, when whoever does it may", async () => {
  const session = world.session(world.issue("Shipping text", TASK), world.people.ana);
  await world.created(session);
  const run = await world.house.until("waiting");
  await world.unassign(session.issue, null);
  expect(world.said(session).at(-1)).toContain(`run ${run.number} goes on`);
  await world.unassign(session.issue, world.people.mallory);
  expect(world.said(session).at(-1)).toContain("Mallory took the ticket from me");
  await world.unassign(world.issue("Another"), world.people.ana);
  expect((await only()).cancelRequestedBy).toBeNull();
  await world.unassign(session.issue, world.people.ana);
  await world.house.until("cancelled");
});

test("a Linear team that policy does not know, and a team without a channel, are refused with the line to add", async () => {
  const unknown = world.session(world.issue("Ops", TASK, "OPS"), world.people.ana);
  await world.created(unknown);
  expect(world.said(unknown).at(-1)).toContain("OPS: data  # org.yaml, under routing.linear; one of");
  world.house.policy.edit("org.yaml", "C0SHOP: shop, ", "");
  const silent = world.session(world.issue("Shop", TASK), world.people.ana);
  await world.created(silent);
  expect(world.said(silent).at(-1)).toContain("C0123456789: shop  # org.yaml, under routing.slack");
  expect(await runs()).toEqual([]);
});

test("a team whose channel is shared with another organisation, or may be, is not worked for from tickets", async () => {
  const say = async () => {
    const session = world.session(world.issue("Shop", TASK), world.people.ana);
    await world.created(session);
    return world.said(session).at(-1);
  };
  world.world.sharedChannels = ["C0SHOP"];
  expect(await say()).toContain("is shared with another organisation");
  world.world.unknownChannels = true;
  expect(await say()).toMatch(/^error: Slack could not tell us/);
  expect(await runs()).toEqual([]);
});

test("a ticket is a task whatever it says, and a mention may be a command", async () => {
  const session = world.session(world.issue("Can we stop the flaky test?", "", "DATA"), world.people.ana);
  await world.created(session);
  expect((await only()).text).toBe(`${session.issue.identifier}: Can we stop the flaky test?`);
  const mention = world.session(world.issue("Anything"), world.people.ana, "@countersign help");
  await world.created(mention);
  expect(world.said(mention).at(-1)).toContain("Delegate a ticket to me");
  const asked = world.session(
    world.issue("Wording", "", "DATA"),
    world.people.ana,
    "@countersign please tidy sql/top.sql",
  );
  await world.created(asked);
  expect((await runs())[0]?.text).toBe(`${asked.issue.identifier}: Wording\n\nplease tidy sql/top.sql`);
});

test("a kill between posting and remembering posts nothing twice, and a new process goes on where the old one was", async () => {
  const session = world.session(world.issue("Shipping text", TASK), world.people.ana);
  await world.created(session);
  const run = await world.house.until("waiting");
  await world.show();
  const before = world.said(session);
  const row = await world.core.stores.outbox.get(`linear:${run.id}:status`);
  await world.restart();
  await world.core.store.tx((tx) =>
    world.core.stores.outbox.want(tx, {
      key: row?.key ?? "",
      runId: run.id,
      place: run.place,
      kind: "status",
      subject: null,
    }),
  );
  await world.show();
  expect(world.said(session)).toEqual(before);
});
