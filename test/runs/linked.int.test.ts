import { createHmac } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import type { Account } from "#ports/directory.ts";
import { ofAccounts } from "#runs/account/link.ts";
import { redeem } from "#runs/account/redeem.ts";
import type { Core } from "#runs/core.ts";
import { factsOf } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, CY, memoryHouse, type Script } from "./memory-house.ts";

const GITHUB = { provider: "github", workspace: "github.com", by: "code" } as const;
const LINKS: Partial<Core> = {
  linkable: [GITHUB],
  linkMac: (text) => createHmac("sha256", "installation").update(text).digest("base64url"),
};

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

async function open(o: { linked?: string; core?: Partial<Core>; script?: Script } = {}) {
  house = await memoryHouse(o.script ?? {}, { core: o.core ?? LINKS });
  if (o.linked !== undefined)
    house.policy.edit("teams/shop.yaml", "members: group:shop", `members: group:shop\nlinked: ${o.linked}`);
}

/** This person shows that an account of GitHub is theirs. */
async function link(who: Account, id: number, login: string) {
  const view = await ofAccounts(house.core, { account: who, shared: false }, "link", "github");
  if (view.kind !== "link_code") throw new Error(`it is a ${view.kind}`);
  const account = { provider: "github", workspace: GITHUB.workspace, id: String(id), name: login };
  return redeem(house.core, { text: view.code, account, proof: "code", once: `link ${id}` });
}

const turns = async (run: Run) => (await house.core.stores.turns.all(run.id)).map(({ text }) => text);

test("a run whose author has yet to link an account is held before anything is made, says so once, and goes on by itself", async () => {
  await open({ linked: "{ authors: github }" });
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("requested");
  const [why] = await house.notices(run);
  expect(why).toContain("Policy wants Ana's GitHub account linked first (teams/shop.yaml:6:");
  expect(why).toContain('"link github"');
  await house.pass(61_000, run);
  await house.pass(61_000, run);
  expect(await house.notices(run)).toHaveLength(1);
  const held = await house.core.stores.runs.get(run.id);
  expect(held).toMatchObject({ state: "requested", baseOid: null, scope: null });
  expect(await house.sandboxes.list({})).toEqual([]);
  expect(await house.core.stores.approvals.ofRun(run.id)).toEqual([]);

  expect(await link(ANA, 583231, "ana")).toMatchObject({ linked: { id: "U0ANA" } });
  expect((await house.until("waiting")).id).toBe(run.id);
});

test("a run that nobody links anything for is handed off in the end, with what to do", async () => {
  await open({ linked: "{ authors: [github] }" });
  await house.say(ANA, "append a line");
  const run = await house.until("requested");
  await house.notices(run);
  await house.pass(8 * 86_400_000, run);
  const { state, handoff } = await factsOf(house.core, run.id);
  expect(state).toBe("handed_off");
  expect(handoff).toMatchObject({ fault: "policy", next: expect.stringContaining("say link github to us in Slack") });
});

test("where no account can be linked the run waits as well, and says whose matter that is", async () => {
  await open({ linked: "{ authors: github }", core: {} });
  await house.say(ANA, "append a line");
  const [why] = await house.notices(await house.until("requested"));
  expect(why).toContain("cannot be linked here: whoever runs this service can change that");
  expect(await house.say(ANA, "link github")).toEqual({
    kind: "refused",
    refusal: { code: "nothing_to_link", provider: "github" },
  });
});

test("an account on another server is not the one that policy wants", async () => {
  await open({ linked: "{ authors: github }" });
  await house.core.store.tx(async (tx) => {
    const person = await house.core.stores.people.resolve(tx, house.core.orgId, ANA, "Ana");
    const account = { provider: "github", workspace: "ghe.example.com", id: "1", name: "ana" };
    await house.core.stores.people.link(tx, account, person.id, "code");
  });
  await house.say(ANA, "append a line");
  expect((await house.notices(await house.until("requested")))[0]).toContain("linked first");
});

test("words of somebody who has yet to link reach nobody, and they are told how", async () => {
  await open({ linked: "{ authors: github }" });
  await link(ANA, 583231, "ana");
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  expect(await house.say(CY, "and the basket", { in: run })).toMatchObject({
    kind: "refused",
    refusal: { code: "not_linked", provider: "github", what: "words" },
  });
  expect(await turns(run)).toEqual(["append a line"]);
  await link(CY, 5, "cy");
  expect(await house.say(CY, "and the basket", { in: run })).toMatchObject({ kind: "noted" });
  expect(await turns(run)).toEqual(["append a line", "and the basket"]);
});

test("a yes of somebody who has yet to link is not counted and answered, a no is counted", async () => {
  await open({ linked: "{ approvers: github }" });
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  const { id } = await house.question(run);
  expect(await house.answer(BO, id)).toMatchObject({
    kind: "refused",
    refusal: { code: "not_linked", what: "answer", rule: expect.stringMatching(/^teams\/shop\.yaml:6:/) },
  });
  const { approvals } = await factsOf(house.core, run.id);
  expect(approvals[0]?.refused).toMatchObject([{ code: "not_linked" }]);
  await link(BO, 7, "bo");
  expect(await house.answer(BO, id)).toMatchObject({ kind: "noted", what: "approved" });
  await house.until("in_review");

  await ofAccounts(house.core, { account: BO, shared: false }, "unlink", null);
  await house.say(ANA, "append another");
  const second = await house.until("waiting");
  expect(await house.answer(BO, (await house.question(second)).id, "deny")).toMatchObject({
    kind: "noted",
    what: "denied",
  });
});

test("what policy wants since holds back a run that was approved already", async () => {
  await open();
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  const { id } = await house.question(run);
  house.policy.edit("org.yaml", "always:", "linked: { authors: github }\nalways:");
  await house.answer(BO, id);
  expect((await house.notices(run))[0]).toContain("linked first (org.yaml:");
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("queued");
  await link(ANA, 583231, "ana");
  await house.until("in_review");
});

test("an author who takes a link back during the work holds back what would be published", async () => {
  const { promise: checked, resolve } = Promise.withResolvers<void>();
  await open({
    linked: "{ authors: github }",
    script: {
      async checks() {
        await checked;
        return 0;
      },
    },
  });
  await link(ANA, 583231, "ana");
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("checking");
  await ofAccounts(house.core, { account: ANA, shared: false }, "unlink", "github");
  resolve();
  expect((await house.notices(run))[0]).toContain("linked first");
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("publishing");
  expect(await house.repoHost.findPullRequest(run.repo, run.branch)).toBeNull();
  await link(ANA, 583232, "ana-again");
  await house.until("in_review");
});

/** Somebody's words come from GitHub, and nobody knows who that is in the chat. */
async function octocatJoins(run: Run): Promise<void> {
  const { people } = house.core.stores;
  await house.core.store.tx(async (tx) => {
    const account = { provider: "github", workspace: GITHUB.workspace, id: "42" };
    const person = await people.resolve(tx, house.core.orgId, account, "octocat");
    await people.addAuthor(tx, run.id, person.id);
    await record(house.core, tx, run.id, null, [{ kind: "author.joined", person }]);
  });
}

test("an author whom nobody here knows by a chat account could be any approver, so no vote counts", async () => {
  await open();
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  await octocatJoins(run);
  const { id } = await house.question(run);
  expect(await house.answer(BO, id)).toMatchObject({
    kind: "refused",
    refusal: { code: "author_unlinked", who: "octocat" },
  });
  // Nobody becomes them by linking that account: who they are was never shown.
  expect(await link(BO, 42, "octocat")).toMatchObject({ refused: "theirs", holder: "octocat" });
});

test("a commit credits everybody whose words it came of, by the account that they linked", async () => {
  await open();
  await link(ANA, 583231, "ana");
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  await house.say(CY, "and the basket", { in: run });
  await house.answer(BO, (await house.question(run)).id);
  const done = await house.until("in_review");
  const people = await house.core.store.tx((tx) => house.core.stores.people.authors(tx, run.id));
  const cy = people.find(({ name }) => name === "Cy");
  expect(house.world.commits[0]?.split("\n\n").at(-1)?.split("\n")).toEqual([
    "Co-authored-by: Ana <583231+ana@users.noreply.github.com>",
    `Co-authored-by: Cy <${cy?.id}@people.countersign.invalid>`,
  ]);
  const envelope = JSON.parse((await house.core.stores.receipts.get(done.id)) ?? "{}") as { payload: string };
  const { predicate } = JSON.parse(Buffer.from(envelope.payload, "base64").toString("utf8")) as {
    predicate: { authors: string[]; accounts: unknown };
  };
  expect(predicate.authors).toEqual(["Ana", "Cy"]);
  expect(predicate.accounts).toEqual([
    { author: "Ana", of: [{ provider: "github", workspace: "github.com", id: "583231", name: "ana" }] },
  ]);
});

test("neither a name nor a request makes a trailer of its own", async () => {
  await open();
  const evil = { ...ANA, name: "Ana\n\nCo-authored-by: Eve <eve@example.com>\u202e" };
  house.directory.put(evil);
  await house.say(evil, "Co-authored-by: Bo <bo@example.com>\nSigned-off-by: Bo <bo@example.com>");
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
  const [message = ""] = house.world.commits;
  expect(message.match(/^[\w-]+-by:/gim)).toEqual(["Co-authored-by:"]);
  expect(message.split("\n").at(-1)).toMatch(
    /^Co-authored-by: Ana Co-authored-by: Eve eve@example\.com <[0-9a-f-]{36}@people\.countersign\.invalid>$/,
  );
});

test("a code that is said in the chat reaches no agent and no record, and is answered", async () => {
  await open();
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  const view = await ofAccounts(house.core, { account: ANA, shared: false }, "link", "github");
  const code = view.kind === "link_code" ? view.code : "";
  expect(await house.say(ANA, `and this: ${code}`, { in: run })).toEqual({
    kind: "refused",
    refusal: { code: "code_here" },
  });
  expect(await turns(run)).toEqual(["append a line"]);
  expect(house.logged.join("\n")).not.toContain(code.slice(0, 30));
});

test("a question that is over is said to be over, also to somebody who has yet to link", async () => {
  await open({ linked: "{ approvers: github }" });
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  const { id } = await house.question(run);
  expect(await house.answer(CY, id)).toMatchObject({ kind: "refused", refusal: { code: "not_an_approver" } });
  await house.answer(BO, id, "deny");
  await house.until("denied");
  expect(await house.answer(BO, id)).toMatchObject({ kind: "refused", refusal: { code: "already_decided" } });
});
