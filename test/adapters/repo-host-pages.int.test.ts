import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Hono } from "hono";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gitText } from "#adapters/git.ts";
import { branchOid, gitDirOf } from "#adapters/repo-host/local/ground.ts";
import type { LocalRepoHost } from "#adapters/repo-host/local/host.ts";
import { localRepoHost } from "#adapters/repo-host/local/host.ts";
import type { HostLook } from "#adapters/repo-host/local/look.ts";
import { localHostPages, type Sight } from "#adapters/repo-host/local/pages.ts";
import { systemClock } from "#ports/clock.ts";
import type { PullRequestChange } from "#ports/repo-host.ts";
import { pageLook } from "#surfaces/web/look.ts";

const repo = "acme/shop";
const origin = "http://127.0.0.1:3000";
const people = new Map([
  ["U0BO", { id: "U0BO", name: "Bo" }],
  ["U0ANA", { id: "U0ANA", name: "Ana" }],
  ["U0CY", { id: "U0CY", name: "Cy <b>" }],
]);
let dir: string;
let host: LocalRepoHost;
let app: Hono;
let told: PromiseWithResolvers<PullRequestChange>;
/** Whose words the pull request came of. */
let authors: readonly { id: string }[];
/** Of a host that does not show everything to everybody. */
let sight: Sight | undefined;

beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "host-pages-"));
  told = Promise.withResolvers();
  authors = [];
  host = await localRepoHost({
    dir,
    baseUrl: `${origin}/code`,
    clock: systemClock,
    onChange: async (change) => told.resolve(change),
    onFailure: () => {},
  });
  const author = { name: "Ana", email: "ana@example.com" };
  const files = { "a.txt": "one\ntwo\n", "logo.bin": "\u0000\u0001", "go.sh": "#!/bin/sh\n" };
  await host.createRepository(repo, {
    defaultBranch: "main",
    description: "a <b>shop</b>",
    commits: [{ message: "Begin", author, at: "2026-01-05T09:00:00Z", files }],
  });
  sight = undefined;
  app = new Hono().route("/code", pages());
});

const pages = (look: HostLook = pageLook) =>
  localHostPages(host, {
    ...(sight === undefined ? {} : { sight }),
    look,
    people: [...people.values()],
    authors: async (repo, number) => (repo === "acme/shop" && number === 1 ? authors : []),
    mayView: (request) => request.headers.get("cookie")?.includes("start=yes") ?? false,
    viewer: (request) =>
      people.get(/playground_user=(\w+)/.exec(request.headers.get("cookie") ?? "")?.[1] ?? "") ?? null,
  });
afterEach(async () => {
  await host.stop();
  await rm(dir, { recursive: true, force: true });
});

/** A commit on `parent` that sets files; in the host's own repository, as nobody else could. */
async function commit(parent: string, files: Record<string, string>): Promise<string> {
  const who = {
    GIT_AUTHOR_NAME: "Agent",
    GIT_AUTHOR_EMAIL: "a@b",
    GIT_COMMITTER_NAME: "Agent",
    GIT_COMMITTER_EMAIL: "a@b",
  };
  const o = { gitDir: gitDirOf(host.ground, repo), env: { GIT_INDEX_FILE: path.join(dir, "index"), ...who } };
  await gitText(host.ground.git, ["read-tree", parent], o);
  for (const [file, text] of Object.entries(files)) {
    const blob = await gitText(host.ground.git, ["hash-object", "-w", "--stdin"], { ...o, input: text });
    await gitText(host.ground.git, ["update-index", "--add", "--cacheinfo", `100644,${blob},${file}`], o);
  }
  const tree = await gitText(host.ground.git, ["write-tree"], o);
  return gitText(host.ground.git, ["commit-tree", tree, "-p", parent, "-m", "Change <it>"], o);
}

async function openPull(files: Record<string, string>, body = "## Receipt\n\nall **green**"): Promise<string> {
  const head = await commit("main", files);
  await host.push({ repo, branch: "agent/1", oid: head, expected: null, gitDir: gitDirOf(host.ground, repo) });
  await host.openPullRequest({ repo, branch: "agent/1", base: "main", draft: true, title: "Say <three>", body });
  return head;
}

const get = (url: string, who: string | null, cookie = "") =>
  app.request(`${origin}${url}`, {
    headers: {
      cookie: `start=yes${who === null ? "" : `; playground_user=${who}`}${cookie === "" ? "" : `; ${cookie}`}`,
    },
  });

/** Loads the page as this person and presses the button as a browser would, unless told otherwise. */
async function press(
  act: "merge" | "close",
  who: string,
  change: { token?: string; head?: string; headers?: Record<string, string> } = {},
) {
  const page = await get("/code/acme/shop/pull/1", who);
  const cookie = (page.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const form = new RegExp(`action="[^"]*/${act}">.*?name="token" value="([^"]+)".*?name="head" value="([^"]+)"`).exec(
    await page.text(),
  );
  const body = new URLSearchParams({ token: change.token ?? form?.[1] ?? "", head: change.head ?? form?.[2] ?? "" });
  return {
    cookie,
    response: await app.request(`${origin}/code/acme/shop/pull/1/${act}`, {
      method: "POST",
      body,
      headers: { cookie: `start=yes; playground_user=${who}; ${cookie}`, origin, ...change.headers },
    }),
  };
}

test("the page shows the change, the receipt and the checks, and escapes all of it", async () => {
  const head = await openPull({ "a.txt": "one\n<script>three\n", "logo.bin": "\u0000\u0002", "b <i>.txt": "b\n" });
  await host.reportChecks(repo, head, [{ name: "unit <b>", conclusion: "success", summary: "12 green" }]);
  const response = await get("/code/acme/shop/pull/1", "U0BO");
  const page = await response.text();
  expect(response.status).toBe(200);
  expect(page).toContain("Say &lt;three&gt;");
  expect(page).toContain("<strong>green</strong>");
  expect(page).toContain("&lt;script&gt;three");
  expect(page).toContain("b &lt;i&gt;.txt");
  expect(page).toContain("binary file");
  expect(page).toContain("unit &lt;b&gt;");
  expect(page).toContain("Change &lt;it&gt;");
  expect(page).not.toMatch(/<script|<i>|<b>shop|<three>/);
  expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
});

test("a page is under 30 KB without its data", async () => {
  await openPull({ "a.txt": "one\n" }, "");
  expect((await (await get("/code/acme/shop/pull/1", "U0BO")).text()).length).toBeLessThan(30_000);
});

test("pages that list what agents made say beside their title what they are told to say of it, and else nothing", async () => {
  const titles = async () =>
    Promise.all(
      ["/code", "/code/acme/shop"].map(
        async (url) => /<h1>(.*?)<\/h1>/.exec(await (await get(url, "U0BO")).text())?.[1],
      ),
    );
  expect(await titles()).toEqual(["Repositories", "acme/shop"]);
  app = new Hono().route("/code", pages({ ...pageLook, badge: pageLook.h`<b>no model</b>` }));
  expect(await titles()).toEqual(["Repositories <b>no model</b>", "acme/shop <b>no model</b>"]);
});

test("nothing is shown without the start link, not even what exists", async () => {
  await openPull({ "a.txt": "x\n" });
  const pages = await Promise.all(
    ["/code", "/code/acme/shop", "/code/acme/none", "/code/acme/shop/pull/1"].map((url) =>
      app.request(`${origin}${url}`),
    ),
  );
  expect(new Set(pages.map((page) => page.status))).toEqual(new Set([401]));
  expect(new Set(await Promise.all(pages.map((page) => page.text()))).size).toBe(1);
});

test("a person merges, the page says so, and the change is told", async () => {
  await openPull({ "a.txt": "one\nthree\n" });
  const { response } = await press("merge", "U0BO");
  expect([response.status, response.headers.get("location")]).toEqual([303, "/code/acme/shop/pull/1"]);
  expect(await told.promise).toMatchObject({ repo, number: 1, kind: "merged", by: "Bo" });
  const page = await (await get("/code/acme/shop/pull/1", "U0ANA")).text();
  expect(page).toContain("<b>Bo</b> merged it");
  expect(page).not.toContain("<form");
  const shown = await gitText(host.ground.git, ["show", "main:a.txt"], { gitDir: gitDirOf(host.ground, repo) });
  expect(shown).toBe("one\nthree");
});

test("an author has no button to merge and reads who has; others merge, and the author may close", async () => {
  await openPull({ "a.txt": "one\nthree\n" });
  authors = [{ id: "U0ANA" }];
  const page = await (await get("/code/acme/shop/pull/1", "U0ANA")).text();
  expect(page).toContain("You asked for this change or added to it, so somebody else has to merge it.");
  expect(page).toContain("Bo or Cy &lt;b&gt; can.");
  expect(page).not.toContain('<button class="btn">Merge</button>');
  expect(page).toContain('<button class="btn quiet">Close</button>');
  const bos = await (await get("/code/acme/shop/pull/1", "U0BO")).text();
  expect(bos).toContain('<button class="btn">Merge</button>');
  expect(bos).not.toContain("somebody else has to merge it");
  expect((await press("close", "U0ANA")).response.status).toBe(303);
});

test("an author's press on a page from before changes nothing and says who can", async () => {
  await openPull({ "a.txt": "one\nthree\n" });
  const page = await get("/code/acme/shop/pull/1", "U0ANA");
  const cookie = (page.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const [, token = "", head = ""] =
    /\/merge">.*?name="token" value="([^"]+)".*?name="head" value="([^"]+)"/.exec(await page.text()) ?? [];
  const merge = () =>
    app.request(`${origin}/code/acme/shop/pull/1/merge`, {
      method: "POST",
      body: new URLSearchParams({ token, head }),
      headers: { cookie: `start=yes; playground_user=U0ANA; ${cookie}`, origin },
    });
  authors = [{ id: "U0ANA" }, { id: "U0CY" }];
  const refused = await merge();
  expect(refused.status).toBe(403);
  expect(await refused.text()).toMatch(/role="alert".*Nothing was changed\..*somebody else has to merge it\. Bo can\./);
  expect(await host.pullRequest(repo, 1)).toMatchObject({ state: "open" });
  authors = [...people.values()];
  expect(await (await merge()).text()).toContain("Everybody here did, so nobody here can");
  authors = [];
  expect((await merge()).status).toBe(303);
});

test("a person closes, and the change stays to be read", async () => {
  await openPull({ "a.txt": "one\nthree\n" });
  expect((await press("close", "U0ANA")).response.status).toBe(303);
  expect(await told.promise).toMatchObject({ kind: "closed", by: "Ana" });
  const page = await (await get("/code/acme/shop/pull/1", "U0ANA")).text();
  expect(page).toContain("<b>Ana</b> closed it");
  expect(page).toContain("a.txt");
});

test("who is not signed in sees no button, and their press changes nothing", async () => {
  await openPull({ "a.txt": "x\n" });
  const page = await (await get("/code/acme/shop/pull/1", null)).text();
  expect(page).not.toContain("<form");
  expect(page).toContain("Merging and closing are acts of a person");
  const { response } = await press("merge", "nobody");
  expect(response.status).toBe(403);
  expect(await response.text()).toContain("Nobody is signed in");
  expect(await host.pullRequest(repo, 1)).toMatchObject({ state: "open" });
});

test.each([
  ["another origin", { origin: "http://evil.example" }],
  ["no origin", { origin: "" }],
  ["an opaque origin", { origin: "null" }],
  ["another site, as the browser says", { "sec-fetch-site": "cross-site" }],
])("a press from %s changes nothing", async (_, headers) => {
  await openPull({ "a.txt": "x\n" });
  const { response } = await press("merge", "U0BO", { headers });
  expect(response.status).toBe(403);
  expect(await response.text()).toContain("did not come from this page");
  expect(await host.pullRequest(repo, 1)).toMatchObject({ state: "open" });
});

test("a token is good for one person, one browser and one button", async () => {
  await openPull({ "a.txt": "x\n" });
  const anas = await (await get("/code/acme/shop/pull/1", "U0ANA")).text();
  const token = /name="token" value="([^"]+)"/.exec(anas)?.[1] ?? "";
  expect((await press("merge", "U0BO", { token })).response.status).toBe(403);
  expect((await press("merge", "U0ANA", { token })).response.status).toBe(403);
  expect((await press("merge", "U0BO", { token: "" })).response.status).toBe(403);
  expect(await host.pullRequest(repo, 1)).toMatchObject({ state: "open" });
});

test("a branch that moved under the reader is not merged unseen", async () => {
  const head = await openPull({ "a.txt": "x\n" });
  const later = await commit(head, { "z.txt": "z\n" });
  await host.push({ repo, branch: "agent/1", oid: later, expected: head, gitDir: gitDirOf(host.ground, repo) });
  const { response } = await press("merge", "U0BO", { head });
  expect(response.status).toBe(409);
  expect(await response.text()).toContain("The branch moved while you were reading");
});

test("a conflict is said before anybody presses, and again if somebody does", async () => {
  const head = await openPull({ "a.txt": "one\nmine\n" });
  const { cookie } = await press("close", "U0BO", { token: "wrong" });
  const before = await (await get("/code/acme/shop/pull/1", "U0BO", cookie)).text();
  const token = /\/merge">.*?name="token" value="([^"]+)"/.exec(before)?.[1] ?? "";
  const other = await commit("main", { "a.txt": "one\ntheirs\n" });
  await gitText(host.ground.git, ["update-ref", "refs/heads/main", other], { gitDir: gitDirOf(host.ground, repo) });

  const page = await (await get("/code/acme/shop/pull/1", "U0BO", cookie)).text();
  expect(page).toContain("It conflicts with main in <code>a.txt</code>. Close it and ask again:");
  expect(page).not.toContain("merging makes it ready first");
  expect(page).not.toContain('<button class="btn">Merge</button>');
  const response = await app.request(`${origin}/code/acme/shop/pull/1/merge`, {
    method: "POST",
    body: new URLSearchParams({ token, head }),
    headers: { cookie: `start=yes; playground_user=U0BO; ${cookie}`, origin },
  });
  expect(response.status).toBe(409);
  expect(await response.text()).toContain("The change conflicts with main in these files. Close it and ask again:");
  expect(await branchOid(host.ground, repo, "main")).toBe(other);
});

test("a base branch that is gone does not break the page", async () => {
  await openPull({ "a.txt": "x\n" });
  await gitText(host.ground.git, ["update-ref", "-d", "refs/heads/main"], { gitDir: gitDirOf(host.ground, repo) });
  const response = await get("/code/acme/shop/pull/1", "U0BO");
  expect(response.status).toBe(200);
  expect(await response.text()).toContain("main is gone. It can be closed, not merged.");
  expect((await get("/code/acme/shop", "U0BO")).status).toBe(200);
});

test("the repository page lists branches and pull requests and escapes its description", async () => {
  await openPull({ "a.txt": "x\n" });
  const page = await (await get("/code/acme/shop", "U0BO")).text();
  expect(page).toContain("a &lt;b&gt;shop&lt;/b&gt;");
  expect(page).toContain('href="/code/acme/shop/pull/1"');
  expect(page).toContain("agent/1");
  expect(await (await get("/code", "U0BO")).text()).toContain('href="/code/acme/shop"');
});

test("a name of nothing but marks, which git takes of nobody, merges all the same", async () => {
  await openPull({ "a.txt": "x\n" });
  people.set("U0DOT", { id: "U0DOT", name: '.,"' });
  const { response } = await press("merge", "U0DOT");
  people.delete("U0DOT");
  expect(response.status).toBe(303);
  const o = { gitDir: gitDirOf(host.ground, repo) };
  expect(await gitText(host.ground.git, ["log", "-1", "--format=%an", "main"], o)).toBe("U0DOT");
});

test("a form that is larger than any of ours is refused unread", async () => {
  await openPull({ "a.txt": "x\n" });
  expect((await press("merge", "U0BO", { token: "x".repeat(5_000) })).response.status).toBe(413);
});

test("where a sight is given, what it does not show is like what is not there, and a spectator decides nothing", async () => {
  await openPull({ "a.txt": "x\n" });
  const head = await commit("main", { "b.txt": "b\n" });
  await host.push({ repo, branch: "agent/2", oid: head, expected: null, gitDir: gitDirOf(host.ground, repo) });
  await host.openPullRequest({ repo, branch: "agent/2", base: "main", draft: true, title: "Of others", body: "" });
  const empty = { defaultBranch: "main", description: "", commits: [] };
  await host.createRepository("acme/secret", empty);
  let decides = false;
  const of = (request: Request) => (request.headers.get("cookie") ?? "").includes("U0BO");
  sight = {
    all: async (request) => new Map(of(request) ? [[repo, new Set([1])]] : []),
    pull: async (request, name, number) => of(request) && name === repo && number === 1,
    mayDecide: async () => decides,
    readers: "those of its channel",
    deciders: "those who may",
    others: "Anybody else of them",
  };
  app = new Hono().route("/code", pages());
  const text = async (url: string, who = "U0BO") => (await get(url, who)).text();
  expect(await text("/code")).toMatch(/acme\/shop(?![\s\S]*acme\/secret)/);
  expect(await text("/code", "U0ANA")).not.toContain("acme/shop");
  const shown = await text("/code/acme/shop");
  expect(shown).toContain("agent/1");
  expect(shown).not.toMatch(/agent\/2|Of others/);
  expect([shown, await text("/code/acme/shop/pull/1")].filter((page) => page.includes(dir))).toEqual([]);
  const hidden = await text("/code/acme/none");
  for (const [url, who] of [
    ["/code/acme/secret", "U0BO"],
    ["/code/acme/shop/pull/2", "U0BO"],
    ["/code/acme/shop/pull/9", "U0BO"],
    ["/code/acme/shop", "U0ANA"],
    ["/code/acme/shop/pull/1", "U0ANA"],
  ] as const) {
    const answer = await get(url, who);
    expect([url, answer.status, await answer.text()]).toEqual([url, 404, hidden]);
  }
  expect((await press("merge", "U0ANA", { token: "x" })).response.status).toBe(404);
  const spectator = await text("/code/acme/shop/pull/1");
  expect(spectator).toContain("It is merged and closed by those who may.");
  expect(spectator).not.toContain("<form");
  const refused = (await press("close", "U0BO")).response;
  expect([refused.status, await refused.text()]).toEqual([
    403,
    expect.stringContaining("You may read this and not decide"),
  ]);
  decides = true;
  authors = [{ id: "U0BO" }];
  expect(await text("/code/acme/shop/pull/1")).toContain("Anybody else of them can.");
  authors = [];
  expect((await press("merge", "U0BO")).response.status).toBe(303);
});

test("what does not exist is a page that says so", async () => {
  for (const url of [
    "/code/acme/none",
    "/code/acme/shop/pull/9",
    "/code/acme/shop/pull/0",
    "/code/..%2f/x",
    "/code/a/b/c/d",
  ]) {
    const response = await get(url, "U0BO");
    expect(response.status, url).toBe(404);
    expect(await response.text()).toContain("There is no such page");
  }
});

test("only the pages can decide a pull request", () => {
  const root = path.resolve(import.meta.dirname, "../..");
  const users = readdirSync(path.join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter((file) => /\b(?:mergePull|closePull)\b/.test(readFileSync(path.join(root, file), "utf8")));
  expect(users.sort()).toEqual(["src/adapters/repo-host/local/decide.ts", "src/adapters/repo-host/local/pages.ts"]);
});
