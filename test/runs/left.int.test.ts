import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryInstallations } from "#adapters/directory/memory-installations.ts";
import type { InstallationWord } from "#ports/workspaces.ts";
import { reconcileWorkspaces, workspaceLeft } from "#runs/record/left.ts";
import { eventsOf } from "#runs/record/look.ts";
import { control } from "#runs/sandbox/control.ts";
import { ANA, memoryHouse } from "./memory-house.ts";

const HOME = "T0LOCAL";
let house: Awaited<ReturnType<typeof memoryHouse>>;
let installs: ReturnType<typeof memoryInstallations>;
let log: string[] = [];
beforeEach(async () => {
  log = [];
  house = await memoryHouse({}, { core: { log: (message) => void log.push(message) } });
  installs = memoryInstallations();
  installs.allow(HOME, "T0BETA");
  for (const id of [HOME, "T0BETA"]) {
    await put(id);
    installs.say(id, TAKEN);
  }
});
afterEach(() => house.close());

const TAKEN: InstallationWord = { kind: "taken", enterprise: null };
const GONE: InstallationWord = { kind: "gone", why: "account_inactive" };

const put = (id: string, enterprise: string | null = null) =>
  house.core.stores.workspaces.put({
    ...{
      id,
      enterprise,
      name: id,
      url: null,
      botUserId: "U0AGENT",
      botId: "B0AGENT",
      scopes: [],
      installedBy: "U0ANA",
    },
    tokens: { keyId: "k", access: "a", refresh: null, expiresAt: null, lost: null },
  });
const row = (id = HOME) => house.core.stores.workspaces.get(id);
const soon = () => new Date(Date.now() + 60_000);
const left = (o: { workspace?: string; at?: Date; bots?: readonly string[] } = {}) =>
  workspaceLeft(house.core, installs, { workspace: HOME, at: soon(), bots: null, ...o });
const reconcile = () => reconcileWorkspaces(house.core, installs);

async function waiting() {
  await house.say(ANA, "append a line to README.md");
  return house.until("waiting");
}
async function ended(run: { id: string }) {
  await control(house.core, run.id);
  const said = (await eventsOf(house.core, run.id)).map(({ body }) => body);
  const end = said.findLast((body) => body.kind === "run.moved");
  return {
    state: (await house.core.stores.runs.get(run.id))?.state,
    notices: said.flatMap((body) => (body.kind === "notice" ? [body.text] : [])),
    why: end?.kind === "run.moved" ? end.why : null,
  };
}

test("when a workspace removes the app its runs end with the reason in their record, once, and nobody else's do", async () => {
  const run = await waiting();
  installs.say("T0BETA", GONE);
  await left({ workspace: "T0BETA" });
  expect(await row("T0BETA")).toBeNull();
  expect((await house.core.stores.runs.get(run.id))?.cancelRequestedBy).toBeNull();
  installs.say(HOME, GONE);
  await left();
  await left();
  expect(await row()).toBeNull();
  expect(installs.forgotten).toEqual(["T0BETA", HOME]);
  expect(await ended(run)).toEqual({
    state: "cancelled",
    notices: [expect.stringMatching(/^The workspace T0LOCAL removed the app\./)],
    why: "the workspace T0LOCAL removed the app",
  });
  // Nobody can answer what was asked.
  expect(await house.core.stores.approvals.ofRun(run.id)).toMatchObject([{ status: "void" }]);
});

test("late news, another bot's, and news that the chat denies end nothing", async () => {
  const run = await waiting();
  await left();
  installs.say(HOME, GONE);
  await left({ at: new Date(Date.now() - 60_000) });
  await left({ bots: ["U0OTHER"] });
  expect(await row()).not.toBeNull();
  expect(await ended(run)).toMatchObject({ state: "waiting", notices: [] });
});

test("news that the chat neither confirms nor denies is to be told again, and ends nothing", async () => {
  const run = await waiting();
  installs.say(HOME, { kind: "unknown", why: "a word that nobody knows" });
  await expect(left()).rejects.toThrow("a word that nobody knows");
  expect(await row()).not.toBeNull();
  expect(await ended(run)).toMatchObject({ state: "waiting" });
});

for (const word of [{ kind: "sealed" }, { kind: "refused", why: "invalid_auth" }] as const) {
  test(`where the answer is "${word.kind}" the news itself is believed`, async () => {
    const run = await waiting();
    installs.say(HOME, word);
    await left();
    expect(await row()).toBeNull();
    expect(await ended(run)).toMatchObject({ state: "cancelled" });
  });
}

test("a workspace that left without a word is found, and treated as if it had said so", async () => {
  const run = await waiting();
  installs.say(HOME, GONE);
  await Promise.all([reconcile(), reconcile()]);
  await reconcile();
  expect([await row(), (await row("T0BETA"))?.id]).toEqual([null, "T0BETA"]);
  expect(await ended(run)).toMatchObject({
    state: "cancelled",
    notices: [expect.stringContaining("T0LOCAL removed the app")],
  });
  expect(log.filter((message) => message === "a workspace was forgotten")).toHaveLength(1);
});

for (const word of [
  { kind: "unknown", why: "fetch failed" },
  { kind: "refused", why: "invalid_auth" },
  { kind: "sealed" },
  TAKEN,
] as const) {
  test(`a workspace of which the chat says "${word.kind}" goes on`, async () => {
    const run = await waiting();
    installs.say(HOME, word);
    await reconcile();
    expect(await row()).not.toBeNull();
    expect(await ended(run)).toMatchObject({ state: "waiting", notices: [] });
  });
}

test("a workspace that was taken off the list has its runs ended with that reason, once, and is still known", async () => {
  const run = await waiting();
  installs.allow("T0BETA");
  await reconcile();
  await reconcile();
  expect(await row()).not.toBeNull();
  expect(await ended(run)).toEqual({
    state: "cancelled",
    notices: [expect.stringContaining("T0LOCAL was taken off the list")],
    why: "the workspace T0LOCAL was taken off the list of those that may use the app",
  });
  // Whoever reads the thread is told.
  const said = await house.core.stores.outbox.due(1_000, 100);
  expect(said.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["status", "outcome"]));
});

test("a workspace that is off the list and has removed the app as well is forgotten", async () => {
  installs.allow("T0BETA");
  installs.say(HOME, GONE);
  await reconcile();
  expect(await row()).toBeNull();
});

test("a workspace that moves to an organisation off the list is off the list, and one that moves into it is known there", async () => {
  installs.allow("E0ORG");
  await put(HOME, "E0ORG");
  await put("T0BETA", "E0OTHER");
  const run = await waiting();
  installs.say(HOME, { kind: "taken", enterprise: "E0ORG" });
  installs.say("T0BETA", { kind: "taken", enterprise: "E0ORG" });
  await reconcile();
  expect((await row("T0BETA"))?.enterprise).toBe("E0ORG");
  expect(await ended(run)).toMatchObject({ state: "waiting" });
  installs.say(HOME, { kind: "taken", enterprise: "E0OTHER" });
  await reconcile();
  expect((await row())?.enterprise).toBe("E0OTHER");
  expect(await ended(run)).toMatchObject({ state: "cancelled", notices: [expect.stringContaining("off the list")] });
});

test("a workspace that is installed again while the chat is asked is judged by the next look", async () => {
  const run = await waiting();
  const again = {
    ...installs,
    async ask(id: string) {
      if (id === HOME) await put(HOME);
      return GONE;
    },
  };
  await reconcileWorkspaces(house.core, again);
  expect(await row()).not.toBeNull();
  expect(await ended(run)).toMatchObject({ state: "waiting" });
});
