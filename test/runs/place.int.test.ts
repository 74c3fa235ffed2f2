import { afterEach, expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, CY, memoryHouse } from "./memory-house.ts";

/** A run's repository and its branch are decided when it begins, and once more before anything of it is published. */

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const GRANTED = "- allow: { git.repo: acme/reports }";
const data = { channel: "C0DATA" };
const also = (rule: string) => house.policy.edit(DATA, "rules:\n", `rules:\n  - ${rule}\n`);
const questions = async (run: Run) =>
  (await house.core.stores.approvals.ofRun(run.id)).map(({ gate, status }) => `${gate} ${status}`);

/** A run of the data team, where `meanwhile` happens to its policy while the result is checked. */
async function checked(meanwhile: () => void): Promise<void> {
  house = await memoryHouse({
    checks: (_on, times) => {
      if (times === 1) meanwhile();
      return 0;
    },
  });
}

/** Ends without a push, by the rule. */
async function refused(rule: string): Promise<void> {
  await house.say(ANA, "change the docs", data);
  const run = await house.until("handed_off");
  const { handoff, decisions } = await factsOf(house.core, run.id);
  expect(handoff).toMatchObject({ fault: "policy", failed: expect.stringContaining(`${rule} (${DATA}:7:5)`) });
  expect(decisions.at(-1)).toMatchObject({ about: "publish", outcome: "deny", rules: [{ text: rule }] });
  expect(house.repoHost.pushes).toEqual([]);
}

test("a branch that policy denies by now is not published", async () => {
  await checked(() => also('deny: { git.branch: "agent/**" }'));
  await refused("deny git.branch agent/**");
});

test("nothing is published to a repository that policy denies by now", async () => {
  await checked(() => house.policy.edit(DATA, GRANTED, "- deny: { git.repo: acme/reports }"));
  await refused("deny git.repo acme/reports");
});

const FROM_LEADS = "from: group:leads }";
const ASKED = `- { ask: { git.repo: acme/reports }, ${FROM_LEADS}`;

test("who was asked about the repository before the run began is not asked again before it is published", async () => {
  house = await memoryHouse();
  house.policy.edit(DATA, GRANTED, ASKED);
  await house.say(ANA, "change the docs", data);
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
  expect(await questions(run)).toEqual(["start approved"]);
});

test("a question about the branch that is new since the run began is put before it is published", async () => {
  await checked(() => also(`{ ask: { git.branch: "agent/**" }, ${FROM_LEADS}`));
  house.policy.edit(DATA, GRANTED, ASKED);
  await house.say(ANA, "change the docs", data);
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("suspended");
  expect(house.repoHost.pushes).toEqual([]);
  expect(await questions(run)).toEqual(["start approved", "publish pending"]);
  expect((await house.question(run)).asks).toMatchObject([{ from: "group:leads" }]);
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
});

test("a repository about which two are asked by now is asked about again", async () => {
  await checked(() => house.policy.edit(DATA, FROM_LEADS, "from: group:leads, quorum: 2 }"));
  house.policy.edit(DATA, GRANTED, ASKED);
  await house.say(ANA, "change the docs", data);
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("suspended");
  expect(await house.question(run)).toMatchObject({ gate: "publish", asks: [{ from: "group:leads", quorum: 2 }] });
});

test("who said yes to the repository and then added to the run is asked for no more: somebody else is", async () => {
  house = await memoryHouse({
    play: (prompt) =>
      prompt.includes("the weekly one too")
        ? [{ write: "README.md", content: "both\n" }]
        : [
            { run: "rm -rf build", ask: true },
            { write: "README.md", content: "one\n" },
          ],
  });
  house.directory.group({ slack_usergroup: "S0LEADS" }, [BO.id, CY.id]);
  house.policy.edit(DATA, GRANTED, ASKED);
  await house.say(ANA, "change the docs", data);
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("working");
  const command = await house.question(run);
  await house.say(BO, "the weekly one too", { in: run });
  await house.answer(CY, command.id);
  await house.until("suspended");
  const again = await house.question(run);
  expect(again.gate).toBe("publish");
  expect(await house.answer(BO, again.id)).toMatchObject({ refusal: { code: "own_run" } });
  await house.answer(CY, again.id);
  await house.until("in_review");
});
