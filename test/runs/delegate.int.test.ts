import { afterEach, expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, CY, DEE, memoryHouse, person } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const FIN = person("U0FIN", "Fin");

/** Ana's request, which a lead has to allow or somebody whom a lead names. */
async function asked(more = "delegate: true") {
  house = await memoryHouse();
  house.directory.put(FIN);
  house.policy.edit("teams/shop.yaml", "    why: the shop", `    ${more}\n    why: the shop`);
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  return { run, first: await house.question(run) };
}

const code = (view: View | null) =>
  view?.kind === "refused" ? view.refusal.code : view?.kind === "noted" ? view.what : view?.kind;
const hand = async (by: typeof BO, to: string, run: Run) =>
  code(await house.say(by, `delegate to @${to}`, { in: run }));

test("an approver names somebody in the thread, who is called, recorded, and answers in their place", async () => {
  const { run, first } = await asked();
  expect(code(await house.answer(FIN, first.id))).toBe("not_an_approver");
  expect(await hand(BO, FIN.id, run)).toBe("delegated");
  const { approvals, authors } = await factsOf(house.core, run.id);
  expect(approvals[0]?.delegated).toMatchObject([{ by: { name: "Bo" }, to: { name: "Fin" }, account: "U0FIN" }]);
  // What was said was no word for the agent.
  expect(authors.map(({ name }) => name)).toEqual(["Ana"]);
  expect([...(await house.show()).values()].filter(({ kind }) => kind === "delegated")).toMatchObject([
    { handed: { by: { name: "Bo" }, to: { name: "Fin" }, account: "U0FIN" } },
  ]);
  expect(code(await house.answer(FIN, first.id))).toBe("approved");
  await house.until("in_review");
  // The pull request and the signed receipt say in whose place it was.
  const envelope = JSON.parse((await house.core.stores.receipts.get(run.id)) ?? "{}") as { payload: string };
  const { predicate } = JSON.parse(Buffer.from(envelope.payload, "base64").toString());
  expect(predicate.approvals).toMatchObject([{ delegated: [{ by: "Bo", to: "Fin" }], votes: [{ by: "Fin" }] }]);
  expect(house.repoHost.textOf("acme/shop", 1)?.body).toMatch(/Approved by \| Fin for Bo/);
});

test("whoever is named may say no as well", async () => {
  const { run, first } = await asked();
  await hand(BO, FIN.id, run);
  expect(code(await house.answer(FIN, first.id, "deny", { reason: "no" }))).toBe("denied");
  await house.until("denied");
});

test("a place stays one answer, also across the two who could give it", async () => {
  const { run, first } = await asked("quorum: 2\n    delegate: true");
  house.directory.group({ slack_usergroup: "S0LEADS" }, [BO.id, CY.id]);
  await hand(BO, FIN.id, run);
  expect(code(await house.answer(FIN, first.id))).toBe("approved");
  expect(code(await house.answer(BO, first.id))).toBe("approved");
  expect((await house.core.stores.approvals.get(first.id))?.status).toBe("pending");
});

test("the rule has to let people name others", async () => {
  const { run, first } = await asked("expires: 1h");
  expect(await hand(BO, FIN.id, run)).toBe("not_delegable");
  expect(code(await house.answer(FIN, first.id))).toBe("not_an_approver");
});

test("no author is named, and none names anybody", async () => {
  const { run } = await asked();
  expect(await hand(BO, ANA.id, run)).toBe("delegate_is_author");
  expect(await hand(ANA, FIN.id, run)).toBe("own_run");
});

test("who was named and then adds to the run is an author, and decides nothing", async () => {
  const { run } = await asked();
  await hand(BO, CY.id, run);
  await house.say(CY, "and a second line", { in: run });
  const anew = await house.question(run);
  // The words made it another question, which nobody was named for.
  expect(anew.asks[0]?.delegates).toBeUndefined();
  expect(code(await house.answer(CY, anew.id))).toBe("own_run");
});

test("a place ends when its holder leaves the group", async () => {
  const { run, first } = await asked();
  await hand(BO, FIN.id, run);
  house.directory.group({ slack_usergroup: "S0LEADS" }, [CY.id]);
  expect(code(await house.answer(FIN, first.id))).toBe("not_an_approver");
});

test("guests, people nobody knows and words that name nobody are refused, each with an answer", async () => {
  const { run } = await asked();
  expect(await hand(BO, DEE.id, run)).toBe("no_such_delegate");
  expect(await hand(BO, "U0NOBODY", run)).toBe("no_such_delegate");
  expect(code(await house.say(BO, "delegate to Fin", { in: run }))).toBe("no_such_delegate");
  expect(code(await house.say(BO, "delegate", { in: run }))).toBe("no_such_delegate");
  expect(await hand(DEE, FIN.id, run)).toBe("guest");
  expect(code(await house.say(BO, `delegate to @${FIN.id}`))).toBe("no_run_here");
  expect(code(await house.say(BO, `delegate to @${FIN.id}`, { in: run, shared: true }))).toBe("shared_channel");
  house.directory.fail("Slack is down");
  expect(await hand(BO, FIN.id, run)).toBe("directory_unavailable");
  expect((await factsOf(house.core, run.id)).approvals[0]?.delegated).toEqual([]);
});

test("an approver who is in no team of the channel may name somebody, as they may answer", async () => {
  const { run, first } = await asked();
  house.directory.group({ slack_usergroup: "S0SHOP" }, [ANA.id]);
  expect(await hand(BO, FIN.id, run)).toBe("delegated");
  expect(code(await house.answer(FIN, first.id))).toBe("approved");
});

test("naming the same person twice is naming them once", async () => {
  const { run } = await asked();
  expect(await hand(BO, FIN.id, run)).toBe("delegated");
  expect(await hand(BO, FIN.id, run)).toBe("delegated");
  expect((await factsOf(house.core, run.id)).approvals[0]?.delegated).toHaveLength(1);
});

test("a yes in somebody's place starts nothing once the policy in force lets nobody be named: it is asked anew", async () => {
  const { run, first } = await asked();
  await hand(BO, FIN.id, run);
  house.policy.edit("teams/shop.yaml", "    delegate: true\n", "");
  await house.answer(FIN, first.id);
  await expect.poll(async () => (await house.question(run)).id).not.toBe(first.id);
  expect((await house.until("waiting")).id).toBe(run.id);
  expect(await house.notices(run)).toEqual([expect.stringMatching(/^The yes to the start by Fin counts no more: /)]);
});

test("words about delegating that are a task stay one", async () => {
  house = await memoryHouse();
  expect(await house.say(ANA, "delegate the retries to the queue in README.md")).toBeNull();
  await house.until("waiting");
});

test("of several open questions it is said which were handed over, and why the others were not", async () => {
  house = await memoryHouse({ play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }] });
  house.directory.put(FIN);
  const CMS = "  - { host: reports.example.com, methods: [GET] }\n";
  const secrets = ["cms-read", "cms-write"];
  const hosts = secrets.map((name) => `  - { host: ${name}.example.com, methods: [GET], secret: ${name} }\n`).join("");
  house.policy.edit("teams/data.yaml", CMS, CMS + hosts);
  const rules = secrets.map(
    (name, n) => `  - { ask: { secret.name: ${name} }, from: group:leads, delegate: ${n === 0} }\n`,
  );
  house.policy.edit("teams/data.yaml", "rules:\n", `rules:\n${rules.join("")}`);
  await house.say(ANA, "read the reports", { channel: "C0DATA" });
  const run = await house.until("suspended");
  expect(await house.say(BO, `delegate to @${FIN.id}`, { in: run })).toMatchObject({
    kind: "noted",
    what: "delegated",
    partly: {
      handed: [{ gate: "secret", name: "cms-read" }],
      kept: [{ gate: "secret", name: "cms-write", refusal: { code: "not_delegable" } }],
    },
  });
});
