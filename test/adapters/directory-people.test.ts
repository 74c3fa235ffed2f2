import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { githubPeople } from "#adapters/directory/github.ts";
import { idpFile } from "#adapters/directory/idp.ts";
import { joinedDirectory } from "#adapters/directory/joined.ts";
import { memoryDirectory } from "#adapters/directory/memory.ts";
import { DirectoryUnavailable } from "#ports/directory.ts";
import { Secret } from "#ports/secret.ts";
import { directoryContract } from "#test/contracts/directory.ts";

const WORKSPACE = "T0LOCAL";
const NOW = Date.parse("2026-11-21T12:00:00Z");
const folder = mkdtempSync(path.join(tmpdir(), "idp-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
/** An export in a file of its own, replaced whole as a provider should. */
function exported(first: unknown) {
  files += 1;
  const file = path.join(folder, `export-${files}.yaml`);
  const write = (content: unknown) => {
    writeFileSync(`${file}.new`, typeof content === "string" ? content : JSON.stringify(content));
    renameSync(`${file}.new`, file);
  };
  write(first);
  return { file, write };
}

const LINEAR_ID = "9cfb482a-81e3-4154-b5b9-2c805e70a02d";
const PEOPLE = {
  ana: { name: "Ana", email: "ana@acme.dev", slack: "U0ANA", github: 1, linear: LINEAR_ID },
  bo: { slack: "U0BO", github: 2 },
  cy: { slack: "U0CY", github: 3 },
  dan: { name: "Dan, who is on GitHub only", github: 4 },
};
const body = (groups: Readonly<Record<string, readonly string[]>>, at = "2026-11-21T09:00:00Z") => ({
  version: 1,
  exported: at,
  people: PEOPLE,
  groups,
});
const idOf = (slack: string): string => slack.replace("U0", "").toLowerCase();

/** GitHub's documented API, as far as teams and users go. */
function githubDouble(teams: Map<string, readonly number[]>, perPage = 100) {
  const calls: { url: URL; headers: Headers; redirect: string | undefined }[] = [];
  const world = { status: 200, extra: {} as Record<string, string>, bots: [] as number[], broken: false };
  const account = (id: number) => ({ login: `user-${id}`, id, type: world.bots.includes(id) ? "Bot" : "User" });
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = new URL(String(input));
    calls.push({ url, headers: new Headers(init?.headers), redirect: init?.redirect });
    if (world.status !== 200) return new Response("{}", { status: world.status, headers: world.extra });
    if (world.broken) return new Response("<html>");
    const user = /^\/users\/user-(\d+)$/i.exec(url.pathname);
    if (user) return Response.json(account(Number(user[1])));
    const team = /^\/orgs\/([^/]+)\/teams\/([^/]+)\/members$/.exec(url.pathname);
    const members = teams.get(`${team?.[1]}/${team?.[2]}`);
    if (members === undefined) return new Response("{}", { status: 404 });
    const page = Number(url.searchParams.get("page"));
    const shown = members.slice((page - 1) * perPage, page * perPage);
    const more = members.length > page * perPage;
    const link = more ? `<https://github.test${url.pathname}?page=${page + 1}>; rel="next"` : "";
    return Response.json(shown.map(account), { headers: link === "" ? {} : { link } });
  };
  const clock = { now: 0 };
  const people = githubPeople({
    api: "https://github.test",
    token: new Secret("github_token", "ghp_sup3r"),
    fetch,
    now: () => clock.now,
  });
  return { people, calls, world, clock };
}

directoryContract("an identity provider's file", () => {
  const workspace = memoryDirectory();
  const { file, write } = exported(body({}));
  const leads = { idp: "leads" };
  const clock = { now: NOW };
  return {
    directory: joinedDirectory({ workspace, github: null, idp: idpFile({ file, now: () => clock.now }) }),
    workspace: WORKSPACE,
    leads,
    gone: { idp: "nobodys" },
    put: workspace.put,
    channel: workspace.channel,
    group: (_, members) => write(body({ leads: members.map(idOf) })),
    cut: () => {
      workspace.fail("the network is down");
      rmSync(file);
    },
    later: () => undefined,
  };
});

directoryContract("GitHub's teams", () => {
  const workspace = memoryDirectory();
  const { file } = exported(body({}));
  const teams = new Map<string, readonly number[]>();
  const double = githubDouble(teams);
  const numbers: Readonly<Record<string, number>> = { U0ANA: 1, U0BO: 2, U0CY: 3 };
  return {
    directory: joinedDirectory({ workspace, github: double.people, idp: idpFile({ file, now: () => NOW }) }),
    workspace: WORKSPACE,
    leads: { github_team: "acme/leads" },
    put: workspace.put,
    channel: workspace.channel,
    group: (_, members) =>
      void teams.set(
        "acme/leads",
        members.map((id) => numbers[id] ?? 0),
      ),
    cut: () => {
      workspace.fail("the network is down");
      double.world.status = 502;
    },
    later: () => {
      double.clock.now += 5_001;
    },
  };
});

function world(
  o: { teams?: Record<string, readonly number[]>; groups?: Record<string, readonly string[]>; perPage?: number } = {},
) {
  const workspace = memoryDirectory();
  const { file, write } = exported(body(o.groups ?? {}));
  const double = githubDouble(new Map(Object.entries(o.teams ?? {})), o.perPage);
  const clock = { now: NOW };
  const idp = idpFile({ file, now: () => clock.now });
  const directory = joinedDirectory({ workspace, github: double.people, idp });
  const ids = async (group: Parameters<typeof directory.members>[0]) =>
    (await directory.members(group, WORKSPACE)).map(({ id }) => id);
  return { ...double, workspace, write, file, directory, ids, idpClock: clock };
}
const why = (wanted: Promise<unknown>) =>
  wanted.then(
    () => "an answer",
    (error: unknown) => (error instanceof DirectoryUnavailable ? error.message : String(error)),
  );

test("a team is asked for with the token, by the documented address, page after page, and to nobody else", async () => {
  const { ids, calls } = world({ teams: { "acme/leads": [1, 2, 3] }, perPage: 1 });
  expect(await ids({ github_team: "acme/leads" })).toEqual(["U0ANA", "U0BO", "U0CY"]);
  expect(calls.map(({ url }) => url.href)).toEqual(
    [1, 2, 3].map((page) => `https://github.test/orgs/acme/teams/leads/members?per_page=100&page=${page}`),
  );
  for (const { headers, redirect } of calls) {
    expect(headers.get("authorization")).toBe("Bearer ghp_sup3r");
    expect(headers.get("x-github-api-version")).toBe("2022-11-28");
    expect(redirect).toBe("error");
  }
});

test("questions of one click about one team are one call, and the next click asks again", async () => {
  const { ids, calls, clock } = world({ teams: { "acme/leads": [1] } });
  await Promise.all([1, 2, 3].map(() => ids({ github_team: "acme/leads" })));
  expect(calls).toHaveLength(1);
  clock.now += 5_001;
  await ids({ github_team: "acme/leads" });
  expect(calls).toHaveLength(2);
});

test("a bot in a team is nobody, and a person without an account here is left out", async () => {
  const { ids, world: github } = world({ teams: { "acme/leads": [1, 2, 4] } });
  github.bots.push(2);
  expect(await ids({ github_team: "acme/leads" })).toEqual(["U0ANA"]);
});

test("a team of which nobody has an account here is unavailable, never empty", async () => {
  const { directory } = world({ teams: { "acme/leads": [4] } });
  expect(await why(directory.members({ github_team: "acme/leads" }, WORKSPACE))).toBe(
    "nobody of acme/leads has an account here",
  );
});

test.each([
  [401, {}, "GitHub did not say who is in acme/leads: it refuses the token"],
  [403, {}, "GitHub did not say who is in acme/leads: the token may not read it"],
  [403, { "x-ratelimit-remaining": "0" }, "GitHub did not say who is in acme/leads: too many questions"],
  [404, {}, "GitHub did not say who is in acme/leads: there is none of that name, or the token may not see it"],
  [429, {}, "GitHub did not say who is in acme/leads: too many questions"],
  [500, {}, "GitHub did not say who is in acme/leads: it answered 500"],
] as const)("status %i is no answer, and says what to mend", async (status, extra, message) => {
  const { directory, world: github } = world({ teams: { "acme/leads": [1] } });
  Object.assign(github, { status, extra });
  expect(await why(directory.members({ github_team: "acme/leads" }, WORKSPACE))).toBe(message);
});

test("an answer that is no list of accounts, and a list that does not end, are no answers", async () => {
  const first = world({ teams: { "acme/leads": [1] } });
  first.world.broken = true;
  expect(await why(first.directory.members({ github_team: "acme/leads" }, WORKSPACE))).toContain("cannot be read");
  const endless = world({ teams: { "acme/leads": Array.from({ length: 60 }, (_, n) => n + 1) }, perPage: 1 });
  expect(await why(endless.directory.members({ github_team: "acme/leads" }, WORKSPACE))).toContain("does not end");
});

test("an owner by login is the account of that login, by its number", async () => {
  const { ids, directory, world: github } = world();
  expect(await ids({ github_user: "user-2" })).toEqual(["U0BO"]);
  expect(await ids({ github_user: "User-3" })).toEqual(["U0CY"]);
  expect(await why(directory.members({ github_user: "user-4" }, WORKSPACE))).toBe(
    "nobody of user-4 has an account here",
  );
  github.bots.push(1);
  expect(await why(directory.members({ github_user: "user-1" }, WORKSPACE))).toBe("user-1 is no person on GitHub");
});

test("an owner by address is whom the identity provider knows by it, else whom the workspace does", async () => {
  const { ids, workspace, directory } = world();
  expect(await ids({ email: "Ana@Acme.dev" })).toEqual(["U0ANA"]);
  workspace.group({ email: "fin@acme.dev" }, ["U0FIN"]);
  expect(await ids({ email: "fin@acme.dev" })).toEqual(["U0FIN"]);
  await expect(directory.members({ email: "no@acme.dev" }, WORKSPACE)).rejects.toThrow(DirectoryUnavailable);
});

test("what is not configured is unavailable and says the setting", async () => {
  const directory = joinedDirectory({ workspace: memoryDirectory(), github: null, idp: null });
  expect(await why(directory.members({ github_team: "acme/leads" }, WORKSPACE))).toContain("COUNTERSIGN_GITHUB_TOKEN");
  expect(await why(directory.members({ idp: "leads" }, WORKSPACE))).toContain("COUNTERSIGN_IDP_FILE");
  const only = joinedDirectory({
    workspace: memoryDirectory(),
    github: githubDouble(new Map([["a/b", [1]]])).people,
    idp: null,
  });
  expect(await why(only.members({ github_team: "a/b" }, WORKSPACE))).toContain("nobody vouches for GitHub accounts");
});

test("an export that is too old says nobody any more, by policy's own bound or after a day", async () => {
  const { directory, idpClock } = world({ groups: { leads: ["ana"] } });
  const hours = (n: number) => {
    idpClock.now = Date.parse("2026-11-21T09:00:00Z") + n * 3_600_000;
  };
  const asked = (maxAgeMs?: number) =>
    why(directory.members({ idp: "leads", ...(maxAgeMs === undefined ? {} : { maxAgeMs }) }, WORKSPACE));
  hours(4);
  expect(await asked()).toBe("an answer");
  expect(await asked(4 * 3_600_000)).toBe("an answer");
  hours(5);
  expect(await asked(4 * 3_600_000)).toBe("the identity provider's file is too old: it was exported 5 hours ago");
  hours(25);
  expect(await asked()).toBe("the identity provider's file is too old: it was exported 25 hours ago");
  hours(-1);
  expect(await asked()).toBe("the identity provider's file is dated in the future");
});

test.each([
  ["a key that nobody knows", { ...body({}), grups: {} }, "Unrecognized key"],
  ["a member who is nobody", body({ leads: ["zed"] }), "the group leads has zed, who is not under people"],
  [
    "two people with one account",
    { ...body({}), people: { a: { slack: "U0A" }, b: { slack: "U0A" } } },
    "a and b have the same slack account",
  ],
  [
    "a name where an id is due",
    { ...body({}), people: { a: { slack: "ana" } } },
    "people.a.slack: expected a member id",
  ],
  ["no date", { version: 1, people: {}, groups: {} }, "exported"],
  ["a key twice", "version: 1\nversion: 1\n", "Map keys must be unique"],
  ["an alias", "version: 1\nexported: &a 2026-11-21T09:00:00Z\npeople: {}\ngroups: {x: [*a]}\n", "broken"],
  ["half a file", '{"version": 1, "exported": "2026', "broken"],
] as const)("an export with %s is refused whole, and the next good one counts", async (_what, content, message) => {
  const { ids, directory, write } = world({ groups: { leads: ["ana"] } });
  expect(await ids({ idp: "leads" })).toEqual(["U0ANA"]);
  write(content);
  expect(await why(directory.members({ idp: "leads" }, WORKSPACE))).toContain(message);
  write(body({ leads: ["bo"] }));
  expect(await ids({ idp: "leads" })).toEqual(["U0BO"]);
});

test("a group of which nobody has an account here is unavailable, never empty", async () => {
  const { directory } = world({ groups: { leads: ["dan"], none: [] } });
  for (const group of ["leads", "none"]) {
    expect(await why(directory.members({ idp: group }, WORKSPACE))).toBe(
      `nobody of the group ${group} has an account here`,
    );
  }
});

test("the export vouches for accounts of Linear by their id, and for no name", async () => {
  const { file, write } = exported(body({}));
  const idp = idpFile({ file, now: () => NOW });
  expect(await idp.ofLinear(LINEAR_ID.toUpperCase(), WORKSPACE)).toMatchObject({ provider: "slack", id: "U0ANA" });
  expect(await idp.ofLinear("00000000-0000-4000-8000-000000000000", WORKSPACE)).toBeNull();
  write({ ...body({}), people: { ana: { slack: "U0ANA", linear: "ana" } } });
  await expect(idp.ofLinear(LINEAR_ID, WORKSPACE)).rejects.toThrow(/expected a user's id, not a name/);
  write({
    ...body({}),
    people: { ana: { slack: "U0ANA", linear: LINEAR_ID }, bo: { slack: "U0BO", linear: LINEAR_ID } },
  });
  await expect(idp.ofLinear(LINEAR_ID, WORKSPACE)).rejects.toThrow(/ana and bo have the same linear account/);
});
