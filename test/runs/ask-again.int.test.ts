import { afterEach, expect, test } from "vitest";
import { eventsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import { stop } from "#runs/request/stop.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, CY, DEE, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const code = (view: View | null): string | null => (view?.kind === "refused" ? view.refusal.code : null);

/** Ana's request, about which nobody decided in time. */
async function expired() {
  house = await memoryHouse();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  const first = await house.question(run);
  await house.pass(31 * 60_000, run);
  const again = (account: typeof ANA) => askAgain(house.core, { approvalId: first.id, account, place: run.place });
  return { run, first, again };
}

const asked = (run: Run) => house.core.stores.approvals.ofRun(run.id);

/** What else happens while it is looked up who may answer. */
function meanwhile(act: () => Promise<unknown>): void {
  const { directory } = house;
  const members = directory.members;
  directory.members = async (group, workspace) => {
    directory.members = members;
    await act();
    return members(group, workspace);
  };
}

test("the requester may have it asked again, and the record says who did", async () => {
  const { run, again } = await expired();
  expect(await again(ANA)).toMatchObject({ kind: "noted", what: "asked_again" });
  const second = await house.question(run);
  const said = (await eventsOf(house.core, run.id)).flatMap(({ body }) =>
    body.kind === "approval.asked_again" ? [[body.approval, body.by.name]] : [],
  );
  expect(said).toEqual([[second.id, "Ana"]]);
});

test("who may answer may have it asked again", async () => {
  const { run, again } = await expired();
  expect(await again(BO)).toMatchObject({ kind: "noted", what: "asked_again" });
  expect(await asked(run)).toHaveLength(2);
});

test("a member of the team who is no author and no approver is told whom to ask", async () => {
  const { run, again } = await expired();
  expect(await again(CY)).toMatchObject({
    kind: "refused",
    refusal: { code: "not_yours_to_ask_again", requester: "Ana", from: ["group:leads"] },
  });
  expect(await asked(run)).toHaveLength(1);
});

test("who added words in the thread is an author, and may have it asked again", async () => {
  const { run, again } = await expired();
  await house.say(CY, "and the date", { in: run });
  expect(await again(CY)).toMatchObject({ kind: "noted", what: "asked_again" });
});

test("a requester who has left the team may not have its approvers called", async () => {
  const { run, again } = await expired();
  house.directory.group({ slack_usergroup: "S0SHOP" }, ["U0BO", "U0CY"]);
  expect(code(await again(ANA))).toBe("not_a_member");
  expect(await asked(run)).toHaveLength(1);
});

test("a guest may not have it asked again, whatever group they are in", async () => {
  const { run, again } = await expired();
  house.directory.group({ slack_usergroup: "S0LEADS" }, ["U0BO", "U0DEE"]);
  expect(code(await again(DEE))).toBe("guest");
  expect(await asked(run)).toHaveLength(1);
});

test("while nobody can say who may answer, it is not asked again, and whoever pressed is told so", async () => {
  const { run, again } = await expired();
  house.directory.fail("Slack is down");
  expect(code(await again(ANA))).toBe("directory_unavailable");
  expect(await asked(run)).toHaveLength(1);
});

test("a question that is still open is not asked again", async () => {
  house = await memoryHouse();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  const first = await house.question(run);
  expect(code(await askAgain(house.core, { approvalId: first.id, account: ANA, place: run.place }))).toBe(
    "already_decided",
  );
  expect(await asked(run)).toHaveLength(1);
});

test("whoever presses while the run is being stopped is told that it is over, not that it is asked", async () => {
  const { run, again } = await expired();
  meanwhile(() => stop(house.core, { runId: run.id, account: ANA, place: run.place }));
  expect(code(await again(ANA))).toBe("run_over");
  expect(await asked(run)).toHaveLength(1);
});

test("whoever presses while somebody else's second question is answered with no is told that it is over", async () => {
  const { run, again } = await expired();
  meanwhile(async () => {
    await again(BO);
    await house.answer(BO, (await house.question(run)).id, "deny");
  });
  expect(code(await again(ANA))).toBe("run_over");
  expect(await asked(run)).toHaveLength(2);
});

test("of two who press at once both are told, and it is asked once", async () => {
  const { run, again } = await expired();
  expect(await Promise.all([again(ANA), again(BO)])).toEqual([
    expect.objectContaining({ what: "asked_again" }),
    expect.objectContaining({ what: "asked_again" }),
  ]);
  expect(await asked(run)).toHaveLength(2);
  const said = (await eventsOf(house.core, run.id)).filter(({ body }) => body.kind === "approval.asked_again");
  expect(said).toHaveLength(1);
});
