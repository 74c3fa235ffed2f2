import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { memoryDirectory } from "#adapters/directory/memory.ts";
import { memorySignIn } from "#adapters/directory/memory-sign-in.ts";
import { type Database, openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { stores } from "#db/stores.ts";
import type { Account } from "#ports/directory.ts";
import { webSessions } from "#surfaces/web/session.ts";
import { signInLink, signInRoutes } from "#surfaces/web/sign-in.ts";
import { freshDatabase } from "#test/postgres.ts";

const HOME = "https://agents.example.com";
const person = (id: string, kind: Account["kind"] = "member"): Account => ({
  provider: "slack",
  workspace: "T1",
  id,
  name: `<b>${id}</b>`,
  kind,
  email: null,
});
const ANA = person("U0ANA");

let database: Database;
let drop: () => Promise<void>;
let orgId: string;
beforeAll(async () => {
  const fresh = await freshDatabase();
  drop = fresh.drop;
  database = await openDatabase(fresh.url);
  orgId = await ensureOrg(database.db, "test");
});
afterAll(async () => {
  await database?.close();
  await drop?.();
});

let directory = memoryDirectory();
let signIn = memorySignIn();
let logged: string[] = [];
beforeEach(() => {
  directory = memoryDirectory();
  for (const account of [ANA, person("U0DEE", "guest"), person("U0OLD", "deactivated"), person("U0EXT", "external")])
    directory.put(account);
  signIn = memorySignIn();
  logged = [];
});

/** The pages as another process would serve them: nothing is shared but the database. */
function pages(baseUrl = HOME) {
  const sessions = webSessions({
    store: stores(database, { orgId }).sessions,
    directory,
    https: baseUrl.startsWith("https:"),
  });
  const log = (message: string, fields?: unknown) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  return {
    sessions,
    app: signInRoutes({ signIn, sessions, directory, admits: async (id) => id === "T1", baseUrl, log }),
  };
}
type App = ReturnType<typeof pages>["app"];

const cookiesOf = (answer: Response): string =>
  answer.headers
    .getSetCookie()
    .map((line) => line.split(";", 1)[0] ?? "")
    .filter((pair) => !pair.endsWith("="))
    .join("; ");
const ask = (app: App, path: string, cookie = "") => app.request(`${HOME}${path}`, { headers: { cookie } });

async function began(app: App, path = "/signin") {
  const answer = await ask(app, path);
  return { answer, url: answer.headers.get("location") ?? "", cookie: cookiesOf(answer) };
}
async function signedIn(app: App, who: Account = ANA, path = "/signin") {
  const { url, cookie } = await began(app, path);
  const answer = await ask(app, `/signin/slack${signIn.consent(url, who)}`, cookie);
  return { answer, cookie: cookiesOf(answer) };
}
const visitorOf = (app: ReturnType<typeof pages>, cookie: string) =>
  app.sessions.visitor(new Request(`${HOME}/runs`, { headers: { cookie } }));

test("a member signs in, comes back to the page they wanted, and is who they are in every process", async () => {
  const { answer, cookie } = await signedIn(pages().app, ANA, signInLink("/runs/018f-a"));
  expect([answer.status, answer.headers.get("location")]).toEqual([303, "/runs/018f-a"]);
  expect(await visitorOf(pages(), cookie)).toEqual(ANA);
});

test("both cookies are for this host alone, over https, not for scripts, and not for other sites' requests", async () => {
  const { answer } = await began(pages().app);
  const { answer: back } = await signedIn(pages().app);
  const set = [
    ...answer.headers.getSetCookie(),
    ...back.headers.getSetCookie().filter((line) => !line.includes("Max-Age=0")),
  ];
  expect(set).toHaveLength(2);
  for (const line of set) expect(line).toMatch(/^__Host-countersign_\w+=.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
  const plain = await pages("http://127.0.0.1:3000").app.request("http://127.0.0.1:3000/signin");
  expect(plain.headers.getSetCookie().join()).toMatch(/^countersign_attempt=(?!.*Secure).*HttpOnly/);
});

test.each(["/code", "/code/acme/shop", "/code/acme/shop.js/pull/12"])(
  "a sign-in leads back to %s of the local git host",
  async (to) => {
    const { answer } = await signedIn(pages().app, ANA, signInLink(to));
    expect([answer.status, answer.headers.get("location")]).toEqual([303, to]);
  },
);

test("a sign-in leads to pages of ours only", async () => {
  for (const to of [
    "https://evil.example.com",
    "//evil.example.com/runs",
    "/runs/../code",
    "/runs/a/b",
    "/runs\\evil",
    "/code/../signin",
    "/code/acme/..",
    "/code//evil.example.com",
    "/code/acme/shop/pull/1/merge",
  ]) {
    expect(signInLink(to)).toBe("/signin");
    const { answer } = await signedIn(pages().app, ANA, `/signin?to=${encodeURIComponent(to)}`);
    expect(answer.headers.get("location"), to).toBe("/runs");
  }
});

test("guests, people who have left, strangers and accounts of elsewhere are told why and get no session", async () => {
  const app = pages();
  const elsewhere = { ...ANA, workspace: "T2" };
  for (const who of [person("U0DEE"), person("U0OLD"), person("U0EXT"), person("U0NEW"), elsewhere]) {
    const { answer, cookie } = await signedIn(app.app, who);
    expect([who.id, answer.status]).toEqual([who.id, 403]);
    expect(await answer.text()).toContain("Only members of the workspace can sign in");
    expect(cookie).toBe("");
  }
  expect(logged.filter((line) => line.startsWith("a sign-in of somebody who is no member"))).toHaveLength(5);
});

test("a forged state, another browser's answer, a replayed address and a no are one and the same refusal", async () => {
  const { app } = pages();
  const mine = await began(app);
  const theirs = await began(app);
  const query = signIn.consent(mine.url, ANA);
  const forged = query.replace(/state=[^&]+/, "state=forged");
  const refused = [
    await ask(app, `/signin/slack${forged}`, mine.cookie),
    await ask(app, `/signin/slack${signIn.consent(theirs.url, ANA)}`, mine.cookie),
    await ask(app, `/signin/slack${query}`),
    await ask(app, `/signin/slack${query}`, "__Host-countersign_attempt=bm9uc2Vuc2U"),
    await ask(app, `/signin/slack${signIn.decline(mine.url)}`, mine.cookie),
    await ask(app, "/signin/slack", mine.cookie),
  ];
  expect((await ask(app, `/signin/slack${query}`, mine.cookie)).status).toBe(303);
  refused.push(await ask(app, `/signin/slack${query}`, mine.cookie));
  for (const answer of refused) {
    expect(answer.status).toBe(400);
    expect(cookiesOf(answer)).toBe("");
  }
  expect(new Set(await Promise.all(refused.map((answer) => answer.text()))).size).toBe(1);
});

test("an attempt is over with its first answer, whatever that was", async () => {
  const { app } = pages();
  const { url, cookie } = await began(app);
  const answer = await ask(app, "/signin/slack?error=access_denied", cookie);
  expect(answer.headers.getSetCookie().join()).toMatch(/__Host-countersign_attempt=;.*Max-Age=0/);
  expect(url).not.toBe("");
});

test("whoever leaves the workspace or becomes a guest is signed out with the next request", async () => {
  const app = pages();
  const { cookie } = await signedIn(app.app);
  for (const kind of ["deactivated", "guest"] as const) {
    directory.put({ ...ANA, kind });
    expect(await visitorOf(app, cookie)).toBeNull();
  }
});

test("while Slack does not answer nobody is signed in, and the page says so", async () => {
  const app = pages();
  const { cookie } = await signedIn(app.app);
  const { url, cookie: attempt } = await began(app.app);
  directory.fail("the network is down");
  expect((await ask(app.app, "/signin", cookie)).status).toBe(503);
  expect((await ask(app.app, `/signin/slack${signIn.consent(url, ANA)}`, attempt)).status).toBe(503);
  directory.fail(null);
  signIn.fail("the network is down");
  expect((await ask(app.app, "/signin")).status).toBe(503);
});

test("who signs in again has one session, and an invented or kept one is nobody's", async () => {
  const app = pages();
  const { cookie: first } = await signedIn(app.app);
  const { url, cookie: attempt } = await began(app.app);
  const again = await ask(app.app, `/signin/slack${signIn.consent(url, ANA)}`, `${attempt}; ${first}`);
  expect(await visitorOf(app, first)).toBeNull();
  expect(await visitorOf(app, cookiesOf(again))).toEqual(ANA);
  expect(await visitorOf(app, `__Host-countersign_session=${"a".repeat(43)}`)).toBeNull();
});

/** The form of the page that says who is signed in. */
async function formOf(app: App, cookie: string): Promise<string> {
  const page = await (await ask(app, "/signin", cookie)).text();
  expect(page).toContain("&lt;b&gt;U0ANA");
  return /name="token" value="([^"]+)"/.exec(page)?.[1] ?? "";
}
const press = (app: App, cookie: string, token: string, headers: Record<string, string> = { origin: HOME }) =>
  app.request(`${HOME}/signin/out`, {
    method: "POST",
    headers: { cookie, "content-type": "application/x-www-form-urlencoded", ...headers },
    body: new URLSearchParams({ token }),
  });

test("signing out ends the session everywhere, at once, and cannot be pressed from elsewhere", async () => {
  const app = pages();
  const { cookie } = await signedIn(app.app);
  const { cookie: other } = await signedIn(app.app);
  const token = await formOf(app.app, cookie);
  const refused = [
    await press(app.app, cookie, token, { origin: "https://evil.example.com" }),
    await press(app.app, cookie, token, { origin: "null", "sec-fetch-site": "cross-site" }),
    await press(app.app, cookie, token, {}),
    await press(app.app, cookie, await formOf(app.app, other)),
    await press(app.app, cookie, ""),
    await press(app.app, cookie, token, { "content-type": "application/json" }),
  ];
  expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 403]);
  expect(await visitorOf(app, cookie)).toEqual(ANA);

  const out = await press(app.app, cookie, token);
  expect([out.status, out.headers.get("location")]).toEqual([303, "/signin/over"]);
  expect(out.headers.getSetCookie().join()).toMatch(/__Host-countersign_session=;.*Max-Age=0/);
  expect(await visitorOf(pages(), cookie)).toBeNull();
  expect(await visitorOf(app, other)).toEqual(ANA);
});
