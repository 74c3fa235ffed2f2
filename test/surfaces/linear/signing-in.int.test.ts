import { afterEach, beforeEach, expect, test } from "vitest";
import { type MemorySignIn, memorySignIn } from "#adapters/directory/memory-sign-in.ts";
import type { Account } from "#ports/directory.ts";
import { SignInNoMember } from "#ports/sign-in.ts";
import { codeOwner, redeem } from "#runs/account/redeem.ts";
import { identityRoutes, linkedAt } from "#surfaces/web/identity.ts";
import { signInLink } from "#surfaces/web/sign-in.ts";
import type { LinearUser } from "#test/doubles/linear/payloads.ts";
import { ANA, BO } from "#test/runs/memory-house.ts";
import { HOME, type LinearWorld, linearWorld } from "./world.ts";

/** Where an app of Linear's has a client id: whose account is whose is shown on Linear's own page. */
const TASK = 'append "Orders are shipped from Lyon." to README.md';
const BACK = linkedAt("linear");

let world: LinearWorld;
let linear: MemorySignIn;
beforeEach(async () => {
  world = await linearWorld({}, { signsIn: true });
  linear = memorySignIn();
});
afterEach(async () => {
  await world.close();
});

const runs = () => world.core.stores.runs.recent(world.core.orgId, 50);
const at = (user: LinearUser, workspace: string = world.sender.organization) => ({
  ...{ provider: "linear", workspace, id: user.id, name: user.name },
});

/** The pages as `links.ts` puts them together. */
const pages = () =>
  identityRoutes({
    ...{ place: "linear", within: "Acme", placeUrl: "https://linear.app", baseUrl: HOME, log: world.core.log },
    signIn: linear,
    owner: (link) => codeOwner(world.core, { text: link, provider: "linear", once: null }),
    link: ({ link, who, once }) => {
      const account = { ...who, name: who.name ?? null };
      const act = () => redeem(world.core, { text: link, account, proof: "sign_in", once });
      return world.signedIn({ user: who.id, once, act });
    },
  });
const get = (path: string, cookie = "") => pages().request(`${HOME}${path}`, { headers: { cookie } });

/** What this person alone is shown in Slack: the path of their link. */
async function linkOf(who: Account): Promise<string> {
  const view = await world.inSlack(who, "link linear");
  if (view?.kind !== "link_page") throw new Error(`it is a ${view?.kind}`);
  expect(view.url.startsWith(`${HOME}/identity/linear/start?link=cslink_`)).toBe(true);
  return view.url.slice(HOME.length);
}
const codeIn = (path: string): string => new URL(path, HOME).searchParams.get("link") ?? "";

/** A browser that has pressed: where Linear is asked, and the cookie that must come back. */
async function begun(path: string) {
  const answer = await pages().request(`${HOME}/identity/linear/start`, {
    method: "POST",
    body: new URLSearchParams({ link: codeIn(path) }).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded", origin: HOME },
  });
  const [line = ""] = answer.headers.getSetCookie();
  return { url: answer.headers.get("location") ?? "", cookie: line.split(";", 1)[0] ?? "" };
}

async function comesBack(path: string, who: ReturnType<typeof at>) {
  const { url, cookie } = await begun(path);
  const answer = await get(`${BACK}${linear.consent(url, who)}`, cookie);
  await world.drain();
  return { status: answer.status, text: await answer.text() };
}

const accounts = async (who: Account) => {
  const view = await world.inSlack(who, "link");
  return view?.kind === "links" ? view.accounts : null;
};

test("who signs in at Linear is linked, is told so in Slack and on the ticket, and what they asked for goes on by itself", async () => {
  const { ana } = world.people;
  const session = world.session(world.issue("Shipping text", TASK), ana);
  await world.created(session);
  expect(world.said(session).at(-1)).toContain("You get a link that only you see; it leads to Linear");
  expect(await runs()).toEqual([]);

  const path = await linkOf(ANA);
  // Where people sign in to the pages first, they come back to it.
  expect(signInLink(path)).toContain(encodeURIComponent("/identity/linear/start?link="));
  const page = await get(path);
  const words = await page.text();
  expect([page.status, words]).toEqual([200, expect.stringContaining("Link a Linear account with Ana")]);
  expect(words).toContain("Whoever you are on linear.app, in Acme, is Ana in Slack from then on");
  expect(page.headers.get("content-security-policy")).toContain("form-action 'self' https://linear.app;");
  const done = await comesBack(path, at(ana));
  expect([done.status, done.text]).toEqual([200, expect.stringContaining("Ana on Linear is Ana in Slack")]);
  expect(await accounts(ANA)).toEqual([{ provider: "linear", name: "Ana" }]);
  await world.show();
  expect(world.told).toEqual([
    { to: "U0ANA", view: { kind: "linked", provider: "linear", name: "Ana", person: "Ana" } },
  ]);
  expect(world.said(session).join("\n")).toContain("Your account is linked with Ana in Slack");
  const [run, ...others] = await runs();
  expect([run?.ticket?.name, run?.place.thread, others]).toEqual(["SHOP-1", session.id, []]);
});

test("a process that ends between the link and what waited for it leaves that to the next one", async () => {
  const { ana } = world.people;
  const session = world.session(world.issue("Shipping text", TASK), ana);
  await world.created(session);
  const code = codeIn(await linkOf(ANA));
  const linked = Promise.withResolvers<void>();
  void world.signedIn({
    user: ana.id,
    once: "attempt",
    async act() {
      const way = { text: code, account: at(ana), proof: "sign_in", once: "attempt" } as const;
      expect(await redeem(world.core, way)).toMatchObject({ linked: { id: "U0ANA" } });
      linked.resolve();
      // It comes no further.
      return new Promise(() => undefined);
    },
  });
  await linked.promise;
  expect(await runs()).toEqual([]);
  await world.restart();
  await world.redrive();
  expect((await runs()).map(({ ticket }) => ticket?.name)).toEqual(["SHOP-1"]);
});

test("an account of another workspace is refused by name, and the link stays good for the right one", async () => {
  const { ana } = world.people;
  const path = await linkOf(ANA);
  const other = await comesBack(path, at(ana, "another-workspace"));
  expect([other.status, other.text]).toEqual([403, expect.stringContaining("somebody of another workspace of Linear")]);
  expect(other.text).toContain("accounts are linked here of Acme alone");
  await world.show();
  expect([await accounts(ANA), world.told]).toEqual([[], []]);
  expect((await comesBack(path, at(ana))).status).toBe(200);
});

test("an answer that is shown again, and its cookie with it, links nobody else", async () => {
  const path = await linkOf(ANA);
  const { url, cookie } = await begun(path);
  const query = linear.consent(url, at(world.people.ana));
  expect((await get(`${BACK}${query}`, cookie)).status).toBe(200);
  const again = await get(`${BACK}${query}`, cookie);
  expect([again.status, await again.text()]).toEqual([410, expect.stringContaining("used before")]);
  // A link of somebody else's with a code that Linear has taken already.
  const bos = await begun(await linkOf(BO));
  const state = new URL(bos.url).searchParams.get("state") ?? "";
  const replayed = new URLSearchParams({ code: new URLSearchParams(query).get("code") ?? "", state });
  const theirs = await get(`${BACK}?${replayed}`, bos.cookie);
  expect([theirs.status, await theirs.text()]).toEqual([400, expect.stringContaining("was used before")]);
  await world.show();
  expect([await accounts(BO), world.told.length]).toEqual([[], 1]);
});

test("a foreign state, another browser, a no at Linear and its silence are each answered, and link nobody", async () => {
  const path = await linkOf(ANA);
  const { url, cookie } = await begun(path);
  const query = new URLSearchParams(linear.consent(url, at(world.people.mallory)));
  const bos = await begun(await linkOf(BO));
  const refusals = [
    await get(`${BACK}?${new URLSearchParams({ code: query.get("code") ?? "", state: "forged" })}`, cookie),
    await get(`${BACK}?${query}`),
    await get(`${BACK}?${query}`, bos.cookie),
    await get(`${BACK}${linear.decline(url)}`, cookie),
  ];
  for (const answer of refusals)
    expect([answer.status, await answer.text()]).toEqual([
      400,
      expect.stringMatching(/begun in another browser, was used before, or you said no at Linear\. Nothing was linked/),
    ]);
  linear.fail("away");
  const silent = await get(`${BACK}?${query}`, cookie);
  expect([silent.status, await silent.text()]).toEqual([
    503,
    expect.stringContaining("Linear or Slack does not answer"),
  ]);
  await world.show();
  expect([await accounts(ANA), await accounts(BO), world.told]).toEqual([[], [], []]);
});

test("a guest of Linear's is told that only members are linked", async () => {
  const finish = linear.finish;
  linear.finish = async (query, expected) => {
    await finish(query, expected);
    throw new SignInNoMember("it is a guest");
  };
  const guest = await comesBack(await linkOf(ANA), at(world.people.gil));
  expect([guest.status, guest.text]).toEqual([
    403,
    expect.stringContaining("is a guest, an app or an account that is closed"),
  ]);
  await world.show();
  expect(world.told).toEqual([]);
});

test("a link that somebody writes on the ticket links nobody, and is good for nothing from then on", async () => {
  const { mallory } = world.people;
  const path = await linkOf(ANA);
  const session = world.session(world.issue(TASK), mallory);
  await world.prompt(session, mallory, `Here it is: ${codeIn(path)}`);
  expect(world.said(session).at(-1)).toMatch(/by signing in to Linear here.*good for nothing any more.*You get a link/);
  await world.show();
  expect([await accounts(ANA), await runs(), world.told]).toEqual([[], [], []]);
  const late = await get(path);
  expect([late.status, await late.text()]).toEqual([410, expect.stringContaining("used before")]);
});

test("an account that a code gave to somebody is won back by signing in, and its operator's word names it by its id", async () => {
  const { ana } = world.people;
  const withCodes = {
    ...world.core,
    linkable: [{ provider: "linear", workspace: world.sender.organization, by: "code" }] as const,
  };
  const code = codeIn(await linkOf(BO));
  await redeem(withCodes, { text: code, account: at(ana), proof: "code", once: "d1" });
  const done = await comesBack(await linkOf(ANA), at(ana));
  expect([done.status, done.text]).toEqual([
    200,
    expect.stringContaining("Until now it was linked with Bo, by a code"),
  ]);
  expect([await accounts(ANA), await accounts(BO)]).toEqual([[{ provider: "linear", name: "Ana" }], []]);
  const again = await comesBack(await linkOf(BO), at(ana));
  expect([again.status, again.text]).toEqual([
    409,
    expect.stringContaining(`ask whoever runs this service for: countersign unlink linear ${ana.id}`),
  ]);
  const second = await comesBack(await linkOf(ANA), at(world.people.mallory));
  expect([second.status, second.text]).toEqual([409, expect.stringContaining("another Linear account")]);
});
