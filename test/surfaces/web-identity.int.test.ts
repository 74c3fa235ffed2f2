import { createHmac } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type MemorySignIn, memorySignIn } from "#adapters/directory/memory-sign-in.ts";
import type { Account } from "#ports/directory.ts";
import { ofAccounts } from "#runs/account/link.ts";
import { codeOwner, redeem } from "#runs/account/redeem.ts";
import { takeBack } from "#runs/account/unlink.ts";
import { identityRoutes, linkedAt, linkPage } from "#surfaces/web/identity.ts";
import { signInLink } from "#surfaces/web/sign-in.ts";
import { ANA, BO, memoryHouse } from "#test/runs/memory-house.ts";

const HOME = "https://agents.example.com";
const LINKED_AT = linkedAt("github");
const GITHUB = { provider: "github", workspace: "github.com" } as const;
const account = (id: number, name: string) => ({ ...GITHUB, id: String(id), name });
const OCTOCAT = account(583231, "octocat");
const LINKED = { kind: "linked", provider: "github", name: "octocat", person: "Ana" };

let house: Awaited<ReturnType<typeof memoryHouse>>;
let github: MemorySignIn;
/** Who has signed in to the pages in the browser; `undefined`: people do not sign in here. */
let visitor: Account | null | undefined;
beforeEach(async () => {
  house = await memoryHouse(
    {},
    {
      core: {
        baseUrl: HOME,
        linkable: [
          { ...GITHUB, by: "sign_in", page: linkPage(HOME, "github") },
          { provider: "linear", workspace: "org", by: "code" },
        ],
        linkMac: (text) => createHmac("sha256", "installation").update(text).digest("base64url"),
      },
    },
  );
  github = memorySignIn();
  visitor = undefined;
});
afterEach(async () => {
  await house.close();
});

function pages() {
  const { core } = house;
  return identityRoutes({
    signIn: github,
    owner: (link) => codeOwner(core, { text: link, provider: "github", once: null }),
    link: ({ link, who, once }) =>
      redeem(core, { text: link, account: { ...who, name: who.name ?? null }, proof: "sign_in", once }),
    ...(visitor === undefined ? {} : { visitor: async () => visitor ?? null }),
    baseUrl: HOME,
    place: "github",
    placeUrl: "https://github.com",
    log: core.log,
  });
}

/** What this person alone is shown: the path of their link. */
async function linkOf(who: Account): Promise<string> {
  const view = await ofAccounts(house.core, { account: who, shared: false }, "link", "github");
  if (view.kind !== "link_page") throw new Error(`it is a ${view.kind}`);
  expect(view.url.startsWith(`${HOME}/identity/github/start?link=cslink_`)).toBe(true);
  return view.url.slice(HOME.length);
}

const get = (path: string, cookie = "") => pages().request(`${HOME}${path}`, { headers: { cookie } });

function press(path: string, headers: Record<string, string> = {}) {
  const form = new URLSearchParams({ link: new URL(path, HOME).searchParams.get("link") ?? "" });
  return pages().request(`${HOME}/identity/github/start`, {
    method: "POST",
    body: form.toString(),
    headers: { "content-type": "application/x-www-form-urlencoded", origin: HOME, ...headers },
  });
}

/** A browser that has pressed: where GitHub is asked, and the cookie that must come back. */
async function begun(path: string) {
  const answer = await press(path);
  const [line = ""] = answer.headers.getSetCookie();
  return { answer, url: answer.headers.get("location") ?? "", cookie: line.split(";", 1)[0] ?? "", line };
}

async function comesBack(path: string, who = OCTOCAT) {
  const { url, cookie } = await begun(path);
  return get(`${LINKED_AT}${github.consent(url, who)}`, cookie);
}

const accounts = async (who: Account) => {
  const view = await ofAccounts(house.core, { account: who, shared: false }, "link", null);
  return view.kind === "links" ? view.accounts : null;
};

/** What was said to one person until now. */
async function toldSoFar() {
  await house.show();
  return house.whispered;
}

test("a person shows on GitHub which account is theirs, and is told in their chat", async () => {
  const path = await linkOf(ANA);
  const page = await get(path);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain("Link a GitHub account with Ana");
  expect(page.headers.get("content-security-policy")).toContain("form-action 'self' https://github.com;");
  const { answer, line } = await begun(path);
  expect(answer.status).toBe(303);
  expect(line).toMatch(/^__Host-countersign_link_github=.*; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
  const done = await comesBack(path);
  expect([done.status, await done.text()]).toEqual([200, expect.stringContaining("octocat on GitHub is Ana in Slack")]);
  expect(done.headers.getSetCookie().join()).toContain("Max-Age=0");
  expect(await toldSoFar()).toEqual([{ to: "U0ANA", view: LINKED }]);
  expect(await accounts(ANA)).toEqual([{ provider: "github", name: "octocat" }]);
});

test("while Slack takes no words the page says that it is linked, and its owner is told once when it is back", async () => {
  house.world.chatAway = true;
  const done = await comesBack(await linkOf(ANA));
  expect([done.status, await done.text()]).toEqual([200, expect.stringContaining("octocat on GitHub is Ana in Slack")]);
  await house.show();
  expect(house.whispered).toEqual([]);
  house.world.chatAway = false;
  await house.show();
  await house.show();
  expect(house.whispered).toEqual([{ to: "U0ANA", view: LINKED }]);
});

test("opening a link, as a preview does, uses nothing up and begins nothing", async () => {
  const path = await linkOf(ANA);
  for (let n = 0; n < 3; n += 1) {
    const page = await get(path);
    expect([page.status, page.headers.getSetCookie()]).toEqual([200, []]);
  }
  expect((await comesBack(path)).status).toBe(200);
});

test("the press is ours alone: a form of another site begins nothing", async () => {
  const path = await linkOf(ANA);
  for (const origin of ["https://evil.example.com", "null", ""]) {
    const answer = await press(path, { origin, "sec-fetch-site": "cross-site" });
    expect([origin, answer.status, answer.headers.getSetCookie()]).toEqual([origin, 403, []]);
  }
});

test("an answer that comes into another browser links nobody", async () => {
  const path = await linkOf(BO);
  const { url } = await begun(path);
  const query = github.consent(url, OCTOCAT);
  // Mallory begins with her own link and has Ana go to GitHub for her: Ana's browser did not begin.
  const theirs = await begun(await linkOf(ANA));
  for (const cookie of ["", "__Host-countersign_link_github=rubbish", theirs.cookie]) {
    const answer = await get(`${LINKED_AT}${query}`, cookie);
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("begun in another browser")]);
  }
  expect(await toldSoFar()).toEqual([]);
  expect(await accounts(ANA)).toEqual([]);
  expect(await accounts(BO)).toEqual([]);
});

test("a state that is forged, a code of another attempt, and a no at GitHub link nobody", async () => {
  const path = await linkOf(ANA);
  const { url, cookie } = await begun(path);
  const query = new URLSearchParams(github.consent(url, OCTOCAT));
  query.set("state", "forged");
  expect((await get(`${LINKED_AT}?${query}`, cookie)).status).toBe(400);
  const other = await begun(path);
  const mixed = new URLSearchParams(github.consent(other.url, OCTOCAT));
  mixed.set("state", new URL(url).searchParams.get("state") ?? "");
  expect((await get(`${LINKED_AT}?${mixed}`, cookie)).status).toBe(400);
  expect((await get(`${LINKED_AT}${github.decline(url)}`, cookie)).status).toBe(400);
  expect(await toldSoFar()).toEqual([]);
});

test("an answer and its cookie that are shown again link nobody else", async () => {
  const path = await linkOf(ANA);
  const { url, cookie } = await begun(path);
  const query = github.consent(url, OCTOCAT);
  expect((await get(`${LINKED_AT}${query}`, cookie)).status).toBe(200);
  const again = await get(`${LINKED_AT}${query}`, cookie);
  expect([again.status, await again.text()]).toEqual([410, expect.stringContaining("used before")]);
  expect((await get(path)).status).toBe(410);
  expect((await press(path)).status).toBe(410);
  expect(await toldSoFar()).toHaveLength(1);
});

test("two browsers that come back at once with one link are one link", async () => {
  const path = await linkOf(ANA);
  const [one, other] = [await begun(path), await begun(path)];
  const answers = await Promise.all([
    get(`${LINKED_AT}${github.consent(one.url, OCTOCAT)}`, one.cookie),
    get(`${LINKED_AT}${github.consent(other.url, account(7, "mallory"))}`, other.cookie),
  ]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 410]);
  expect(await accounts(ANA)).toHaveLength(1);
});

test("a link is good for ten minutes, at GitHub too", async () => {
  const path = await linkOf(ANA);
  const { url, cookie } = await begun(path);
  house.world.offset += 11 * 60_000;
  const late = await get(`${LINKED_AT}${github.consent(url, OCTOCAT)}`, cookie);
  expect([late.status, await late.text()]).toEqual([410, expect.stringContaining("expired")]);
  expect((await get(path)).status).toBe(410);
  expect((await press(path)).status).toBe(410);
});

test("a link that was changed, one of another installation and a code for another place open nothing", async () => {
  const path = await linkOf(ANA);
  const view = await ofAccounts(house.core, { account: ANA, shared: false }, "link", "linear");
  const elsewhere = view.kind === "link_code" ? view.code : "";
  const start = "/identity/github/start";
  for (const bad of [
    start,
    `${start}?link=`,
    `${start}?link=${elsewhere}`,
    path.replace(/\.[^.]+$/, `.${"A".repeat(43)}`),
    `${path}${"x".repeat(2_000)}`,
  ]) {
    expect([(await get(bad)).status, (await press(bad)).status]).toEqual([400, 400]);
  }
  // And the link's own code is of no use on a ticket.
  const code = new URL(path, HOME).searchParams.get("link") ?? "";
  const ticket = { provider: "linear", workspace: "org", id: "u1", name: "Ana" };
  expect(await redeem(house.core, { text: code, account: ticket, proof: "code", once: "d1" })).toMatchObject({
    refused: "code_bad",
  });
});

test("an account that is somebody else's, and a second account of the same person, are refused with the way out", async () => {
  await comesBack(await linkOf(ANA));
  const theirs = await comesBack(await linkOf(BO));
  const words = await theirs.text();
  expect([theirs.status, words]).toEqual([409, expect.stringContaining("linked with Ana in Slack already")]);
  expect(words).toContain("ask whoever runs this service for: countersign unlink github octocat");
  const second = await comesBack(await linkOf(ANA), account(7, "ana-two"));
  expect([second.status, await second.text()]).toEqual([409, expect.stringContaining("another GitHub account")]);
  expect(await accounts(BO)).toEqual([]);
  expect(await accounts(ANA)).toEqual([{ provider: "github", name: "octocat" }]);
});

/** An account that a code gave to Bo, as where nobody could sign in yet. */
async function bosByACode() {
  const { people } = house.core.stores;
  await house.core.store.tx(async (tx) => {
    const bo = await people.resolve(tx, house.core.orgId, BO, BO.name);
    await people.link(tx, OCTOCAT, bo.id, "code");
  });
}

test("who signs in as an account takes it from whom a code gave it, who is told so once", async () => {
  await bosByACode();
  const done = await comesBack(await linkOf(ANA));
  const words = await done.text();
  expect([done.status, words]).toEqual([200, expect.stringContaining("octocat on GitHub is Ana in Slack")]);
  expect(words).toContain("Until now it was linked with Bo, by a code");
  expect(await accounts(ANA)).toEqual([{ provider: "github", name: "octocat" }]);
  expect(await accounts(BO)).toEqual([]);
  await house.show();
  await house.show();
  expect(house.whispered).toHaveLength(2);
  expect(house.whispered).toEqual(
    expect.arrayContaining([
      { to: "U0ANA", view: LINKED },
      {
        to: "U0BO",
        view: { kind: "link_lost", provider: "github", account: "octocat", name: "octocat", by: { signedIn: "Ana" } },
      },
    ]),
  );
});

test("an account that was signed in as is won back by the operator's word, and by no code nor another sign-in", async () => {
  await comesBack(await linkOf(BO));
  expect((await comesBack(await linkOf(ANA))).status).toBe(409);
  const written = await linkOf(ANA);
  const code = new URL(written, HOME).searchParams.get("link") ?? "";
  const byCode = { text: code, account: OCTOCAT, proof: "code", once: "d2" } as const;
  // As where people could only write codes, before or after.
  const withCodes = { ...house.core, linkable: [{ ...GITHUB, by: "code" as const }] };
  expect(await redeem(withCodes, byCode)).toMatchObject({ refused: "theirs", holder: "Bo" });
  expect(await accounts(BO)).toHaveLength(1);
  await takeBack(house.core, { provider: "github", called: "octocat", operator: "root" });
  expect((await comesBack(await linkOf(ANA))).status).toBe(200);
  expect(await accounts(ANA)).toEqual([{ provider: "github", name: "octocat" }]);
});

test("where people sign in, a link is of use to whom it was made for alone", async () => {
  const path = await linkOf(ANA);
  visitor = null;
  const asked = await get(path);
  expect(asked.status).toBe(401);
  expect(signInLink(path)).toContain(encodeURIComponent("/identity/github/start?link="));
  expect(await asked.text()).toContain(signInLink(path).replaceAll("&", "&amp;"));
  expect((await press(path)).status).toBe(401);
  visitor = BO;
  for (const answer of [await get(path), await press(path)]) {
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining("This link is somebody else")]);
  }
  visitor = ANA;
  const { url, cookie } = await begun(path);
  visitor = BO;
  expect((await get(`${LINKED_AT}${github.consent(url, OCTOCAT)}`, cookie)).status).toBe(403);
  visitor = ANA;
  expect((await comesBack(path)).status).toBe(200);
});

test("who has left the workspace since is linked with nothing, and while Slack is silent nobody is", async () => {
  const path = await linkOf(ANA);
  const { url, cookie } = await begun(path);
  house.directory.fail("the network is down");
  expect((await get(path)).status).toBe(503);
  house.directory.fail(null);
  house.directory.put({ ...ANA, kind: "deactivated" });
  expect((await get(`${LINKED_AT}${github.consent(url, OCTOCAT)}`, cookie)).status).toBe(403);
  expect(await toldSoFar()).toEqual([]);
});

test("while GitHub is silent that is said, and the link stays good", async () => {
  const path = await linkOf(ANA);
  github.fail("away");
  expect((await press(path)).status).toBe(503);
  github.fail(null);
  expect((await comesBack(path)).status).toBe(200);
});

test("a name is a name, whatever is in it", async () => {
  house.directory.put({ ...ANA, name: '<script>alert("x")</script>' });
  const text = await (await get(await linkOf(ANA))).text();
  expect(text).not.toContain("<script>alert");
  expect(text).toContain("&lt;script&gt;");
});

test("no link reaches the log", async () => {
  const path = await linkOf(ANA);
  await get(`${path}x`);
  await get(`${LINKED_AT}?code=1&state=2`, (await begun(path)).cookie);
  await comesBack(path);
  expect(house.logged.join("\n")).not.toContain("cslink_");
});
