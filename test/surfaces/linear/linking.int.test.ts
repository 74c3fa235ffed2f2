import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TicketUnavailable } from "#ports/ticket.ts";
import { ANA, BO, DEE } from "#test/runs/memory-house.ts";
import { type LinearWorld, linearWorld } from "./world.ts";

let world: LinearWorld;
beforeEach(async () => {
  world = await linearWorld();
});
afterEach(async () => {
  await world.close();
});

const TASK = 'append "Orders are shipped from Lyon." to README.md';
const runs = () => world.core.stores.runs.recent(world.core.orgId, 50);

test("whoever is not linked starts nothing, is told how, and what they asked for goes on by itself once they are", async () => {
  const { ana } = world.people;
  const session = world.session(world.issue("Shipping text", TASK), ana);
  await world.created(session);
  expect(await runs()).toEqual([]);
  const asked = world.tracker.posted.at(-1);
  expect(asked).toMatchObject({
    activity: { kind: "elicitation" },
    signIn: { url: "https://acme.slack.com/team/U0AGENT", userId: ana.id, provider: "Slack" },
  });
  expect(world.said(session).at(-1)).toContain("Say `link linear` to us in Slack");

  await world.prompt(session, ana, `Here it is: ${await world.code(ANA)}`);
  expect(world.said(session).join("\n")).toContain("Your account is linked with Ana in Slack");
  await world.show();
  expect(world.told).toEqual([
    { to: "U0ANA", view: { kind: "linked", provider: "linear", name: "Ana", person: "Ana" } },
  ]);
  const [run, ...others] = await runs();
  expect(others).toEqual([]);
  expect(run).toMatchObject({ team: "shop", requester: { name: "Ana" }, ticket: { name: "SHOP-1" } });
  expect(run?.place).toMatchObject({ provider: "linear", channel: "SHOP", thread: session.id });
});

test("a code works once: another account that writes it is told so, and is nobody", async () => {
  const code = await world.code(ANA);
  const first = world.session(world.issue(TASK), world.people.ana);
  await world.prompt(first, world.people.ana, code);
  const second = world.session(world.issue(TASK), world.people.mallory);
  await world.prompt(second, world.people.mallory, code);
  expect(world.said(second).at(-1)).toContain("That code was used before");
  await world.created(second);
  expect(await runs()).toEqual([]);
  await world.show();
  expect(world.told).toHaveLength(1);
});

test("a delivery of a code that is handled twice links once, and meets no used code", async () => {
  const code = await world.code(ANA);
  const session = world.session(world.issue(TASK), world.people.ana);
  // Linked, and then the process dies before it can say so.
  const away = new TicketUnavailable("unreachable", "Linear is away");
  for (let posts = 0; posts < 2; posts += 1) world.tracker.fail(away, "post");
  await world.prompt(session, world.people.ana, code);
  expect(world.said(session)).toEqual([]);
  await world.restart();
  await world.redrive();
  expect(world.said(session).join("\n")).toContain("Your account is linked with Ana");
  expect(world.said(session).join("\n")).not.toContain("used before");
  await world.show();
  expect(world.told).toHaveLength(1);
});

test("while Slack is away an account is linked all the same, and its owner is told once when it is back", async () => {
  const session = world.session(world.issue(TASK), world.people.ana);
  world.world.slackAway = true;
  await world.prompt(session, world.people.ana, await world.code(ANA));
  expect(world.said(session).join("\n")).toContain("Your account is linked with Ana");
  await world.showOnce();
  expect(world.told).toEqual([]);
  world.world.slackAway = false;
  await world.show();
  await world.show();
  expect(world.told).toMatchObject([{ to: "U0ANA", view: { kind: "linked" } }]);
});

test("a late code, a changed one and one of another installation link nobody", async () => {
  const session = world.session(world.issue(TASK), world.people.ana);
  const code = await world.code(ANA);
  const changed = code.replace(/.(?=\.)/, (last) => (last === "A" ? "B" : "A"));
  await world.prompt(session, world.people.ana, changed);
  expect(world.said(session).at(-1)).toContain("That is no code of ours");
  await world.prompt(session, world.people.ana, `${code.split(".")[0]}.${"A".repeat(43)}`);
  expect(world.said(session).at(-1)).toContain("That is no code of ours");
  await world.prompt(session, world.people.ana, "cslink_short");
  expect(world.said(session).at(-1)).toContain("That is no code of ours");
  world.house.world.offset += 11 * 60_000;
  await world.prompt(session, world.people.ana, code);
  expect(world.said(session).at(-1)).toContain("That code has expired");
  expect(world.told).toEqual([]);
});

test("an account that is somebody's already, and a second account of the same person, are refused", async () => {
  const { ana, mallory } = world.people;
  const session = world.session(world.issue(TASK), ana);
  await world.prompt(session, ana, await world.code(ANA));
  await world.prompt(session, ana, await world.code(BO));
  expect(world.said(session).at(-1)).toContain("linked with Ana in Slack already, so nothing was linked");
  expect(world.said(session).at(-1)).toContain(`countersign unlink linear ${ana.id}`);
  await world.prompt(session, mallory, await world.code(ANA));
  expect(world.said(session).at(-1)).toContain("has linked another account here");
  await world.show();
  expect(world.told).toHaveLength(1);
});

test("a guest of Slack gets no code, and an app of Linear uses none", async () => {
  expect(await world.inSlack(DEE, "link linear")).toEqual({ kind: "refused", refusal: { code: "guest" } });
  const session = world.session(world.issue(TASK), world.people.robot);
  await world.prompt(session, world.people.robot, await world.code(ANA));
  expect(world.said(session).at(-1)).toMatch(/^response: Only a full member/);
  expect(world.told).toEqual([]);
});

test("unlink takes it back at once, and somebody else may then link the account", async () => {
  const { ana } = world.people;
  const session = world.session(world.issue(TASK), ana);
  await world.prompt(session, ana, await world.code(ANA));
  const links = { kind: "links", places: ["linear"] };
  expect(await world.inSlack(ANA, "link")).toEqual({ ...links, accounts: [{ provider: "linear", name: "Ana" }] });
  expect(await world.inSlack(ANA, "unlink github")).toEqual({ kind: "unlinked", from: [] });
  expect(await world.inSlack(ANA, "unlink")).toEqual({ kind: "unlinked", from: ["linear"] });
  expect(await world.inSlack(ANA, "unlink linear")).toEqual({ kind: "unlinked", from: [] });
  expect(await world.inSlack(ANA, "link")).toEqual({ ...links, accounts: [] });
  await world.created(world.session(world.issue(TASK), ana));
  expect(await runs()).toEqual([]);
  await world.prompt(session, ana, await world.code(BO));
  await world.show();
  // To each of the two, in whatever order.
  expect(world.told.filter(({ to }) => to === "U0BO")).toMatchObject([{ view: { kind: "linked", person: "Bo" } }]);
});

test("a code reaches neither the agent, nor the log, nor the record, whatever stands beside it", async () => {
  const { ana } = world.people;
  const session = world.session(world.issue("Shipping text", TASK), ana);
  await world.prompt(session, ana, await world.code(ANA));
  await world.created(session);
  await world.house.until("waiting");
  const code = await world.code(ANA);
  await world.prompt(session, ana, `also do this: ${code}`);
  const [run] = await runs();
  const record = JSON.stringify(await world.core.stores.events.after(run?.id ?? "", 0, 1_000));
  const turns = JSON.stringify(await world.core.stores.turns.all(run?.id ?? ""));
  for (const text of [record, turns, world.house.logged.join("\n"), JSON.stringify(world.tracker.posted)])
    expect(text).not.toContain(code.slice(0, 30));
});

test("a person who was linked and left Slack is nobody here any more", async () => {
  const { ana } = world.people;
  const session = world.session(world.issue(TASK), ana);
  await world.prompt(session, ana, await world.code(ANA));
  world.house.directory.put({ ...ANA, kind: "deactivated" });
  const next = world.session(world.issue(TASK), ana);
  await world.created(next);
  expect(world.said(next).at(-1)).toContain("Only full members of the Slack workspace may ask");
  expect(await runs()).toEqual([]);
});

test("an account that nobody linked is kept apart from one of the same id in another workspace", async () => {
  const { ana } = world.people;
  const session = world.session(world.issue(TASK), ana);
  await world.prompt(session, ana, await world.code(ANA));
  const on = { provider: "slack", workspace: "T0LOCAL" };
  const elsewhere = { provider: "linear", workspace: randomUUID(), id: ana.id };
  expect(await world.core.stores.people.accountOn(elsewhere, on)).toBeNull();
  const here = { provider: "linear", workspace: world.sender.organization, id: ana.id };
  expect(await world.core.stores.people.accountOn(here, on)).toEqual({ ...on, id: "U0ANA" });
});
